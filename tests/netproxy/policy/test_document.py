"""The shape is strict, and its table of sections is the shape itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from netproxy.policy.document import SECTIONS, File


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({"default_profile": 3}, id="a number for a text"),
        pytest.param({"resolver": {"timeout_seconds": "3"}}, id="a text for a number"),
        pytest.param({"resolver": {"timeout_seconds": True}}, id="a truth for a number"),
        pytest.param({"resolver": {"timeout_seconds": float("nan")}}, id="no number at all"),
        pytest.param({"approvals": {"hold_seconds": float("inf")}}, id="no end"),
        pytest.param({"approvals": {"hold_seconds": 0}}, id="no time"),
        pytest.param({"profiles": []}, id="a list for a table"),
        pytest.param({"sandbox": {"write": "x"}}, id="a text for a list"),
        pytest.param({"nonsense": 1}, id="an unknown key"),
    ],
)
def test_nothing_is_converted(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        File.model_validate(raw)


def test_sections_name_every_table() -> None:
    """Whoever adds a table without a row here would lose its suggestions."""
    assert SECTIONS[()] is File
    sections = {path[0] for path in SECTIONS if path}
    tables = set(File.model_fields) - {"default_profile"}
    assert sections == tables
