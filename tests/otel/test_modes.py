from __future__ import annotations

from otel import AuditMode


def test_their_names_are_those_of_the_settings() -> None:
    assert [mode.value for mode in AuditMode] == ["written", "strict", "best_effort"]
