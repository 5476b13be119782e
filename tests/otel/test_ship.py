"""The exporter's command line. What it does as a process: tests/faults/test_audit_export.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel import ship
from otel.sinks import SINKS_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path


def test_a_writer_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ship.main(["--directory", "/a"])
    assert "--writer" in capsys.readouterr().err


def test_without_a_sink_there_is_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ship, "detach", lambda: None)
    monkeypatch.delenv(SINKS_VARIABLE, raising=False)
    assert ship.main(["--directory", str(tmp_path), "--writer", "w-1"]) == 0
