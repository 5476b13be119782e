"""The store keeps what was trusted, loses nothing, and trusts nothing that it can't read."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from netproxy.app.trust import TrustStore
from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = "1" * 64, "2" * 64


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "state")


def test_nothing_is_trusted_at_first(store: TrustStore) -> None:
    assert store.entries() == {}
    assert not store.folder.exists()


def test_several_contents_of_one_path(store: TrustStore, tmp_path: Path) -> None:
    store.add(tmp_path / "a", ONE)
    store.add(tmp_path / "a", OTHER)
    store.add(tmp_path / "b", ONE)
    found = store.entries()
    assert set(found[str(tmp_path / "a")]) == {ONE, OTHER}
    assert set(found[str(tmp_path / "b")]) == {ONE}
    assert found[str(tmp_path / "b")][ONE].endswith("Z")


def test_forgotten_with_all_its_contents(store: TrustStore, tmp_path: Path) -> None:
    store.add(tmp_path / "a", ONE)
    store.add(tmp_path / "b", ONE)
    assert store.remove(tmp_path / "a")
    assert not store.remove(tmp_path / "a")
    assert list(store.entries()) == [str(tmp_path / "b")]


def test_nobody_else_can_read_or_write_it(store: TrustStore, tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        store.add(tmp_path / "a", ONE)
    finally:
        os.umask(previous)
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_those_who_add_at_once_lose_nothing(store: TrustStore, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.add(tmp_path / str(number), ONE), range(40)))
    assert len(store.entries()) == 40


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("[]", id="a list"),
        pytest.param('{"version": 2, "files": {}}', id="a later version"),
        pytest.param('{"version": 1}', id="no files"),
        pytest.param('{"version": 1, "files": {"/a": ["x"]}}', id="no contents"),
        pytest.param('{"version": 1, "files": {"/a": {"x": "now"}}}', id="no hash"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_damaged_one_trusts_nothing_and_is_not_replaced(store: TrustStore, content: str) -> None:
    store.folder.mkdir()
    store.path.write_text(content)
    with pytest.raises(InvalidSettings, match="it is damaged; mend it, or remove it and trust"):
        store.entries()
    with pytest.raises(InvalidSettings, match="it is damaged"):
        store.add(store.folder / "a", ONE)
    assert store.path.read_text() == content


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(InvalidSettings, match="can't be"):
        TrustStore(tmp_path / "state").add(tmp_path / "a", ONE)


def test_what_is_written_is_json_that_people_can_read(store: TrustStore, tmp_path: Path) -> None:
    store.add(tmp_path / "a", ONE)
    assert json.loads(store.path.read_text())["version"] == 1
