"""A changed file is seen however it was changed, and nothing that is no file is waited for."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netproxy.app.file_watch import (
    EMPTY,
    MISSING,
    NOT_A_FILE,
    REPLACED,
    TOO_LARGE,
    FileWatch,
    content_state,
    identify,
    is_content,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LATER_NS = 10_000_000_000


def state_of(text: str) -> str:
    return content_state(hashlib.sha256(text.encode()).hexdigest())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("one")
    return path


class Look:
    """A watch on one file that is so old; `reads` counts how often it was opened."""

    def __init__(self, path: Path, *, age_ns: int = LATER_NS, max_bytes: int = 100) -> None:
        self._path = path
        self._age_ns = age_ns
        self.reads = 0
        self.watch = FileWatch([path], wall_ns=self._now, max_bytes=max_bytes)

    def _now(self) -> int:
        self.reads += 1
        return self._path.stat().st_mtime_ns + self._age_ns

    def __call__(self, *, thorough: bool = False) -> str:
        return self.watch.look(thorough=thorough)[self._path]


def rewrite(path: Path) -> None:
    path.write_text("two!")


def replace(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text("two!")
    new.rename(path)


def replace_with_the_old_times(path: Path) -> None:
    times = path.stat()
    replace(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("change", [rewrite, replace, replace_with_the_old_times])
def test_a_change_is_seen(file: Path, change: Callable[[Path], None]) -> None:
    look = Look(file)
    assert look() == look() == state_of("one")
    change(file)
    assert look() == state_of("two!")


def test_a_folder_that_is_swapped_behind_a_link_is_seen(tmp_path: Path) -> None:
    """As Kubernetes does it: config.toml -> ..data/config.toml, ..data -> ..2026_01_01."""
    for name, text in (("..1", "one"), ("..2", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "config.toml").symlink_to("..data/config.toml")
    look = Look(tmp_path / "config.toml")
    assert look() == state_of("one")
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert look() == state_of("two")


@pytest.mark.parametrize(("age_ns", "reads"), [(0, 3), (1_900_000_000, 3), (LATER_NS, 1)])
def test_a_file_that_was_just_written_is_read_again(file: Path, age_ns: int, reads: int) -> None:
    """Stat can't tell a second write in the same tick of the file system's clock."""
    look = Look(file, age_ns=age_ns)
    assert look() == look() == look() == state_of("one")
    assert look.reads == reads
    assert look(thorough=True) == state_of("one")
    assert look.reads == reads + 1


def test_a_file_that_is_gone_or_never_was_is_missing(file: Path) -> None:
    look = Look(file)
    assert look() == state_of("one")
    file.unlink()
    assert look() == MISSING
    assert not is_content(MISSING)
    file.write_text("one")
    assert look() == state_of("one")
    assert Look(file / "below-a-file")() == MISSING


def test_an_empty_file_holds_no_settings_unless_it_did_before(file: Path) -> None:
    file.write_text("")
    assert Look(file)() == EMPTY == state_of("")
    assert not is_content(EMPTY)


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "device"])
def test_what_is_no_file_is_neither_read_nor_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(path))
        case _:
            path = Path(os.devnull)
    assert Look(path)() == NOT_A_FILE


def test_a_fifo_that_takes_a_files_place_before_it_is_opened_is_not_waited_for(file: Path) -> None:
    look = Look(file)
    file.unlink()
    os.mkfifo(file)
    assert look.watch._files[file]._read() == NOT_A_FILE


def test_a_file_without_end_is_not_read_to_its_end(file: Path) -> None:
    look = Look(file, max_bytes=3)
    assert look() == state_of("one")
    file.write_text("four")
    assert look() == TOO_LARGE


def test_what_may_not_be_read_is_called_by_the_errors_name(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert Look(tmp_path / "a")() == "ELOOP"
    if os.getuid() != 0:
        closed = tmp_path / "closed"
        closed.write_text("x")
        closed.chmod(0)
        assert Look(closed)() == "EACCES"


def test_no_other_file_will_do_in_a_pinned_ones_place(file: Path) -> None:
    pinned = identify([file], below=[str(file.parent)], not_below=[])
    watch = FileWatch([file], pinned=pinned)
    rewrite(file)
    assert watch.look()[file] == state_of("two!"), "still the same file"
    kept = file.with_suffix(".kept")
    kept.hardlink_to(file)
    replace(file)
    assert watch.look()[file] == REPLACED
    kept.rename(file)
    assert watch.look()[file] == state_of("two!")


def test_only_files_where_they_really_lie_are_identified(tmp_path: Path) -> None:
    for name in ("work", "work/hidden", "elsewhere"):
        (tmp_path / name).mkdir()
    real, hidden = tmp_path / "work" / "real.toml", tmp_path / "work" / "hidden" / "x.toml"
    other, link = tmp_path / "elsewhere" / "x.toml", tmp_path / "elsewhere" / "link.toml"
    for path in (real, hidden, other):
        path.write_text("x")
    link.symlink_to(real)
    found = identify(
        [real, hidden, other, link, tmp_path / "missing"],
        below=[str(tmp_path / "work")],
        not_below=[str(tmp_path / "work" / "hidden")],
    )
    assert set(found) == {real, link}
