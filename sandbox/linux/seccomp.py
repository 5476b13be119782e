"""The first kernel filter, as classic BPF: TCP and UDP sockets only. Pure bytes.

What it holds back: a path or abstract unix socket reaches host services through a read-only bind,
netlink and vsock reach the kernel and the hypervisor, and io_uring creates sockets without the
socket system call. socketpair(AF_UNIX) stays, of the types that keep their peer for life: one end
of a pair of datagram sockets can be connected anew, to any path.
Key rings are not in a namespace: a session's keys are the host's, and request_key(2) has a program
of the host run, which for a dns_resolver key sends a question into the network.
The namespace's init is left alone: traced, it would not die with its parent any more.
The network namespace is the fence; this closes the doors that are not made of packets.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_STREAM, _DATAGRAM, _SEQPACKET = 1, 2, 5
# The type's upper bits are flags (SOCK_CLOEXEC, SOCK_NONBLOCK): linux/net.h.
_TYPE_MASK = 0xF
# "The usual one", TCP and UDP. Asking for another one loads its module: more kernel for nothing.
_PROTOCOLS = (0, 6, 17)

# linux/bpf_common.h and linux/filter.h
_LD_ABS_W = 0x20
_AND = 0x54
_JEQ = 0x15
_JGE = 0x35
_RET = 0x06

# linux/seccomp.h; struct seccomp_data is {int nr; u32 arch; u64 ip; u64 args[6]}
_OFFSET_NR, _OFFSET_ARCH = 0, 4
_OFFSETS = (16, 24, 32)  # of the first three arguments' lower halves, on a little-endian machine
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000

_REFUSED = _ERRNO | errno.EPERM
# What a kernel without the call answers: every library falls back at once.
_ABSENT = _ERRNO | errno.ENOSYS
# What a kernel without the protocol answers: Go then does without MPTCP.
_NO_PROTOCOL = _ERRNO | errno.EPROTONOSUPPORT

# x32 calls share x86-64's AUDIT_ARCH and set this bit: without the check they walk past any filter.
_X32_BIT = 0x40000000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    audit_arch: int  # linux/audit.h
    socket: int
    socketpair: int
    key_rings: tuple[int, int, int]  # add_key, request_key, keyctl
    ptrace: int
    process_vm: tuple[int, int]  # process_vm_readv, process_vm_writev
    has_x32: bool


_MACHINES = {
    "x86_64": _Machine(
        audit_arch=0xC000003E,
        socket=41,
        socketpair=53,
        key_rings=(248, 249, 250),
        ptrace=101,
        process_vm=(310, 311),
        has_x32=True,
    ),
    "aarch64": _Machine(
        audit_arch=0xC00000B7,
        socket=198,
        socketpair=199,
        key_rings=(217, 218, 219),
        ptrace=117,
        process_vm=(270, 271),
        has_x32=False,
    ),
}
# The same numbers on every architecture since Linux 5.1: setup, enter, register.
_IO_URING = (425, 426, 427)


def is_supported(machine: str) -> bool:
    """Whether a filter exists for `platform.machine()`; without one there is no sandbox."""
    return machine in _MACHINES


def socket_filter(machine: str) -> bytes:
    """Return the program as an array of struct sock_filter, for `bwrap --seccomp`."""
    numbers = _MACHINES[machine]
    program = [
        _statement(_LD_ABS_W, _OFFSET_ARCH),
        # A foreign architecture (i386 on x86-64) has its own numbers and socketcall(2).
        *_unless_equal(numbers.audit_arch, _KILL_PROCESS),
        _statement(_LD_ABS_W, _OFFSET_NR),
    ]
    if numbers.has_x32:
        program += [_jump(_JGE, _X32_BIT, 0, 1), _statement(_RET, _REFUSED)]
    for number in (*_IO_URING, *numbers.key_rings):
        program += _if_equal(number, _ABSENT)
    program += _only(
        numbers.socket,
        families=(_AF_INET, _AF_INET6),
        types=(_STREAM, _DATAGRAM),
        protocols=_PROTOCOLS,
    )
    program += _only(
        numbers.socketpair, families=(_AF_UNIX,), types=(_STREAM, _SEQPACKET), protocols=None
    )
    program += _not_init(numbers.ptrace, _OFFSETS[1])
    for number in numbers.process_vm:
        program += _not_init(number, _OFFSETS[0])
    program.append(_statement(_RET, _ALLOW))
    return b"".join(program)


def _statement(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _jump(code: int, value: int, when_true: int, when_false: int) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _if_equal(value: int, action: int) -> list[bytes]:
    return [_jump(_JEQ, value, 0, 1), _statement(_RET, action)]


def _unless_equal(value: int, action: int) -> list[bytes]:
    return [_jump(_JEQ, value, 1, 0), _statement(_RET, action)]


def _unless_one_of(values: tuple[int, ...], action: int) -> list[bytes]:
    tests = [_jump(_JEQ, value, len(values) - index, 0) for index, value in enumerate(values)]
    return [*tests, _statement(_RET, action)]


def _only(
    call: int,
    *,
    families: tuple[int, ...],
    types: tuple[int, ...],
    protocols: tuple[int, ...] | None,
) -> list[bytes]:
    """For one system call: allow it with these arguments, else refuse. None: any protocol.

    The arguments are ints; the kernel ignores their upper halves, and so do the 32-bit loads.
    """
    body = [
        _statement(_LD_ABS_W, _OFFSETS[0]),
        *_unless_one_of(families, _REFUSED),
        _statement(_LD_ABS_W, _OFFSETS[1]),
        _statement(_AND, _TYPE_MASK),
        *_unless_one_of(types, _REFUSED),
    ]
    if protocols is not None:
        body.append(_statement(_LD_ABS_W, _OFFSETS[2]))
        body += _unless_one_of(protocols, _NO_PROTOCOL)
    body.append(_statement(_RET, _ALLOW))
    return [_jump(_JEQ, call, 0, len(body)), *body]


def _not_init(call: int, offset: int) -> list[bytes]:
    """Refuse a system call whose argument there is process 1: in here, the namespace's init."""
    body = [
        _statement(_LD_ABS_W, offset),
        *_if_equal(1, _REFUSED),
        _statement(_RET, _ALLOW),
    ]
    return [_jump(_JEQ, call, 0, len(body)), *body]
