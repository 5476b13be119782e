"""The numbers of system calls: each stands once, and is what this kernel's own headers say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.linux.syscalls import ABSENT, EXAMINED, MACHINES, NEWEST, REFUSED, number_of

_HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def test_a_call_has_one_number_and_one_answer() -> None:
    for machine in MACHINES:
        names = [*ABSENT, *REFUSED, *EXAMINED]
        numbers = [number for name in names if (number := number_of(name, machine)) is not None]
        assert len(numbers) == len(set(numbers))
        assert max(numbers) <= NEWEST
    assert number_of("iopl", "aarch64") is None


@pytest.mark.parametrize("machine", _HEADERS)
def test_they_are_those_of_the_headers(machine: str) -> None:
    """Older headers don't have the newest calls."""
    if not _HEADERS[machine].exists():
        pytest.skip(f"{_HEADERS[machine]} is not installed")
    pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"
    known = dict(re.findall(pattern, _HEADERS[machine].read_text(encoding="utf-8")))
    for name in {*ABSENT, *REFUSED, *EXAMINED} & known.keys():
        assert number_of(name, machine) == int(known[name]), name
    missing = {*ABSENT, *REFUSED, *EXAMINED} - known.keys() - {"open_tree_attr"}
    assert missing == {name for name in missing if number_of(name, machine) is None}
