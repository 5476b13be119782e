"""The second filter, instruction by instruction: what waits, what is refused, what passes."""

from __future__ import annotations

import errno
import struct
from functools import cache

import pytest

from sandbox.linux.notify_filter import calls_of, notify_filter, notify_order

ALLOW, NOTIFY, KILL = 0x7FFF0000, 0x7FC00000, 0x80000000
NO_OPTION = 0x00050000 | errno.ENOPROTOOPT
MACHINES = ("x86_64", "aarch64")


@cache
def program_of(machine: str) -> list[tuple[int, ...]]:
    return list(struct.iter_unpack("=HBBI", notify_filter(machine)))


def outcome(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Run the program on one system call, as the kernel does."""
    program = program_of(machine)
    arch = calls_of(machine).architecture if architecture is None else architecture
    six = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, arch, 0, *six)
    at = value = 0
    while True:
        code, when_true, when_false, operand = program[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("=I", data, operand)
            case 0x15:
                at += when_true if value == operand else when_false
            case 0x35:
                at += when_true if value >= operand else when_false
            case 0x06:
                return int(operand)
            case _:
                pytest.fail(f"instruction {code:#x}")


@pytest.mark.parametrize("machine", MACHINES)
def test_only_connect_and_bind_wait(machine: str) -> None:
    calls = calls_of(machine)

    waiting = {number for number in range(600) if outcome(machine, number) == NOTIFY}
    passing = {number for number in range(600) if outcome(machine, number) == ALLOW}

    assert waiting == {calls.connect, calls.bind}
    assert passing == set(range(600)) - waiting
    assert outcome(machine, calls.connect, architecture=0x40000003) == KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("call", ["setsockopt", "getsockopt"])
def test_nobody_is_told_of_the_process_behind_the_broker(machine: str, call: str) -> None:
    number = getattr(calls_of(machine), call)

    refused = {
        (level, option)
        for level in (0, 1, 6, 41)
        for option in range(100)
        if outcome(machine, number, 3, level, option) == NO_OPTION
    }

    assert refused == {(1, 76), (1, 77)}
    assert outcome(machine, number, 3, 1, 76 | 1 << 32) == NO_OPTION, "the kernel ignores that half"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_socket_does_not_tell_of_the_interfaces_of_its_network(machine: str) -> None:
    number = calls_of(machine).ioctl

    refused = {
        request
        for request in range(0x5400, 0x9000)
        if outcome(machine, number, 3, request) == 0x00050000 | errno.ENOTTY
    }

    assert refused == set(range(0x8910, 0x8C00))
    assert {outcome(machine, number, 3, 0x541B), outcome(machine, number, 3, 0x8905)} == {ALLOW}


def test_the_monitor_is_told_call_and_program() -> None:
    name, _, words = notify_order("aarch64").partition("=")
    assert (name, words.split()) == ("notify", ["277", notify_filter("aarch64").hex()])
