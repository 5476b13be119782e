from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from approvals.errors import StoreUnavailable
from approvals.store.connection import Connector

if TYPE_CHECKING:
    from pathlib import Path


def test_it_stays_open_while_the_file_is_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "approvals.db"
    connector = Connector(path)
    first = connector.connection()
    assert connector.connection() is first
    path.rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable, match="was removed or replaced"):
        connector.connection()
    again = connector.connection()
    assert again is not first
    assert path.exists()
    (tmp_path / "away").rename(path)
    with pytest.raises(StoreUnavailable, match="was removed or replaced"):
        connector.connection()
    connector.drop()
    connector.drop()


@pytest.mark.parametrize("is_reader", [False, True], ids=["writer", "reader"])
@pytest.mark.parametrize(
    "content",
    [b"not a database, " * 400, b"SQLite format 3\0" + b"\xff" * 8000],
    ids=["text", "garbage"],
)
def test_a_damaged_file_is_refused_and_kept(
    tmp_path: Path, content: bytes, *, is_reader: bool
) -> None:
    path = tmp_path / "approvals.db"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StoreUnavailable, match=r"is damaged .*; move it away"):
        Connector(path, is_reader=is_reader).connection()
    assert path.read_bytes() == content


def test_a_page_that_rotted_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "approvals.db"
    connector = Connector(path)
    connector.connection()
    connector.drop()
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 3 + 200] = b"\x5a" * 200
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="is damaged"):
        Connector(path).connection()
    assert path.read_bytes() == bytes(content)
