"""The monitor's reports are numbers within their bounds, or nothing."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model import Exited, NotStarted, Signalled
from sandbox.reports import Reports, Stopped


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        pytest.param([b"x0"], Exited(code=0), id="an-end"),
        pytest.param([b"x768"], Exited(code=3), id="a-status"),
        pytest.param([b"x9"], Signalled(signal=9), id="a-signal"),
        pytest.param([b"e2", b"x65280"], NotStarted(errno=2), id="not-found"),
        pytest.param([b"t%d" % signal.SIGTSTP], Stopped(signal.SIGTSTP), id="a-stop"),
        pytest.param([b"t9"], None, id="no-stop"),
        pytest.param([b"x127"], None, id="stopped-is-no-end"),
        pytest.param([b"x70000"], None, id="more-than-16-bits"),
        pytest.param([b"x123456"], None, id="too-many-digits"),
        pytest.param([b"x-1"], None, id="negative"),
        pytest.param([b"x"], None, id="no-number"),
        pytest.param([b"e2"], None, id="not-yet"),
        pytest.param([b"?1"], None, id="another-letter"),
        pytest.param([b""], None, id="nothing"),
    ],
)
def test_what_is_read(messages: list[bytes], found: object) -> None:
    reports = Reports()
    assert [reports.read(message) for message in messages][-1] == found


@given(st.lists(st.binary(max_size=64), max_size=4))
def test_any_bytes_are_read(messages: list[bytes]) -> None:
    reports = Reports()
    for message in messages:
        match reports.read(message):
            case Exited(code=code):
                assert 0 <= code < 256
            case Stopped(signal=number):
                assert number in {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
            case Signalled() | NotStarted() | None:
                pass
