"""The filter, executed by a small interpreter of classic BPF: what each call is answered."""

from __future__ import annotations

import errno
import struct
from functools import cache

import pytest

from sandbox.linux import syscalls
from sandbox.linux.seccomp import is_supported, kernel_filter

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003
UNIX, INET, INET6, NETLINK, PACKET, ALG, VSOCK = 1, 2, 10, 16, 17, 38, 40
STREAM, DATAGRAM, RAW, SEQPACKET, DCCP = 1, 2, 3, 5, 6
FLAGS = 0o2000000 | 0o4000  # SOCK_CLOEXEC | SOCK_NONBLOCK


@cache
def program(machine: str, *, unix_by_path: bool = False) -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("=HBBI", kernel_filter(machine, unix_by_path=unix_by_path)))


def answer(
    machine: str, arch: int, number: int, *arguments: int, unix_by_path: bool = False
) -> int:
    """Run the program on a struct seccomp_data, as the kernel does."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=IIQ6Q", number, arch, 0, *padded)
    instructions = program(machine, unix_by_path=unix_by_path)
    accumulator, place = 0, 0
    while True:
        code, when_true, when_false, value = instructions[place]
        place += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("=I", data, value)[0]
            case 0x54:
                accumulator &= value
            case 0x15:
                place += when_true if accumulator == value else when_false
            case 0x35:
                place += when_true if accumulator >= value else when_false
            case 0x45:
                place += when_true if accumulator & value else when_false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


SOCKET = {"x86_64": (X86, 41, 53), "aarch64": (ARM, 198, 199)}


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("family", [INET, INET6])
@pytest.mark.parametrize("kind", [STREAM, DATAGRAM, STREAM | FLAGS])
@pytest.mark.parametrize("protocol", [0, 6, 17])
def test_internet_sockets_are_allowed(machine: str, family: int, kind: int, protocol: int) -> None:
    arch, socket, _ = SOCKET[machine]
    assert answer(machine, arch, socket, family, kind, protocol) == ALLOW


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("family", [0, UNIX, PACKET, ALG, VSOCK, 255])
def test_every_other_family_is_refused(machine: str, family: int) -> None:
    arch, socket, _ = SOCKET[machine]
    assert answer(machine, arch, socket, family, STREAM) == ERRNO | errno.EPERM


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("kind", [0, RAW, RAW | FLAGS, SEQPACKET, DCCP, 10])
def test_no_other_type_of_internet_socket_exists(machine: str, kind: int) -> None:
    arch, socket, _ = SOCKET[machine]
    assert answer(machine, arch, socket, INET, kind) == ERRNO | errno.EPERM


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("protocol", [1, 33, 58, 132, 136, 255, 256, 262])
def test_no_other_internet_protocol_exists(machine: str, protocol: int) -> None:
    arch, socket, _ = SOCKET[machine]
    said = answer(machine, arch, socket, INET6, STREAM, protocol)
    assert said == ERRNO | errno.EPROTONOSUPPORT


@pytest.mark.parametrize("machine", SOCKET)
def test_unix_sockets_exist_as_pairs_only(machine: str) -> None:
    arch, _, socketpair = SOCKET[machine]
    assert answer(machine, arch, socketpair, UNIX, STREAM) == ALLOW
    assert answer(machine, arch, socketpair, UNIX, SEQPACKET | FLAGS) == ALLOW
    assert answer(machine, arch, socketpair, INET, STREAM) == ERRNO | errno.EPERM


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("kind", [DATAGRAM, DATAGRAM | FLAGS, RAW])
def test_no_pair_can_be_connected_anew(machine: str, kind: int) -> None:
    """The kernel makes a datagram socket of AF_UNIX and SOCK_RAW, too."""
    arch, _, socketpair = SOCKET[machine]
    assert answer(machine, arch, socketpair, UNIX, kind) == ERRNO | errno.EPERM


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("place", range(3), ids=["family", "type", "protocol"])
def test_the_upper_half_of_an_argument_changes_nothing(machine: str, place: int) -> None:
    """The kernel takes ints: AF_UNIX with garbage above it is still AF_UNIX."""
    arch, socket, _ = SOCKET[machine]
    good, bad = [INET, STREAM, 6], [UNIX, RAW, 132]
    arguments = [*good]
    arguments[place] = (good[place] << 32) | bad[place]
    assert answer(machine, arch, socket, *arguments) != ALLOW
    arguments[place] = (bad[place] << 32) | good[place]
    assert answer(machine, arch, socket, *arguments) == ALLOW


@pytest.mark.parametrize("machine", SOCKET)
def test_every_number_is_answered_as_the_tables_say(machine: str) -> None:
    """Also those next to one that is refused, and those that no kernel has yet."""
    column = syscalls.MACHINES[machine].column
    expected = {row[column]: ERRNO | errno.EPERM for row in syscalls.REFUSED.values()}
    expected |= {row[column]: ERRNO | errno.ENOSYS for row in syscalls.ABSENT.values()}
    examined = {row[column] for row in syscalls.EXAMINED.values()}
    for number in {*range(600)} - examined:
        usual = ALLOW if number <= syscalls.NEWEST else ERRNO | errno.ENOSYS
        said = answer(machine, SOCKET[machine][0], number, UNIX)
        assert said == expected.get(number, usual), number


@pytest.mark.parametrize("machine", SOCKET)
def test_a_usual_call_costs_few_comparisons(machine: str) -> None:
    """The program is a tree: as deep as it must be, whatever the number."""
    assert len(program(machine)) < 256, "a jump is one byte"
    assert len(syscalls.REFUSED) + len(syscalls.ABSENT) + len(syscalls.EXAMINED) < 1 << 7


CLONE = {"x86_64": 56, "aarch64": 220}
IOCTL = {"x86_64": 16, "aarch64": 29}


@pytest.mark.parametrize("machine", SOCKET)
def test_processes_and_threads_start_and_namespaces_do_not(machine: str) -> None:
    sigchld, pthread = 17, 0x3D0F00
    for flags in (sigchld, pthread, 0x80 | sigchld):
        assert answer(machine, SOCKET[machine][0], CLONE[machine], flags) == ALLOW
    for bit in (17, 25, 26, 27, 28, 29, 30):
        flags = 1 << bit | sigchld
        said = answer(machine, SOCKET[machine][0], CLONE[machine], flags)
        assert said == ERRNO | errno.EPERM, hex(flags)


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("upper", [0, 7 << 32])
def test_nothing_types_into_a_terminal(machine: str, upper: int) -> None:
    """CVE-2019-10063: the kernel looks at 32 bits of the command, whatever stands above."""
    arch, ioctl = SOCKET[machine][0], IOCTL[machine]
    for command in (0x5412, 0x541C):
        assert answer(machine, arch, ioctl, 0, upper | command) == ERRNO | errno.EPERM
    for command in (0x5401, 0x5413, 0x5414, 0x541B, 0x8912):
        assert answer(machine, arch, ioctl, 0, upper | command) == ALLOW


@pytest.mark.parametrize("machine", SOCKET)
def test_of_netlink_only_the_routing_kind_exists(machine: str) -> None:
    arch, socket, _ = SOCKET[machine]
    for kind in (RAW, DATAGRAM, RAW | FLAGS):
        assert answer(machine, arch, socket, NETLINK, kind, 0) == ALLOW
        for protocol in (4, 9, 10, 12, 15, 16):
            said = answer(machine, arch, socket, NETLINK, kind, protocol)
            assert said == ERRNO | errno.EPROTONOSUPPORT
    assert answer(machine, arch, socket, NETLINK, STREAM, 0) == ERRNO | errno.EPERM


@pytest.mark.parametrize("machine", SOCKET)
def test_where_somebody_judges_connects_unix_sockets_exist(machine: str) -> None:
    """Of streams. Datagrams could each go to another path, and packets nobody connects."""
    arch, socket, _ = SOCKET[machine]
    for kind, expected in (
        (STREAM | FLAGS, ALLOW),
        (SEQPACKET, ERRNO | errno.EPERM),
        (DATAGRAM, ERRNO | errno.EPERM),
        (RAW, ERRNO | errno.EPERM),
    ):
        assert answer(machine, arch, socket, UNIX, kind, unix_by_path=True) == expected
    assert answer(machine, arch, socket, INET, STREAM, unix_by_path=True) == ALLOW


def test_the_x32_numbers_are_no_way_around() -> None:
    assert answer("x86_64", X86, 0x40000000 | 41, UNIX) == ERRNO | errno.EPERM
    assert answer("x86_64", X86, 0x40000000 | 1) == ERRNO | errno.EPERM


@pytest.mark.parametrize("machine", SOCKET)
def test_a_foreign_architecture_is_killed(machine: str) -> None:
    """i386 has socketcall(2), whose arguments no filter can read."""
    assert answer(machine, I386, 102, 1) == KILL


def test_a_machine_without_a_filter_has_no_sandbox() -> None:
    assert is_supported("x86_64")
    assert is_supported("aarch64")
    assert not is_supported("riscv64")
