"""Landlock (landlock(7)) as a second belt: what the mounts and namespaces hold, held once more.

The command may read and execute as ever, and write only below the plan's writable folders; signals
and connections to abstract unix sockets stay among its own processes, and so does tracing: the
monitor is outside. Imports built-in modules only: the monitor loads it by its path.
"""

import _ctypes  # CPython's own; ctypes takes ten times longer
import os
import stat
import sys

# The same numbers everywhere: asm-generic/unistd.h.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
# linux/landlock.h. Of files: write, truncate. Of what is in a folder: make (from 7, a character
# device, to 12, a link), remove (4 and 5), and move or link from another folder.
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
_CHANGE_FOLDER = sum(1 << bit for bit in (4, 5, 6, 7, 8, 9, 10, 11, 12)) | _REFER
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2
# Versions of the interface: before 3 truncate(2) can't be held, and before 2 nothing could be moved
# from one folder to another at all; 6 brought the scopes.
_LEAST, SCOPES = 3, 6
_O_PATH = 0o10000000
_PR_SET_DUMPABLE = 4  # linux/prctl.h


def stay_unreadable() -> None:
    """Give /proc's view of this process to root, until it executes something (prctl(2))."""
    _checked(_ctypes.call_function(_PRCTL, (_PR_SET_DUMPABLE, 0, 0, 0, 0)), "privacy")


def version() -> int:
    """Version of this kernel's interface; 0 where there is none, or one that is too old."""
    found = _call(_CREATE_RULESET, 0, 0, _ASK_VERSION)
    return found if found >= _LEAST else 0


def make_ruleset(version: int, writable: "list[str]") -> int:
    """Return a descriptor of rules for `enforce`. Raises OSError when the kernel refuses.

    What stdin, stdout and stderr lead to may be opened anew: /dev/stderr may be a file of the
    caller's anywhere.
    """
    handled = _WRITE_FILE | _TRUNCATE | _CHANGE_FOLDER
    scopes = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if version >= SCOPES else 0
    attributes = _words(handled, 0, scopes)
    ruleset = _checked(_call(_CREATE_RULESET, attributes, 24 if scopes else 8, 0), "a ruleset")
    for path in writable:
        try:
            descriptor = os.open(path, _O_PATH | os.O_CLOEXEC)
        except OSError:  # out of reach for the command, too
            continue
        _allow(ruleset, descriptor, path)
        os.close(descriptor)
    for descriptor in (0, 1, 2):
        try:
            kind = os.fstat(descriptor).st_mode
        except OSError:  # closed by the caller
            continue
        if not stat.S_ISREG(kind) and not stat.S_ISCHR(kind):
            continue
        try:
            _allow(ruleset, descriptor, f"descriptor {descriptor}")
        except OSError:  # a file that is nowhere (memfd_create(2), nsfs): Landlock holds none there
            continue
    return ruleset


def enforce(ruleset: int) -> None:
    """Hold this process and all that it starts to it, for good. Raises OSError."""
    _checked(_call(_RESTRICT_SELF, ruleset, 0), "the restriction")


def _allow(ruleset: int, descriptor: int, what: str) -> None:
    is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    rights = _WRITE_FILE | _TRUNCATE | (_CHANGE_FOLDER if is_folder else 0)
    # struct landlock_path_beneath_attr is packed: {u64 allowed_access; s32 parent_fd}
    rule = _words(rights) + descriptor.to_bytes(4, sys.byteorder)
    _checked(_call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0), what)


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, sys.byteorder) for number in numbers)


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise OSError(f"Landlock refused {what}")
    return result


def _call(*arguments: "int | bytes") -> int:
    result = _ctypes.call_function(_SYSCALL, arguments)
    assert isinstance(result, int)
    return result


_LIBC = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]  # None: what we consist of
_SYSCALL, _PRCTL = _ctypes.dlsym(_LIBC, "syscall"), _ctypes.dlsym(_LIBC, "prctl")
