"""Lines for people and for machines: each is one line, whatever it holds, and none can fail."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.log_settings import LogFormat, LogLevel, LogSettings
from otel.oplog import OperationalLog

JSON = LogSettings(format=LogFormat.JSON)
HOSTILE = 'a\x1b[2J\n{"level":"critical"}\u202e\x00\udcff'


def said(settings: LogSettings, *texts: str, **ids: str) -> str:
    stream = io.StringIO()
    log = OperationalLog.open(settings, "netproxy serve", stream).bound(
        {name.replace("__", "."): text for name, text in ids.items()}
    )
    for text in texts:
        log(text)
    return stream.getvalue()


def lines(*texts: str, **ids: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(JSON, *texts, **ids).splitlines()]


def test_people_read_what_they_always_read() -> None:
    out = said(LogSettings(), "listening on 127.0.0.1:1 (HTTP)", "warning: x", "netproxy: y")
    assert out == (
        "netproxy serve: listening on 127.0.0.1:1 (HTTP)\n"
        "netproxy serve: warning: x\n"
        "netproxy serve: y\n"
    )


def test_machines_get_one_object_a_line() -> None:
    news, warning, mistake = lines(
        "listening", "warning: x", "netproxy: y", service__instance__id="w-1", session__id="s-1"
    )
    assert news["event"] == "listening"
    assert (news["service.instance.id"], news["session.id"]) == ("w-1", "s-1")
    assert (news["level"], warning["level"], mistake["level"]) == ("info", "warning", "error")
    assert (warning["event"], mistake["event"]) == ("x", "y")
    assert news["logger"] == "netproxy.serve"
    assert news["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("level", "left"),
    [
        (LogLevel.DEBUG, 3), (LogLevel.INFO, 3), (LogLevel.WARNING, 2), (LogLevel.ERROR, 1),
        (LogLevel.CRITICAL, 0),
    ],
)  # fmt: skip
def test_a_level_leaves_out_what_is_below_it(level: LogLevel, left: int) -> None:
    for form in LogFormat:
        out = said(LogSettings(format=form, level=level), "a", "warning: b", "netproxy: c")
        assert out.count("\n") == left


def test_why_it_is_not_there_is_said_at_every_level() -> None:
    stream = io.StringIO()
    settings = LogSettings(level=LogLevel.CRITICAL)
    OperationalLog.open(settings, "netproxy serve", stream).failed("no disk")
    assert stream.getvalue() == "netproxy serve: no disk\n"


@pytest.mark.parametrize("form", list(LogFormat))
def test_hostile_text_stays_in_its_line(form: LogFormat) -> None:
    """A name that a client made up must not write lines of its own, or move a cursor."""
    out = said(LogSettings(format=form), HOSTILE, session__name=HOSTILE)
    assert out.count("\n") == 1
    assert out.removesuffix("\n").isprintable()
    out.encode()


@given(st.text())
def test_whatever_is_said_is_one_object(text: str) -> None:
    (line,) = lines(text)
    assert line["level"] in {"info", "warning", "error"}


def test_nobody_who_reads_keeps_nobody_from_being_served() -> None:
    closed = io.StringIO()
    closed.close()
    OperationalLog.open(JSON, "netproxy serve", closed)("said to nobody")


def test_a_broken_pipe_is_survived() -> None:
    story = (
        "import sys; from otel.oplog import *; from otel.log_settings import *; "
        "log = OperationalLog.open(LogSettings(), 'x'); sys.stdin.read(); log('a'); log('b'); "
        "sys.stdout.write('alive')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", story],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        process.stderr.close()
        out, _ = process.communicate("")
    assert out == "alive"
