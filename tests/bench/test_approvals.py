"""The benchmark runs; its figures are for whoever reads them on a quiet machine."""

from __future__ import annotations

import pytest

from bench import approvals as module
from bench.approvals import approvals
from bench.errors import BenchFailed


def test_few_questions_are_measured_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_LOOK_UPS", 10)
    monkeypatch.setattr(module, "BAR_RELEASE_MS", 1e9)
    monkeypatch.setattr(module, "BAR_CACHED_US", 0.0)
    with pytest.raises(BenchFailed, match="remembered answer, at most 0 us"):
        approvals(questions=110, waiters=2, rounds=1)
    out = capsys.readouterr().out
    for what in (
        "bare SQLite commit",
        "110 questions with 2",
        "decide to release",
        "100 answers",
        "revoke to cut",
    ):
        assert what in out
