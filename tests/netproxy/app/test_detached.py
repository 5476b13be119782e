"""Somebody outside puts another file where the command sees a mount of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.app import detached
from netproxy.app.detached import look, told
from otel.values import replace
from sandbox.model import Part
from sandbox.plan import Access, Mount, Plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "config").write_text("ours")
    (tmp_path / "keys").mkdir()
    return Plan(
        mounts=(
            Mount(Access.READ, "/"),
            Mount(Access.WRITE, str(tmp_path)),
            Mount(Access.READ, f"{tmp_path}/config"),
            Mount(Access.HIDDEN, f"{tmp_path}/keys"),
            Mount(Access.READ, f"{tmp_path}/kept-out"),
        ),
        working_directory=str(tmp_path),
        identities={},
        missing=(Part(f"{tmp_path}/kept-out"),),
    )


def test_what_is_written_in_place_stays_closed(plan: Plan, tmp_path: Path) -> None:
    before = look(plan)
    (tmp_path / "config").write_text("theirs")
    (tmp_path / "keys/new").touch()
    assert list(told(plan, before)) == []


def test_another_file_by_that_name_is_told(plan: Plan, tmp_path: Path) -> None:
    before = look(plan)
    (tmp_path / "new").write_text("theirs")
    (tmp_path / "new").rename(tmp_path / "config")
    (said,) = told(plan, before)
    assert said.startswith(f"{tmp_path}/config was put there from outside while the command ran")


def test_what_its_launcher_removes_just_now_is_not_told(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes_while_it_is_looked_at(path: str) -> bool:
        (tmp_path / path).rmdir()
        return False

    (tmp_path / "kept-out").mkdir(mode=0o1755)
    monkeypatch.setattr(detached, "is_mount_point", goes_while_it_is_looked_at)
    assert list(told(plan, look(plan))) == []


def test_one_that_got_the_number_of_the_first_is_another(plan: Plan, base: Path) -> None:
    """As after git config, twice: the first file's inode is free by then."""
    path = base / "config"
    plan = replace(plan, mounts=(*plan.mounts[:1], *_open_but(base, path)))
    path.write_text("ours")
    before = look(plan)
    for _ in range(50):
        (base / "lock").write_text("theirs")
        (base / "lock").rename(path)
        assert list(told(plan, before)) != []


def _open_but(folder: Path, path: Path) -> tuple[Mount, Mount]:
    return Mount(Access.WRITE, str(folder)), Mount(Access.READ, str(path))


def test_so_is_what_took_the_place_of_a_folder_that_was_removed(plan: Plan, tmp_path: Path) -> None:
    before = look(plan)
    (tmp_path / "kept-out").mkdir()
    (tmp_path / "keys").rename(tmp_path / "old")
    assert list(told(plan, before)) != []
    (tmp_path / "keys").mkdir()
    said = list(told(plan, before))
    assert [line.partition(" ")[0] for line in said] == [
        f"{tmp_path}/keys", f"{tmp_path}/kept-out",
    ]  # fmt: skip


def test_what_is_gone_holds_nothing_to_look_at(plan: Plan, tmp_path: Path) -> None:
    before = look(plan)
    (tmp_path / "config").unlink()
    assert list(told(plan, before)) == []


def test_the_mount_point_of_a_run_is_nobodys(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "kept-out").mkdir()
    (tmp_path / "kept-out").chmod(0o1555)
    assert list(told(plan, look(plan))) == []


def test_hidden_in_what_is_read_only_it_could_be_seen(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    plan = Plan(
        mounts=(Mount(Access.READ, "/"), Mount(Access.HIDDEN, f"{tmp_path}/keys")),
        working_directory="/",
        identities={},
    )
    (said,) = told(plan, {})
    assert "could see it from then on" in said
