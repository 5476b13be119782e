"""The filter, executed by a small interpreter of classic BPF: what each call is answered."""

from __future__ import annotations

import errno
import struct

import pytest

from sandbox.linux.seccomp import is_supported, socket_filter

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003
UNIX, INET, INET6, NETLINK, PACKET, ALG, VSOCK = 1, 2, 10, 16, 17, 38, 40
STREAM, DATAGRAM, RAW, SEQPACKET, DCCP = 1, 2, 3, 5, 6
FLAGS = 0o2000000 | 0o4000  # SOCK_CLOEXEC | SOCK_NONBLOCK


def answer(machine: str, arch: int, number: int, *arguments: int) -> int:
    """Run the program on a struct seccomp_data, as the kernel does."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=IIQ6Q", number, arch, 0, *padded)
    program = list(struct.iter_unpack("=HBBI", socket_filter(machine)))
    accumulator, place = 0, 0
    while True:
        code, when_true, when_false, value = program[place]
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
@pytest.mark.parametrize("family", [0, UNIX, NETLINK, PACKET, ALG, VSOCK, 255])
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


@pytest.mark.parametrize(
    ("machine", "number"),
    [("x86_64", 248), ("x86_64", 249), ("x86_64", 250), ("aarch64", 217), ("aarch64", 219)],
)
def test_key_rings_do_not_exist(machine: str, number: int) -> None:
    """They are the host's: no namespace holds them."""
    assert answer(machine, SOCKET[machine][0], number) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize(
    ("machine", "number", "place"),
    [
        ("x86_64", 101, 1),
        ("x86_64", 310, 0),
        ("x86_64", 311, 0),
        ("aarch64", 117, 1),
        ("aarch64", 270, 0),
        ("aarch64", 271, 0),
    ],
)
def test_init_is_not_traced_and_everybody_else_may_be(
    machine: str, number: int, place: int
) -> None:
    """The kernel takes a pid_t: what stands above 32 bits does not count."""
    arch = SOCKET[machine][0]
    for pid, expected in ((1, ERRNO | errno.EPERM), (1 | 7 << 32, ERRNO | errno.EPERM), (2, ALLOW)):
        arguments = [16, 16]
        arguments[place] = pid
        assert answer(machine, arch, number, *arguments) == expected


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("number", [425, 426, 427])
def test_io_uring_does_not_exist(machine: str, number: int) -> None:
    """IORING_OP_SOCKET makes sockets without socket(2)."""
    assert answer(machine, SOCKET[machine][0], number) == ERRNO | errno.ENOSYS


def test_the_x32_numbers_are_no_way_around() -> None:
    assert answer("x86_64", X86, 0x40000000 | 41, UNIX) == ERRNO | errno.EPERM
    assert answer("x86_64", X86, 0x40000000 | 1) == ERRNO | errno.EPERM


@pytest.mark.parametrize("machine", SOCKET)
def test_a_foreign_architecture_is_killed(machine: str) -> None:
    """i386 has socketcall(2), whose arguments no filter can read."""
    assert answer(machine, I386, 102, 1) == KILL


@pytest.mark.parametrize("machine", SOCKET)
@pytest.mark.parametrize("number", [0, 1, 59, 202, 257])
def test_everything_else_is_allowed(machine: str, number: int) -> None:
    assert answer(machine, SOCKET[machine][0], number, UNIX) == ALLOW


def test_a_machine_without_a_filter_has_no_sandbox() -> None:
    assert is_supported("x86_64")
    assert is_supported("aarch64")
    assert not is_supported("riscv64")
