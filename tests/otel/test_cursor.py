from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel.cursor import Cursor, load, save, sink_name

if TYPE_CHECKING:
    from pathlib import Path

CURSOR = Cursor(segment=2, offset=30, seq=7, hash="ab")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert load(tmp_path, "ship-x") is None
    save(tmp_path, "ship-x", CURSOR)
    save(tmp_path, "ship-x", CURSOR)
    assert load(tmp_path, "ship-x") == CURSOR
    assert load(tmp_path, "ship-y") is None


def test_the_endpoint_is_not_in_the_file_name() -> None:
    assert "collector" not in sink_name("http://collector/v1/logs")
    assert sink_name("http://a") != sink_name("http://b")


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
