"""Names and amounts of limits, and what they come to in the kernel's words."""

from __future__ import annotations

import resource
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import PlanRefused
from sandbox.limits import (
    KINDS,
    Limit,
    exceeded,
    laid_over,
    parse_limit,
    read_limit,
    refuse_unenforceable,
)
from sandbox.model import Exited, NotStarted, Signalled

PROCESSES = Limit(name="processes", amount=20)
SECONDS = Limit(name="cpu-seconds", amount=5)
BYTES = Limit(name="file-size", amount=1 << 20)


def test_the_numbers_are_this_kernels() -> None:
    assert {name: kind.resource for name, kind in KINDS.items()} == {
        "processes": resource.RLIMIT_NPROC,
        "memory": resource.RLIMIT_AS,
        "file-size": resource.RLIMIT_FSIZE,
        "open-files": resource.RLIMIT_NOFILE,
        "cpu-seconds": resource.RLIMIT_CPU,
    }


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("memory=512M", 512 << 20),
        ("memory=2G", 2 << 30),
        ("file-size=1T", 1 << 40),
        ("file-size=4096", 4096),
        ("open-files=64", 64),
        ("memory=9999999999999999999T", (1 << 62) - 1),
    ],
)
def test_an_amount_is_read(text: str, amount: int) -> None:
    assert parse_limit(text) == Limit(name=text.partition("=")[0], amount=amount)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("memory", "NAME=VALUE"),
        ("disk=2G", "no such limit; there are processes"),
        ("memory=2g", "K, M, G and T"),
        ("memory=0", "above 0"),
        ("memory=-1", "above 0"),
        ("memory=1.5G", "above 0"),
        ("memory= 1", "above 0"),
        ("memory=\u0661", "above 0"),
        ("memory=", "above 0"),
        ("processes=2K", "processes and threads"),
    ],
)
def test_anything_else_is_refused_with_what_it_should_be(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_limit(text)


@given(st.text())
def test_no_text_does_more_than_that(text: str) -> None:
    try:
        limit = read_limit("memory", text)
    except ValueError:
        return
    assert 0 < limit.amount < 1 << 62


def test_the_last_word_on_a_limit_holds() -> None:
    more = Limit(name="file-size", amount=2)
    assert laid_over((SECONDS, BYTES), (more,)) == (SECONDS, more)


def test_a_second_lies_between_the_word_and_the_end() -> None:
    """At the hard limit of CPU time the kernel sends SIGKILL, which could mean anything."""
    assert SECONDS.order() == "limit=0 5 6"
    assert BYTES.order() == "limit=1 1048576 1048576"


def test_a_limit_that_would_not_hold_is_refused() -> None:
    refuse_unenforceable((SECONDS,), is_root=True, is_fenced=False)
    refuse_unenforceable((PROCESSES,), is_root=False, is_fenced=True)
    with pytest.raises(PlanRefused, match="for root"):
        refuse_unenforceable((SECONDS, PROCESSES), is_root=True, is_fenced=True)
    with pytest.raises(PlanRefused, match="needs the sandbox"):
        refuse_unenforceable((PROCESSES,), is_root=False, is_fenced=False)


def test_what_ended_a_command_is_known_by_its_end() -> None:
    limits = (PROCESSES, SECONDS, BYTES)
    assert exceeded(limits, Signalled(signal=signal.SIGXCPU)) == SECONDS
    assert exceeded(limits, Exited(code=128 + signal.SIGXFSZ)) == BYTES
    assert exceeded(limits, Exited(code=1)) is None
    assert exceeded(limits, Signalled(signal=signal.SIGKILL)) is None
    assert exceeded((PROCESSES,), Signalled(signal=signal.SIGXCPU)) is None
    assert exceeded(limits, NotStarted(errno=2)) is None
