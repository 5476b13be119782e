"""docs/approvals.md: its tables of settings name every key, with the default that holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from approvals import Config
from netproxy.policy.approval_tables import Approvals, AutoTable, CommandTable, WebhookTable
from tests.support.people import ROOT

if TYPE_CHECKING:
    from pydantic import BaseModel

PAGE = (ROOT / "docs/approvals.md").read_text()


def table(head: str) -> dict[str, str]:
    """Every key of a table, and what is said to be its default."""
    rows = re.search(
        rf"^\| {re.escape(head)} \|.*?\n\|[-|]+\|\n(.*?)\n\n", PAGE + "\n", re.DOTALL | re.MULTILINE
    )
    assert rows is not None
    cells = [line.strip("| ").split(" | ") for line in rows[1].splitlines()]
    return {key: default for keys, default, _ in cells for key in re.findall(r"`([^`]*)`", keys)}


def said(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_the_settings_of_the_service() -> None:
    rows = table("key")
    tables = {"webhook", "command", "auto"}
    keys = {key for key in rows if not key.startswith("[[")}
    assert keys == said(Approvals) - tables
    assert {f"[[approvals.{name}]]" for name in tables} == set(rows) - keys
    config = Config()
    for key in ("hold_seconds", "answerable_seconds", "lease_seconds", "max_pending", "max_new"):
        assert rows[key] == f"{getattr(config, key):g}"


@pytest.mark.parametrize(
    ("name", "model"), [("webhook", WebhookTable), ("command", CommandTable), ("auto", AutoTable)]
)
def test_the_settings_of_those_who_answer(name: str, model: type[BaseModel]) -> None:
    rows = table(f"key of `[[approvals.{name}]]`")
    assert set(rows) == said(model)
    for key, field in model.model_fields.items():
        if field.is_required():
            assert rows[key] == "none: it is needed"
        elif key in {"max_scope", "scope"}:
            assert rows[key] == f'`"{field.default}"`'
        elif isinstance(field.default, float):
            assert rows[key] == f"{field.default:g}"
