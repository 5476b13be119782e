"""`netproxy audit` as a test calls it, and a small journal to call it on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from netproxy.app.cli import audit
from otel import AuditTrail, Journal, Value
from otel.events import GatewayStopped
from tests.support.journals import SteppingClock, decision

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    type Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *words: object) -> tuple[int, str, str]:
    status = audit.main([str(word) for word in words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def usage_error(capsys: Capture, *words: object) -> str:
    """One line, and 64."""
    try:
        status = audit.main([str(word) for word in words])
    except SystemExit as error:
        status = int(error.code or 0)
    captured = capsys.readouterr()
    assert status == 64
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def write_two_runs(directory: Path) -> Path:
    """Four records at 03:04:05.679 to .682, of two runs in two sessions."""
    journal = Journal.open(directory, clock=SteppingClock())
    first: dict[str, Value] = {"execution.id": "r-1", "session.id": "s-1"}
    second: dict[str, Value] = {
        "execution.id": "r-2",
        "session.id": "s-2",
        "netproxy.session.name": "mine",
    }
    AuditTrail(journal, first).record(decision("a.example"))
    AuditTrail(journal, first).record(decision("b.example", decision="allow"))
    AuditTrail(journal, second).record(decision("a.example", decision="allow"))
    AuditTrail(journal, second).record(GatewayStopped())
    journal.close()
    return directory


class Terminal:
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def program(*words: object) -> list[str]:
    script = "import sys; from netproxy.app.cli import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", script, "audit", *map(str, words)]
