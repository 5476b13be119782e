"""A name leads to the same session; without one, or without its store, there is a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.cli.run_options import parse_run
from netproxy.app.session_id import session_id_of
from netproxy.app.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from netproxy.app.settings import Settings


def settings(home: Path, *options: str) -> Settings:
    return load_settings(
        parse_run([*options, "--", "true"]),
        {"HOME": str(home)},
        managed_file=home / "absent",
        directory=home,
    )


def test_a_name_leads_to_the_same_session(tmp_path: Path) -> None:
    said: list[str] = []
    first = session_id_of(settings(tmp_path, "--session", "build"), said.append)
    assert session_id_of(settings(tmp_path, "--session", "build"), said.append) == first
    assert session_id_of(settings(tmp_path, "--session", "other"), said.append) != first
    assert not said


def test_without_a_name_each_run_has_its_own(tmp_path: Path) -> None:
    one = settings(tmp_path)
    assert session_id_of(one, print) != session_id_of(one, print)
    assert not (tmp_path / ".local").exists()


def test_who_asks_nobody_opens_no_store(tmp_path: Path) -> None:
    one = settings(tmp_path, "--session", "build", "--ask", "never")
    assert session_id_of(one, print) != session_id_of(one, print)
    assert not (tmp_path / ".local").exists()


def test_a_store_that_is_lost_is_said_and_the_session_begins_anew(tmp_path: Path) -> None:
    one = settings(tmp_path, "--session", "build")
    assert one.approvals.store is not None
    one.approvals.store.mkdir(parents=True)
    said: list[str] = []
    assert session_id_of(one, said.append).startswith("s-")
    (line,) = said
    assert line.startswith("warning: the session build begins anew: ")
