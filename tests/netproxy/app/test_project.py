"""Where a project's file is looked for, and in which content it counts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from netproxy.app.project import NAME, find, place_of, read, spelled_place
from netproxy.app.trust import TrustStore
from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "work" / "deep").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "state")


def put(folder: Path, text: str = "") -> Path:
    (folder / NAME).write_text(text)
    return folder / NAME


def trust(store: TrustStore, path: Path) -> None:
    store.add(place_of(path), read(path).digest)


def test_no_file_anywhere(home: Path, store: TrustStore) -> None:
    found = find(home / "work", home, store)
    assert (found.file, found.warnings) == (None, ())


def test_a_trusted_one_is_read_once(home: Path, store: TrustStore) -> None:
    path = put(home / "work", "# hello\n")
    trust(store, path)
    found = find(home / "work", home, store)
    assert found.file is not None
    assert (found.file.path, found.file.content) == (path, b"# hello\n")
    assert found.warnings == ()


def test_from_a_folder_below(home: Path, store: TrustStore) -> None:
    path = put(home / "work")
    trust(store, path)
    assert find(home / "work" / "deep", home, store).file is not None


def test_the_search_ends_at_home(home: Path, store: TrustStore) -> None:
    trust(store, put(home.parent))
    assert find(home / "work" / "deep", home, store).file is None
    assert find(home.parent, home, store).file is not None


def test_nothing_that_the_command_can_make_ends_it(home: Path, store: TrustStore) -> None:
    """A .git in its own folder would hide the denials of the file above."""
    trust(store, put(home / "work"))
    (home / "work" / "deep" / ".git").mkdir()
    assert find(home / "work" / "deep", home, store).file is not None


def test_an_unknown_one_is_passed_over_with_a_line(home: Path, store: TrustStore) -> None:
    path = put(home / "work")
    found = find(home / "work", home, store)
    assert found.file is None
    way_out = f"read it, then: netproxy trust {home / 'work'}"
    assert found.warnings == (f"{path} is not trusted, so it was not used; {way_out}",)


def test_an_unknown_one_does_not_hide_a_trusted_one_above(home: Path, store: TrustStore) -> None:
    trust(store, put(home / "work", "# above\n"))
    put(home / "work" / "deep", "# planted\n")
    found = find(home / "work" / "deep", home, store)
    assert found.file is not None
    assert found.file.content == b"# above\n"
    assert len(found.warnings) == 1


def test_a_changed_one_refuses(home: Path, store: TrustStore) -> None:
    path = put(home / "work", "a = 1\n")
    trust(store, path)
    put(home / "work", "a = 2\n")
    with pytest.raises(InvalidSettings, match=r"changed since it was trusted; .*netproxy trust /"):
        find(home / "work", home, store)
    put(home / "work", "a = 1\n")
    assert find(home / "work", home, store).file is not None


@pytest.mark.parametrize("below", ["", "deep"])
def test_one_that_is_gone_refuses(home: Path, store: TrustStore, below: str) -> None:
    path = put(home / "work")
    trust(store, path)
    path.unlink()
    with pytest.raises(InvalidSettings, match="was trusted and is gone"):
        find(home / "work" / below, home, store)


def test_what_keeps_another_runs_command_from_making_one_is_none(
    home: Path, store: TrustStore
) -> None:
    (home / "work" / NAME).mkdir()
    (home / "work" / NAME).chmod(0o1755)
    assert find(home / "work", home, store).warnings == ()


@pytest.mark.parametrize("kind", ["folder", "fifo", "link to nothing"])
@pytest.mark.parametrize("trusted", [True, False])
def test_what_is_no_file(home: Path, store: TrustStore, kind: str, trusted: bool) -> None:
    path = home / "work" / NAME
    if trusted:
        trust(store, put(home / "work"))
        path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")
    if trusted:
        with pytest.raises(InvalidSettings):
            find(home / "work", home, store)
    else:
        assert len(find(home / "work", home, store).warnings) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_another_users_file_is_not_read(home: Path, store: TrustStore) -> None:
    path = put(home / "work")
    trust(store, path)
    os.chown(path, 12345, 12345)
    with pytest.raises(InvalidSettings, match="belongs to another user"):
        find(home / "work", home, store)


def test_a_folder_is_the_same_by_any_name(home: Path, store: TrustStore) -> None:
    trust(store, put(home / "work"))
    (home / "link").symlink_to(home / "work")
    assert find(home / "link", home, store).file is not None
    assert place_of(home / "link") == place_of(home / "work") == place_of(home / "work" / NAME)


@pytest.mark.parametrize("moved", ["work/deep", "work"])
def test_a_link_in_place_of_a_trusted_folder_refuses(
    home: Path, store: TrustStore, moved: str
) -> None:
    """Moved away, its file deleted, and led to by the old name: its denials would be dropped."""
    path = put(home / "work" / "deep")
    trust(store, path)
    old, new = home / moved, home / "elsewhere"
    old.rename(new)
    old.symlink_to(new)
    path.unlink()
    with pytest.raises(InvalidSettings, match=f"{path}: was trusted, and its folder leads to "):
        find(home / "work" / "deep", home, store)
    store.remove(path)
    assert find(home / "work" / "deep", home, store).file is None


def test_a_link_elsewhere_is_nobodys_business(home: Path, store: TrustStore) -> None:
    trust(store, put(home / "work" / "deep"))
    (home / "work" / "deep").rename(home / "elsewhere")
    (home / "work" / "deep").symlink_to(home / "elsewhere")
    assert find(home / "work", home, store).file is None


def test_a_file_is_recorded_by_its_real_folder_and_found_by_its_old_name(home: Path) -> None:
    (home / "link").symlink_to(home / "work")
    assert place_of(home / "link") == home / "work" / NAME
    assert spelled_place(home / "link") == spelled_place(home / "link" / NAME)
    assert spelled_place(home / "link") == home / "link" / NAME


def test_a_store_that_cannot_be_read_stops_whoever_asks(home: Path, store: TrustStore) -> None:
    store.folder.mkdir()
    store.path.write_text("{")
    with pytest.raises(InvalidSettings, match="it is damaged"):
        find(home / "work", home, store)
