"""What must fail inside the sandbox, tried, and the one thing that must work.

Runs in a child of the monitor, before the command: in the finished sandbox, with everything on.
Nothing is left behind: no file, no socket; what was sent never left. Outside, only the names are
used (`sandbox.proof`): each that was ordered must be answered for.
Imports built-in modules only: the monitor loads it by its path.
"""

import _ctypes  # CPython's own; ctypes takes ten times longer
import _socket
import errno
import fcntl
import os
import sys

TYPE_CHECKING = False  # typing takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable

# Addresses that RFC 5737 and 3849 set aside: nothing listens there, and nothing may be sent.
TEST_NET = ("192.0.2.1", 9)
TEST_NET6 = ("2001:db8::1", 9)
_LOOPBACK = "127.0.0.1"
# Of a sandbox that holds each answer comes at once; only one that does not makes us wait.
_PATIENCE_SECONDS = 1.0
_NO_DESCRIPTOR = 999_999
_TIOCSTI = 0x5412
_CLONE_NEWUSER = 0x10000000
_PTRACE_SEIZE = 0x4206
# linux/rtnetlink.h and linux/netlink.h
_RTM_NEWROUTE, _REQUEST_AND_ACK, _ROUTE_BYTES = 24, 1 | 4, 12

# How a network without a way out says no.
_NO_WAY = (
    errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT,
    errno.EACCES, errno.EPERM,
)  # fmt: skip
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT)
_NUMBERS = {  # ptrace, process_vm_readv, bpf, keyctl, mount; pidfd_getfd and io_uring are the same
    "x86_64": (101, 310, 321, 250, 165),
    "aarch64": (117, 270, 280, 219, 40),
}
_LIBC = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]  # None: what we consist of
_PIDFD_GETFD, _IO_URING_SETUP = 438, 425


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001  # as ctypes does it
    _type_ = "l"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


def _syscall(number: int, *arguments: "int | bytes") -> None:
    """Make a system call that Python has no name for. Raises OSError."""
    call = _Function(_ctypes.dlsym(_LIBC, "syscall"))
    words = [_Long(each) if isinstance(each, int) else each for each in arguments]
    if call(_Long(number), *words) < 0:
        raise OSError(_ctypes.get_errno(), "")


def _connect(family: int, address: tuple[str, int]) -> None:
    probe = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        probe.settimeout(_PATIENCE_SECONDS)
        probe.connect(address)
    finally:
        probe.close()


def _send(family: int, address: tuple[str, int]) -> None:
    probe = _socket.socket(family, _socket.SOCK_DGRAM)
    try:
        probe.sendto(b"netproxy probe", address)
    finally:
        probe.close()


def _make(*kind: int) -> None:
    _socket.socket(*kind).close()


def _pair(kind: int) -> None:
    for end in _socket.socketpair(_socket.AF_UNIX, kind):
        end.close()


def _add_route() -> None:
    """Ask the kernel to change the namespace's routes, and read what it says."""
    route = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, 0)
    try:
        route.settimeout(_PATIENCE_SECONDS)
        words = (16 + _ROUTE_BYTES, _RTM_NEWROUTE | _REQUEST_AND_ACK << 16, 1, 0)
        head = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
        route.sendto(head + bytes(_ROUTE_BYTES), (0, 0))
        said = -int.from_bytes(route.recv(4096)[16:20], sys.byteorder, signed=True)
        if said:
            raise OSError(said, "")
    finally:
        route.close()


def _type_a_key() -> None:
    fcntl.ioctl(_NO_DESCRIPTOR, _TIOCSTI, b"x")


def _write_setting() -> None:
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


def _write(path: str) -> None:
    """Without a trace where it works: a file that has no name, or not a byte."""
    # A name might be there already, or be too long below this path.
    nameless = os.O_TMPFILE if os.path.isdir(path) else 0  # noqa: PTH112  # pathlib takes longer than all of this
    # Without O_NONBLOCK a FIFO would wait for a reader.
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | nameless))


def _read(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))


def _have_capability() -> None:
    """Fails as it must: nothing in any set, none to be had, and a filter in force."""
    with open("/proc/self/status", "rb") as status:  # noqa: PTH123  # pathlib is slow
        lines = [line for line in status if line.startswith((b"Cap", b"No", b"Sec"))]
    told = dict(line.split(None, 1) for line in lines)
    sets = [int(words, 16) for name, words in told.items() if name.startswith(b"Cap")]
    if not any(sets) and int(told[b"NoNewPrivs:"]) == 1 and int(told[b"Seccomp:"]) == 2:  # noqa: PLR2004  # SECCOMP_MODE_FILTER
        raise PermissionError(errno.EPERM, "")


def _take_descriptor() -> None:
    monitor = os.pidfd_open(os.getppid())
    try:
        _syscall(_PIDFD_GETFD, monitor, 0, 0)
    finally:
        os.close(monitor)


type _Attempt = tuple[str, Callable[[], str | None], tuple[int, ...]]


def _any_of(paths: str, attempt: "Callable[[str], None]") -> str | None:
    """The first of these paths with which it works. Raises OSError: what the last one said.

    One that fails in another way than a closed path does is a surprise, too, and the last one then.
    """
    refused = OSError(errno.ENOENT, "")
    for path in paths.split("\0"):
        try:
            attempt(path)
        except OSError as error:
            refused = error
            if error.errno not in _CLOSED:
                break
        else:
            return path
    raise refused


