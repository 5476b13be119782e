"""docs/audit.md: its table is the catalogue, and each command that it shows works."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli import audit
from netproxy.policy.audit_tables import Audit
from tests.support.auditing import write_two_runs
from tests.support.event_table import PAGE, with_table

if TYPE_CHECKING:
    from pathlib import Path

TEXT = PAGE.read_text()
COMMANDS = [
    line.removeprefix("$ netproxy audit ")
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]


def test_the_table_is_the_catalogue() -> None:
    """Make it again with: .venv/bin/python -m tests.support.event_table."""
    assert with_table(TEXT) == TEXT


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "netproxy" / "audit"
    folder.mkdir(parents=True, mode=0o700)
    write_two_runs(folder)
    assert audit.main(shlex.split(command)) == 0


def test_every_verb_has_its_place() -> None:
    assert [verb for verb in audit.VERBS if f"netproxy audit {verb}" not in TEXT] == []


def test_every_setting_has_a_row() -> None:
    settings = re.search(r"^## Settings$(.*?)^## ", TEXT, re.DOTALL | re.MULTILINE)
    assert settings is not None
    rows = [row.split("|")[1] for row in settings[1].splitlines() if row.startswith("| `")]
    named = {
        key.removeprefix("[[audit.").rstrip("]") for key in re.findall(r"`([^`]*)`", "".join(rows))
    }
    assert named == set(Audit.model_fields)


def test_it_has_no_empty_section() -> None:
    assert re.findall(r"^## .*\n+(?=## )", TEXT, re.MULTILINE) == []
