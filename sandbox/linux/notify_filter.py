"""The second kernel filter, for `--unix` only: connect and bind wait for an answer from outside.

A filter can't see which path a call names, nor what kind of socket a descriptor is, so all of them
go to the broker (`sandbox.linux.broker`), those of TCP and UDP as well. What a socket says of the
process at its other end is refused: behind the broker that is the gateway. So is what a socket says
of the interfaces of its network: the end of a pair that the broker made is of this host's. Pure.
"""

from __future__ import annotations

import errno
import struct

from otel.values import dataclass

# linux/bpf_common.h, linux/filter.h, linux/seccomp.h, as in `sandbox.linux.seccomp`.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _NOTIFY, _KILL_PROCESS = 0x7FFF0000, 0x7FC00000, 0x80000000
_NO_OPTION = 0x00050000 | errno.ENOPROTOOPT
_NUMBER, _ARCHITECTURE = 0, 4
# The second and third argument's lower halves.
_LEVEL = _REQUEST = 24
_OPTION = 32
_SOL_SOCKET = 1  # asm-generic/socket.h
_PASS_PROCESS, _PEER_PROCESS = 76, 77  # SO_PASSPIDFD, SO_PEERPIDFD
# linux/sockios.h and linux/wireless.h: what sockets tell of interfaces, and of their namespace.
_FIRST_INTERFACE, _END_INTERFACE = 0x8910, 0x8C00
_NO_REQUEST = 0x00050000 | errno.ENOTTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Numbers of system calls on one architecture."""

    architecture: int  # linux/audit.h
    connect: int
    bind: int
    ioctl: int
    setsockopt: int
    getsockopt: int
    seccomp: int


_MACHINES = {
    "x86_64": Calls(
        architecture=0xC000003E,
        connect=42,
        bind=49,
        ioctl=16,
        setsockopt=54,
        getsockopt=55,
        seccomp=317,
    ),
    "aarch64": Calls(
        architecture=0xC00000B7,
        connect=203,
        bind=200,
        ioctl=29,
        setsockopt=208,
        getsockopt=209,
        seccomp=277,
    ),
}


def calls_of(machine: str) -> Calls:
    """Return the numbers for `platform.machine()`; the first filter knows the same machines."""
    return _MACHINES[machine]


def notify_filter(machine: str) -> bytes:
    """Return the program as an array of struct sock_filter.

    The first filter keeps foreign numbers (x32) out; a foreign architecture ends here, too.
    """
    calls = calls_of(machine)
    return b"".join(
        (
            _statement(_LOAD, _ARCHITECTURE),
            _jump(calls.architecture, 1, 0),
            _statement(_RETURN, _KILL_PROCESS),
            _statement(_LOAD, _NUMBER),
            _jump(calls.connect, 13, 0),
            _jump(calls.bind, 12, 0),
            _jump(calls.ioctl, 7, 0),
            _jump(calls.setsockopt, 1, 0),
            _jump(calls.getsockopt, 0, 8),
            _statement(_LOAD, _LEVEL),
            _jump(_SOL_SOCKET, 0, 6),
            _statement(_LOAD, _OPTION),
            _jump(_PASS_PROCESS, 6, 0),
            _jump(_PEER_PROCESS, 5, 3),
            _statement(_LOAD, _REQUEST),
            _jump(_FIRST_INTERFACE, 0, 1, test=_AT_LEAST),
            _jump(_END_INTERFACE, 0, 3, test=_AT_LEAST),
            _statement(_RETURN, _ALLOW),
            _statement(_RETURN, _NOTIFY),
            _statement(_RETURN, _NO_OPTION),
            _statement(_RETURN, _NO_REQUEST),
        )
    )


def notify_order(machine: str) -> str:
    """Have the monitor set it (`sandbox.linux.notify`)."""
    return f"notify={calls_of(machine).seccomp} {notify_filter(machine).hex()}"


def _statement(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _jump(value: int, when_true: int, when_false: int, *, test: int = _EQUAL) -> bytes:
    """So many instructions are left out."""
    return struct.pack("=HBBI", test, when_true, when_false, value)