def _of_the_files(told: dict[str, str]) -> list[_Attempt]:
    """What the mounts alone must hold."""
    found: list[_Attempt] = [("changing a setting of the kernel", _write_setting, _CLOSED)]
    if "root" in told:
        found.append(("writing to /", lambda: _write("/"), _CLOSED))
    if "protected" in told:
        protected = told["protected"]
        found.append(("writing a protected path", lambda: _any_of(protected, _write), _CLOSED))
    if "hidden" in told:
        hidden = told["hidden"]
        found.append(("reading a hidden path", lambda: _any_of(hidden, _read), _CLOSED))
    return found


def _of_the_network(told: dict[str, str]) -> list[_Attempt]:
    # Where connections are captured they arrive, at our own listener: the launcher looks there.
    captured = (0,) if "capture" in told else ()
    found: list[_Attempt] = [
        ("a direct IPv4 connection", lambda: _connect(_socket.AF_INET, TEST_NET), captured),
        ("a direct IPv6 connection", lambda: _connect(_socket.AF_INET6, TEST_NET6), captured),
        ("a direct UDP datagram", lambda: _send(_socket.AF_INET, TEST_NET), ()),
        ("a direct UDP datagram over IPv6", lambda: _send(_socket.AF_INET6, TEST_NET6), ()),
    ]
    found = [(name, attempt, (*_NO_WAY, *more)) for name, attempt, more in found]
    if "host" in told:
        there = (_LOOPBACK, int(told["host"]))
        refused = (errno.ECONNREFUSED,)
        found.append(("this host's loopback", lambda: _connect(_socket.AF_INET, there), refused))
    return found


def _of_the_kernel(told: dict[str, str]) -> list[_Attempt]:
    ptrace, read_memory, bpf, keyctl, mount = _NUMBERS[os.uname().machine]
    monitor = os.getppid()
    refused, absent = (errno.EPERM,), (errno.ENOSYS,)
    raw, udp, ping = _socket.SOCK_RAW, _socket.SOCK_DGRAM, _socket.IPPROTO_ICMP
    found: list[_Attempt] = [
        ("a raw socket", lambda: _make(_socket.AF_INET, raw, ping), refused),
        ("a ping", lambda: _make(_socket.AF_INET, udp, ping), (errno.EPROTONOSUPPORT,)),
        ("a packet socket", lambda: _make(_socket.AF_PACKET, raw), refused),
        ("a vsock socket", lambda: _make(_socket.AF_VSOCK, _socket.SOCK_STREAM), refused),
        ("a pair of datagram sockets", lambda: _pair(udp), refused),
        ("a change by netlink", _add_route, refused),
        ("io_uring", lambda: _syscall(_IO_URING_SETUP, 1, 0), absent),
        ("a key ring", lambda: _syscall(keyctl, 0, -3, 0), absent),
        ("a program in the kernel", lambda: _syscall(bpf, 0, 0, 0), refused),
        ("a mount", lambda: _syscall(mount, 0, 0, 0, 0, 0), refused),
        ("a user namespace of its own", lambda: os.unshare(_CLONE_NEWUSER), refused),
        ("tracing the monitor", lambda: _syscall(ptrace, _PTRACE_SEIZE, monitor, 0, 0), refused),
        ("reading the monitor", lambda: _syscall(read_memory, monitor, 0, 0, 0, 0, 0), refused),
        ("a descriptor of the monitor", _take_descriptor, refused),
        ("the monitor's memory", lambda: _read(f"/proc/{monitor}/mem"), _CLOSED),
        ("a key typed into the terminal", _type_a_key, refused),
        ("a capability", _have_capability, refused),
    ]
    if "unix" not in told:
        found.append(("a unix socket", lambda: _make(_socket.AF_UNIX), refused))
    if "signals" in told:  # where Landlock keeps them
        found.append(("a signal to the monitor", lambda: os.kill(monitor, 0), refused))
    return found


def _of_what_works(told: dict[str, str]) -> list[_Attempt]:
    there = (_LOOPBACK, int(told["proxy"]))
    return [("the proxy can be reached", lambda: _connect(_socket.AF_INET, there), (0,))]


def names(told: dict[str, str]) -> list[str]:
    """Of all that is tried when one is told so."""
    kinds = (_of_the_files, _of_the_network, _of_the_kernel, _of_what_works)
    return [name for kind in kinds for name, _, _ in kind(told)]


def try_files(told: dict[str, str]) -> list[str]:
    """With the mounts alone: `name=answer` of each, and a `!` before one that must not be so.

    `told` says what to try: the words of the launcher's orders, by name; a NUL parts those of one
    name. Behind an answer comes a space and the path, where there were several.
    """
    return [_outcome(*each) for each in _of_the_files(told)]


def try_everything(told: dict[str, str]) -> list[str]:
    """With everything on: the same of all the rest."""
    kinds = (_of_the_network, _of_the_kernel, _of_what_works)
    return [_outcome(*each) for kind in kinds for each in kind(told)]


def _outcome(name: str, attempt: "Callable[[], str | None]", expected: tuple[int, ...]) -> str:
    which = None
    try:
        which = attempt()
        found = 0
    except OSError as error:  # a time-out has no number
        found = error.errno or errno.ETIMEDOUT
    except Exception as error:  # noqa: BLE001  # what can't be tried is no proof, whatever the cause
        return f"!{name}={type(error).__name__}"
    mark = "" if found in expected else "!"
    where = "" if which is None else f" {which}"
    return f"{mark}{name}={errno.errorcode.get(found, 'OK')}{where}"
