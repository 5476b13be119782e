from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from otel import segment as module
from otel.folders import segment_name
from otel.segment import WriterFolder, open_last

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("content", "size", "torn", "last"),
    [
        pytest.param(b"", 0, 0, None, id="empty"),
        pytest.param(b"a\n", 2, 0, b"a", id="one"),
        pytest.param(b"a\nbb\n", 5, 0, b"bb", id="two"),
        pytest.param(b"a\nbb", 2, 2, b"a", id="torn"),
        pytest.param(b"bb", 0, 2, None, id="only-torn"),
        pytest.param(b"\n", 1, 0, b"", id="empty-line"),
        pytest.param(
            b"a\n" + b"x" * 3 * module._BLOCK + b"\n" + b"\0" * module._BLOCK,
            3 * module._BLOCK + 3,
            module._BLOCK,
            b"x" * 3 * module._BLOCK,
            id="long-line-and-zeros",
        ),
    ],
)
def test_the_tail(tmp_path: Path, content: bytes, size: int, torn: int, last: bytes | None) -> None:
    path = tmp_path / segment_name(1)
    path.write_bytes(content)
    path.chmod(0o600)
    folder = os.open(tmp_path, os.O_RDONLY)
    segment, tail = open_last(folder)
    assert (tail.size, tail.torn_bytes, tail.last_line) == (size, torn, last)
    assert path.stat().st_size == size
    segment.write(b"next\n")
    assert path.read_bytes()[size:] == b"next\n"
    segment.close()
    os.close(folder)


def test_only_the_newest_segment_is_written(tmp_path: Path) -> None:
    for number, content in ((1, b"a\n"), (2, b"b\n")):
        (tmp_path / segment_name(number)).write_bytes(content)
        (tmp_path / segment_name(number)).chmod(0o600)
    folder = os.open(tmp_path, os.O_RDONLY)
    segment, tail = open_last(folder)
    assert (tail.number, tail.last_line) == (2, b"b")
    segment.close()
    os.close(folder)


def test_a_segment_is_begun_once(folder: int) -> None:
    shelf = WriterFolder(os.dup(folder))
    begun = shelf.begin(7)
    begun.write(b"first\n")
    begun.close()
    with pytest.raises(FileExistsError):
        shelf.begin(7)
    shelf.close()


def test_a_segment_is_read_and_cut_through_a_descriptor_of_its_own(folder: int) -> None:
    shelf = WriterFolder(os.dup(folder))
    begun = shelf.begin(1)
    begun.write(b"first\nsecond\nthird\n")
    assert shelf.last_line(1, 13) == b"second"
    assert shelf.last_line(1, 500) is None
    shelf.cut_back(1, 13)
    begun.write(b"more\n")
    begun.close()
    assert shelf.last_line(1, 18) == b"more"
    with pytest.raises(FileNotFoundError):
        shelf.cut_back(2, 0)
    shelf.close()
