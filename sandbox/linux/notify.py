"""Has some system calls of this process and its children answered outside (seccomp_unotify(2)).

Loaded by the monitor, in the command's own process, just before it is executed: a listener can be
made from inside only. It runs as a file of its own there, so it imports nothing of the package.
Whoever holds the listener answers; when nobody does any more, the calls fail with ENOSYS.
"""

import ctypes

_SET_MODE_FILTER = 1
_EFAULT = 14
# linux/seccomp.h: the listener is wanted; and once a call was taken, only a fatal signal ends the
# wait, so that no call is begun a second time (Linux 5.19).
_FLAGS = (1 << 3) | (1 << 5)


def is_supported(seccomp: int) -> bool:
    """Whether this kernel has such listeners: it looks at the flags before the program (NULL)."""
    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.syscall(
        ctypes.c_long(seccomp), ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(_FLAGS), None
    )
    return ctypes.get_errno() == _EFAULT


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def listen(seccomp: int, program: bytes) -> int:
    """Set the filter; return the listener's descriptor. Raises `OSError`.

    `seccomp` is that call's number; the program is an array of struct sock_filter, 8 bytes each.
    """
    kernel = ctypes.CDLL(None, use_errno=True)
    wanted = _Program(len(program) // 8, program)
    listener = kernel.syscall(
        ctypes.c_long(seccomp), ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(_FLAGS),
        ctypes.byref(wanted),
    )  # fmt: skip
    if listener < 0:
        raise OSError(ctypes.get_errno(), "the kernel has no listener for system calls")
    return int(listener)
