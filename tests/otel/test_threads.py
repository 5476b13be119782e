"""A thread that can't be had is a record that can't be written."""

from __future__ import annotations

import threading

import pytest

from otel import AuditUnavailable
from otel.threads import started
from tests.support.loops import PATIENCE_SECONDS


def test_it_runs() -> None:
    done = threading.Event()
    thread = started("test", done.set)
    assert done.wait(PATIENCE_SECONDS)
    assert (thread.name, thread.daemon) == ("test", True)


def test_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(AuditUnavailable, match="ulimit -u") as caught:
        started("test", print)
    assert caught.value.error_type == "EAGAIN"
