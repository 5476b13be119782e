"""Links on the way are found where they really are, as far as they can be turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.links import links_on, links_to

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_each_link_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "first").symlink_to("real")
    (tmp_path / "real/second").symlink_to(tmp_path / "real/deep")
    (tmp_path / "real/deep/file").symlink_to("nowhere")
    way = tmp_path / "real/../first/second/file"
    names = [link.removeprefix(f"{tmp_path}/") for link in links_to(way)]
    assert names == ["first", "real/second", "real/deep/file"]
    assert list(links_to(tmp_path / "real/deep")) == []


def test_one_that_nobody_could_turn_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert list(links_to(tmp_path / "link")) == []
    assert list(links_on(tmp_path / "link")) == [tmp_path / "link"]


def test_a_circle_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.links._MAX_STEPS", 40)  # those there are take seconds
    (tmp_path / "circle").symlink_to("circle")
    assert set(links_to(tmp_path / "circle")) == {f"{tmp_path}/circle"}
