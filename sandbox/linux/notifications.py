"""System calls of the command that wait for an answer: taken, looked into, answered.

The outer half of `sandbox.linux.notify`. What a call points to is in the command's memory, and the
command may change it at any time: so it is copied once, and whoever answers acts on the copy. A
process number may be another process's by then: so whatever was found by it counts only if the
call still waits afterwards (SECCOMP_IOCTL_NOTIF_ID_VALID).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

from otel.values import dataclass

# linux/seccomp.h: _IOWR('!', 0, struct seccomp_notif) and its like.
_RECEIVE, _SEND, _IS_VALID, _ADD = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
_CALL: Final = struct.Struct("=QIIiIQ6Q")  # id, pid, flags, then struct seccomp_data
_ANSWER: Final = struct.Struct("=QqiI")  # id, value, error, flags
_ADDED: Final = struct.Struct("=QIIII")  # id, flags, our descriptor, theirs, its flags
_REPLACE = 1  # SECCOMP_ADDFD_FLAG_SETFD
_PIDFD_GETFD = 438  # the same on every architecture
_THREAD = os.O_EXCL  # PIDFD_THREAD
_LOWER_HALF = 0xFFFFFFFF

_kernel = ctypes.CDLL(None, use_errno=True)


class _Span(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


@dataclass(frozen=True, slots=True)
class Call:
    """One that waits. `pid` is the thread's, as this host numbers it; arguments as they were."""

    listener: int
    number: int
    pid: int
    id: int
    arguments: tuple[int, ...]

    def integer(self, index: int) -> int:
        """Return an argument that is an int: the kernel ignores its upper half."""
        return self.arguments[index] & _LOWER_HALF

    def still_waits(self) -> bool:
        """Whether what was found by its process number is its own."""
        try:
            fcntl.ioctl(self.listener, _IS_VALID, struct.pack("=Q", self.id))
        except OSError:
            return False
        return True

    def memory(self, address: int, count: int) -> bytes:
        """Copy what it points to, once. Raises `OSError`, EFAULT for what is not there."""
        copy = ctypes.create_string_buffer(count)
        here, there = _Span(ctypes.addressof(copy), count), _Span(address, count)
        # Not /proc/PID/mem: that is root's where the program may not be dumped, and this asks only
        # what we may do to the process, as for its descriptors.
        copied = _kernel.process_vm_readv(
            self.pid, ctypes.byref(here), ctypes.c_ulong(1), ctypes.byref(there), ctypes.c_ulong(1),
            ctypes.c_ulong(0),
        )  # fmt: skip
        if copied < 0 and ctypes.get_errno() != errno.EFAULT:
            raise OSError(ctypes.get_errno(), "its memory can't be read")
        if copied != count:
            raise OSError(errno.EFAULT, "no such memory")
        return copy.raw

    def descriptor(self, number: int) -> int:
        """Return our own descriptor for an open file of its. Raises `OSError`."""
        handle = self._handle()
        try:
            found = _kernel.syscall(
                ctypes.c_long(_PIDFD_GETFD), ctypes.c_long(handle), ctypes.c_long(number),
                ctypes.c_long(0),
            )  # fmt: skip
            if found < 0:
                raise OSError(ctypes.get_errno(), "its descriptor can't be had")
            return int(found)
        finally:
            os.close(handle)

    def _handle(self) -> int:
        """Of the thread: its process' first one may have ended, and has no files then."""
        try:
            return os.pidfd_open(self.pid, _THREAD)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        # Before Linux 6.9 there are handles of whole processes only.
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8", errors="replace")
        return os.pidfd_open(int(status.partition("\nTgid:")[2].split(None, 1)[0]))

    def is_kept_by_programs(self, number: int) -> bool:
        """Whether a descriptor of its survives an exec."""
        text = Path(f"/proc/{self.pid}/fdinfo/{number}").read_text(encoding="ascii")
        flags = int(text.partition("flags:")[2].split(None, 1)[0], 8)
        return not flags & os.O_CLOEXEC

    def replace(self, number: int, ours: int, *, is_kept: bool) -> None:
        """Put an open file of ours in place of a descriptor of its. Raises `OSError`."""
        flags = 0 if is_kept else os.O_CLOEXEC
        fcntl.ioctl(self.listener, _ADD, _ADDED.pack(self.id, _REPLACE, ours, number, flags))

    def answer(self, error: int) -> None:
        """Let it go on: 0, or the errno that it fails with. Whoever is gone needs no answer."""
        try:
            fcntl.ioctl(self.listener, _SEND, _ANSWER.pack(self.id, 0, -error, 0))
        except OSError as gone:
            if gone.errno != errno.ENOENT:
                raise


def receive(listener: int) -> Call | None:
    """Take the next call; None if it is gone already. Raises `OSError` when nobody is left."""
    buffer = bytearray(_CALL.size)  # zeroed, or the kernel refuses
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINTR}:
            return None
        raise
    number_id, pid, _, number, _, _, *arguments = _CALL.unpack(buffer)
    return Call(listener, number, pid, number_id, tuple(arguments))
