from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from otel.cursor import Cursor, exported, load, passed_by_all, save
from otel.folders import Position

if TYPE_CHECKING:
    from pathlib import Path

CURSOR = Cursor(segment=2, offset=30, seq=7, hash="ab")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert load(tmp_path, "ship-x") is None
    save(tmp_path, "ship-x", CURSOR)
    save(tmp_path, "ship-x", CURSOR)
    assert load(tmp_path, "ship-x") == CURSOR
    assert load(tmp_path, "ship-y") is None


def test_what_was_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "w-1").mkdir()
    assert exported(tmp_path, "w-1", "ship-x") == 0
    save(tmp_path / "w-1", "ship-x", CURSOR)
    assert exported(tmp_path, "w-1", "ship-x") == 7


@pytest.mark.parametrize(
    ("position", "passed"),
    [
        pytest.param(Position(1, 9999), True, id="earlier-segment"),
        pytest.param(Position(2, 30), True, id="there"),
        pytest.param(Position(2, 31), False, id="one-byte-more"),
        pytest.param(Position(3, 0), False, id="later-segment"),
    ],
)
def test_retention_asks_whether_a_place_was_passed(
    tmp_path: Path, position: Position, *, passed: bool
) -> None:
    save(tmp_path, "ship-x", CURSOR)
    assert passed_by_all(tmp_path, ["ship-x"], position) is passed


@pytest.mark.parametrize(
    ("first", "passed"),
    [
        pytest.param(Position(2, 0), True, id="with-the-segment"),
        pytest.param(Position(2, 10), False, id="within-it"),
        pytest.param(Position(3, 0), False, id="behind-it"),
    ],
)
def test_what_was_written_before_a_sink_was_configured_it_has_not(
    tmp_path: Path, first: Position, *, passed: bool
) -> None:
    later = replace(CURSOR, segment=4, first_segment=first.segment, first_offset=first.offset)
    save(tmp_path, "ship-x", later)
    assert passed_by_all(tmp_path, ["ship-x"], Position(2, 30)) is passed


def test_all_of_them_have_to_have_passed_it(tmp_path: Path) -> None:
    """One that never got anything, or whose cursor is damaged, has nothing."""
    save(tmp_path, "ship-x", CURSOR)
    assert passed_by_all(tmp_path, [], Position(9, 9))
    assert not passed_by_all(tmp_path, ["ship-x", "ship-y"], Position(1, 1))
    (tmp_path / "ship-y.cursor").write_text("{")
    assert not passed_by_all(tmp_path, ["ship-x", "ship-y"], Position(1, 1))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"segment":1}',
        b'{"segment":1,"offset":-1,"seq":1,"hash":""}',
        b'{"segment":"1","offset":0,"seq":1,"hash":""}',
        b'{"segment":1,"offset":0,"seq":1,"hash":null}',
        b'{"segment":1,"offset":0,"seq":1,"hash":"","x":1}',
        b"\xff",
    ],
)
def test_a_damaged_cursor_is_none(tmp_path: Path, content: bytes) -> None:
    """Then records are sent again, which costs nothing but time."""
    (tmp_path / "ship-x.cursor").write_bytes(content)
    assert load(tmp_path, "ship-x") is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    save(tmp_path, "ship-x", CURSOR)
    (tmp_path / "ship-y.cursor").symlink_to(tmp_path / "ship-x.cursor")
    assert load(tmp_path, "ship-y") is None
