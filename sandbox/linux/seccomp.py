"""The kernel filter, as classic BPF: what the command may ask of the kernel. Pure bytes.

Sockets are TCP and UDP only: a path or abstract unix socket reaches host services through a
read-only bind, vsock reaches the hypervisor. socketpair(AF_UNIX) stays, of the types that keep
their peer for life: one end of a pair of datagram sockets can be connected anew, to any path.
Netlink is the routing kind only: it shows the namespace's own loopback, and writing takes a
capability. Which other calls are refused, and why, says `sandbox.linux.syscalls`.
The network namespace is the fence; this closes the doors that are not made of packets.

The program finds the call by halves, and looks at arguments only where they decide: for all other
calls the kernel (5.11) keeps the answer in a bitmap and does not run it at all.
"""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING

from sandbox.linux.syscalls import ABSENT, EXAMINED, MACHINES, NEWEST, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable

    type _Program = list[bytes]

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_STREAM, _DATAGRAM, _RAW, _SEQPACKET = 1, 2, 3, 5
# The type's upper bits are flags (SOCK_CLOEXEC, SOCK_NONBLOCK): linux/net.h.
_TYPE_MASK = 0xF
# "The usual one", TCP and UDP. Asking for another one loads its module: more kernel for nothing.
_PROTOCOLS = (0, 6, 17)
_NETLINK_ROUTE = (0,)

# linux/sched.h: CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID and -NET. CLONE_NEWTIME is a signal's
# bit in clone(2).
_NEW_NAMESPACES = 0x7E020000
# asm-generic/ioctls.h: what types into a terminal, and what pastes into a console (CVE-2023-28100).
_TERMINAL_WRITES = (0x5412, 0x541C)

# linux/bpf_common.h and linux/filter.h
_LD_ABS_W = 0x20
_AND = 0x54
_JEQ = 0x15
_JGE = 0x35
_JSET = 0x45
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


def is_supported(machine: str) -> bool:
    """Whether a filter exists for `platform.machine()`; without one there is no sandbox."""
    return machine in MACHINES


def kernel_filter(machine: str, *, unix_by_path: bool = False) -> bytes:
    """Return the program as an array of struct sock_filter, for `bwrap --seccomp`.

    `unix_by_path`: unix sockets may be made, because somebody else judges where they connect.
    """
    numbers = MACHINES[machine]
    program = [
        _statement(_LD_ABS_W, _OFFSET_ARCH),
        # A foreign architecture (i386 on x86-64) has its own numbers and socketcall(2).
        _jump(_JEQ, numbers.audit_arch, 1, 0),
        _return(_KILL_PROCESS),
        _statement(_LD_ABS_W, _OFFSET_NR),
        *_search(_intervals(machine, unix_by_path=unix_by_path)),
    ]
    return b"".join(program)


def _intervals(machine: str, *, unix_by_path: bool) -> list[tuple[int, _Program]]:
    """What is done from each number on, up to the next one."""
    numbers = MACHINES[machine]
    allow, refuse, absent = [_return(_ALLOW)], [_return(_REFUSED)], [_return(_ABSENT)]
    at: dict[int, _Program] = {}
    for table, answer in ((REFUSED, refuse), (ABSENT, absent)):
        for row in table.values():
            number = row[numbers.column]
            if number is not None:
                at[number] = answer
    examined = {
        "socket": _socket(unix_by_path=unix_by_path),
        "socketpair": _socketpair(),
        "clone": [_load(0), _jump(_JSET, _NEW_NAMESPACES, 0, 1), *refuse, *allow],
        "ioctl": [_load(1), *_if_one_of(_TERMINAL_WRITES, refuse), *allow],
    }
    at |= {EXAMINED[name][numbers.column]: body for name, body in examined.items()}
    edges = [(0, allow)]
    for number, body in sorted(at.items()):
        edges += [(number, body), (number + 1, at.get(number + 1, allow))]
    # A call that nobody has looked at yet may be the next io_uring.
    edges.append((NEWEST + 1, absent))
    if numbers.has_x32:
        edges.append((_X32_BIT, refuse))
    return _merged(edges)


def _merged(edges: list[tuple[int, _Program]]) -> list[tuple[int, _Program]]:
    """Neighbours with the same answer are one."""
    kept: list[tuple[int, _Program]] = []
    for start, body in edges:
        if kept and kept[-1][0] == start:
            continue
        if not kept or kept[-1][1] != body:
            kept.append((start, body))
    return kept


def _search(intervals: list[tuple[int, _Program]]) -> _Program:
    """The body of the interval that holds the number in the accumulator."""
    if len(intervals) == 1:
        return intervals[0][1]
    middle = len(intervals) // 2
    below, above = _search(intervals[:middle]), _search(intervals[middle:])
    return [_jump(_JGE, intervals[middle][0], len(below), 0), *below, *above]


def _socket(*, unix_by_path: bool) -> _Program:
    internet = _only(types=(_STREAM, _DATAGRAM), protocols=_PROTOCOLS)
    netlink = _only(types=(_RAW, _DATAGRAM), protocols=_NETLINK_ROUTE)
    program = [
        _load(0),
        *_if_one_of((_AF_INET, _AF_INET6), internet),
        *_if_one_of((_AF_NETLINK,), netlink),
    ]
    if unix_by_path:
        program += _if_one_of((_AF_UNIX,), _only(types=(_STREAM,), protocols=None))
    return [*program, _return(_REFUSED)]


def _socketpair() -> _Program:
    kept = _only(types=(_STREAM, _SEQPACKET), protocols=None)
    return [_load(0), *_if_one_of((_AF_UNIX,), kept), _return(_REFUSED)]


def _only(*, types: tuple[int, ...], protocols: tuple[int, ...] | None) -> _Program:
    """Allow a socket of these types and protocols, else refuse. None: any protocol."""
    allow = [_return(_ALLOW)]
    if protocols is not None:
        allow = [_load(2), *_if_one_of(protocols, allow), _return(_NO_PROTOCOL)]
    return [
        _load(1),
        _statement(_AND, _TYPE_MASK),
        *_if_one_of(types, allow),
        _return(_REFUSED),
    ]


def _if_one_of(values: Iterable[int], body: _Program) -> _Program:
    """Run `body`, which returns, if the accumulator holds one of them."""
    *others, last = values
    tests = [_jump(_JEQ, value, len(others) - index, 0) for index, value in enumerate(others)]
    return [*tests, _jump(_JEQ, last, 0, len(body)), *body]


def _load(argument: int) -> bytes:
    """The arguments looked at are ints: the kernel ignores their upper halves, and so do we."""
    return _statement(_LD_ABS_W, _OFFSETS[argument])


def _return(answer: int) -> bytes:
    return _statement(_RET, answer)


def _statement(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _jump(code: int, value: int, when_true: int, when_false: int) -> bytes:
    """Jumps are relative to the next instruction, at most 255; struct refuses a longer one."""
    return struct.pack("=HBBI", code, when_true, when_false, value)
