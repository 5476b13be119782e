"""kill -9 while it decides: what a gateway has dialled is on record. `make soak` does it often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.killing import checked, killed
from otel import AuditMode

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("mode", AuditMode)
def test_whatever_was_dialled_is_on_record(tmp_path: Path, mode: AuditMode) -> None:
    outcome = killed(tmp_path, mode, connections=600, seed=1)
    assert outcome.recorded, "it was killed before its first decision"
    assert not outcome.unrecorded
    assert checked(tmp_path / "audit") >= len(outcome.dialled)
