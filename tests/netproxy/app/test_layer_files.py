"""The managed file is the administrator's, or the run does not start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from netproxy.app.layer_files import LayerFiles, Managed, read_files
from netproxy.errors import InvalidSettings
from netproxy.policy.origin import Layer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "requirements.toml"


def look(path: Path, owner: int | None = None) -> LayerFiles:
    return read_files(
        config=None,
        with_project=True,
        directory=path.parent,
        home=path.parent,
        environ={},
        managed=Managed(path=path, owner=os.getuid() if owner is None else owner),
    )


def refused(path: Path, owner: int | None = None) -> str:
    with pytest.raises(InvalidSettings) as raised:
        look(path, owner)
    (problem,) = raised.value.problems
    return problem


def test_no_file_at_all(path: Path) -> None:
    found = look(path)
    assert (found.user, found.project, found.bounds) == (None, None, None)
    assert (found.sources, found.warnings) == ((), ())


def test_it_is_a_source_like_the_others(path: Path) -> None:
    path.write_text("")
    (source,) = look(path).sources
    assert (source.path, source.layer) == (path, Layer.MANAGED)
    assert source.sha256.startswith("e3b0c44298fc1c14")


def test_through_a_link_that_somebody_swaps(path: Path) -> None:
    real = path.parent / "..data"
    real.mkdir()
    (real / "requirements.toml").write_text("[network]\nmay_ask = false\n")
    path.symlink_to(real / "requirements.toml")
    bounds = look(path).bounds
    assert bounds is not None
    assert bounds.forbids_asking


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_one_that_others_can_write_is_not_the_administrators(path: Path, mode: int) -> None:
    path.write_text("")
    path.chmod(mode)
    assert "nobody else may be able to write it" in refused(path)


def test_one_of_another_owner_is_not_the_administrators(path: Path) -> None:
    path.write_text("")
    assert "must belong to root" in refused(path, owner=os.getuid() + 1)


def test_what_is_no_file(path: Path) -> None:
    path.symlink_to("nowhere")
    assert "is a link to nothing" in refused(path)
    path.unlink()
    path.mkdir()
    assert "is not a regular file" in refused(path)
    path.rmdir()
    os.mkfifo(path)
    assert "is not a regular file" in refused(path)
    path.unlink()
    path.symlink_to(path)
    assert "too many levels" in refused(path)


@pytest.mark.usefixtures("no_override")
def test_one_that_we_may_not_read_stops_us(path: Path) -> None:
    path.write_text("")
    path.chmod(0)
    assert "permission denied" in refused(path)


def test_no_variable_moves_it(path: Path) -> None:
    """Every name that could be meant for it, pointing at a folder with a wide-open file."""
    path.write_text("[network]\nallow = []\n")
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "requirements.toml").write_text("")
    names = ("XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "NETPROXY_CONFIG", "NETPROXY_REQUIREMENTS")
    found = read_files(
        config=None,
        with_project=False,
        directory=path.parent,
        home=elsewhere,
        environ=dict.fromkeys(names, str(elsewhere)),
        managed=Managed(path=path, owner=os.getuid()),
    )
    assert found.bounds is not None
    assert found.bounds.allow is not None


def test_the_problems_of_all_files_come_together(path: Path) -> None:
    path.write_text("a = 1\n")
    user = path.parent / ".config" / "netproxy" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text("b = 1\n")
    with pytest.raises(InvalidSettings) as raised:
        look(path)
    assert [line.partition(" ")[0] for line in raised.value.problems] == [
        f"{path}:1:1",
        f"{user}:1:1",
    ]
