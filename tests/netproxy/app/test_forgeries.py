"""A program that answers lies where no command can write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from approvals.config import CommandSettings
from approvals.model import Scope
from netproxy.app.forgeries import refuse_own_answers
from sandbox.errors import PlanRefused
from sandbox.plan import Access, Mount, Plan

if TYPE_CHECKING:
    from pathlib import Path


def command(*argv: str) -> CommandSettings:
    return CommandSettings(name="desk", argv=argv, widest_scope=Scope.ONCE, environment=())


def plan(folder: Path) -> Plan:
    mounts = (
        Mount(Access.WRITE, str(folder / "work")),
        Mount(Access.HIDDEN, str(folder / "work/hidden")),
    )
    return Plan(mounts=mounts, working_directory=str(folder / "work"), identities={})


def test_where_it_may_lie(tmp_path: Path) -> None:
    for words in (("/usr/bin/true",), (f"{tmp_path}/other/desk", "work/desk", "-x")):
        refuse_own_answers([command(*words)], plan(tmp_path))
    refuse_own_answers([command(f"{tmp_path}/work/hidden/desk")], plan(tmp_path))


def test_where_it_may_not(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "to").symlink_to(tmp_path / "work")
    for path in ("work/desk", "work/../work/desk", "to/desk"):
        with pytest.raises(PlanRefused, match="answer its own questions"):
            refuse_own_answers([command("/bin/sh", f"{tmp_path}/{path}")], plan(tmp_path))
