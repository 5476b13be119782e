from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel import lines as module
from otel.chain import MAX_LINE
from otel.errors import JournalBroken
from otel.folders import START, Position, segment_name
from otel.lines import LineReader, position_before_last

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, *segments: bytes) -> None:
    for number, content in enumerate(segments, 1):
        (folder / segment_name(number)).write_bytes(content)


def data(folder: Path, start: Position = START) -> list[bytes]:
    return [line.data for line in LineReader(folder, start)]


def test_lines_of_all_segments_in_order(tmp_path: Path) -> None:
    fill(tmp_path, b"a\nbb\n", b"", b"c\n")
    assert data(tmp_path) == [b"a", b"bb", b"c"]


def test_half_a_line_waits(tmp_path: Path) -> None:
    fill(tmp_path, b"a\nhal")
    reader = LineReader(tmp_path)
    assert [line.data for line in reader] == [b"a"]
    fill(tmp_path, b"a\nhalf\n")
    assert [line.data for line in reader] == [b"half"]


def test_half_a_line_before_a_later_segment_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, b"a\nhal", b"b\n")
    assert data(tmp_path) == [b"a", b"b"]


def test_a_reader_goes_on_where_a_line_ended(tmp_path: Path) -> None:
    fill(tmp_path, b"a\nbb\n", b"c\n")
    ends = [line.end for line in LineReader(tmp_path)]
    assert [data(tmp_path, end) for end in ends] == [[b"bb", b"c"], [b"c"], []]


def test_long_lines_are_read_whole_and_endless_ones_refused(tmp_path: Path) -> None:
    long = b"x" * (module._CHUNK + 10)
    fill(tmp_path, b"a\n" + long + b"\nb\n")
    assert data(tmp_path) == [b"a", long, b"b"]
    fill(tmp_path, b"x" * (MAX_LINE + 1))
    with pytest.raises(JournalBroken):
        data(tmp_path)


@given(
    st.lists(st.lists(st.binary(max_size=5).filter(lambda b: b"\n" not in b), max_size=5)),
    st.integers(0, 30),
)
def test_the_last_lines_are_the_last_of_all(segments: list[list[bytes]], count: int) -> None:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, *(b"".join(line + b"\n" for line in lines) for lines in segments))
        everything = [line for lines in segments for line in lines]
        expected = everything[max(0, len(everything) - count) :]
        assert data(folder, position_before_last(folder, count)) == expected
