from __future__ import annotations

import json
import shutil
import subprocess  # what a start loads
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel import heads, keys
from otel.errors import JournalBroken
from otel.folders import Position
from otel.heads import Left
from tests.support.evidence import signed_journal
from tests.support.journals import segment_of

if TYPE_CHECKING:
    from pathlib import Path

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
FIELDS = ["segment", "offset", "number", "seq", "line", "seal"]
LINE = '{"a":"é"}'.encode()


def saved(directory: Path) -> keys.SigningKey:
    key = keys.open_key(directory, None)
    heads.save(directory, WRITER, key, end=Position(2, 300), left=Left(4, 9), line=LINE)
    return key


def test_a_head_is_remembered(tmp_path: Path) -> None:
    key = saved(tmp_path)
    head = heads.load(tmp_path, WRITER)
    assert head is not None
    assert (head.segment, head.offset, head.left, head.line) == (2, 300, (4, 9), LINE)
    assert head.is_sealed_by(key)
    assert heads.remembered(tmp_path) == [WRITER]


def test_the_seal_covers_all_of_it(tmp_path: Path) -> None:
    key = saved(tmp_path)
    head = heads.load(tmp_path, WRITER)
    assert head is not None
    for changed in (
        head._replace(segment=3),
        head._replace(offset=301),
        head._replace(left=Left(5, 9)),
        head._replace(left=Left(4, 8)),
        head._replace(line=LINE + b" "),
        head._replace(seal="0" * 64),
    ):
        assert not changed.is_sealed_by(key)
    assert not head.is_sealed_by(keys.open_key(tmp_path / "other", None))


def test_without_one_there_is_none(tmp_path: Path) -> None:
    assert heads.load(tmp_path, WRITER) is None
    assert heads.remembered(tmp_path) == []


def test_one_that_can_not_be_read_is_none_to_go_on_with(tmp_path: Path) -> None:
    path = tmp_path / "heads" / WRITER
    path.mkdir(parents=True)
    assert heads.load(tmp_path, WRITER) is None
    with pytest.raises(JournalBroken):
        heads.read(tmp_path, WRITER)
    shutil.rmtree(path.parent)
    path.parent.touch()
    with pytest.raises(NotADirectoryError):
        heads.remembered(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_rubbish_is_no_head_and_does_no_harm(tmp_path: Path, content: bytes) -> None:
    saved(tmp_path)
    (tmp_path / "heads" / WRITER).write_bytes(content)
    head = heads.load(tmp_path, WRITER)
    assert head is None or not head.is_sealed_by(keys.open_key(tmp_path, None))


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_missing(tmp_path: Path, field: str) -> None:
    saved(tmp_path)
    path = tmp_path / "heads" / WRITER
    fields = json.loads(path.read_bytes())
    del fields[field]
    path.write_text(json.dumps(fields))
    assert heads.load(tmp_path, WRITER) is None


def test_a_chain_that_was_left_in_order_needs_one_look(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    key = keys.open_key(tmp_path, None)
    path = segment_of(tmp_path, writer)
    whole = path.read_bytes()
    assert heads.untouched(tmp_path, writer, key) == (1, 6)
    assert heads.untouched(tmp_path, writer, None) is None
    assert heads.untouched(tmp_path, writer, keys.open_key(tmp_path / "other", None)) is None
    assert heads.untouched(tmp_path, WRITER, key) is None
    for changed in (
        whole + b"x",
        whole[:-1],
        whole[: len(whole) // 2],
        whole[:-9] + whole[-8:],
        b"",
    ):
        path.write_bytes(changed)
        assert heads.untouched(tmp_path, writer, key) is None
    path.write_bytes(whole)
    segment_of(tmp_path, writer, 2).touch()
    assert heads.untouched(tmp_path, writer, key) is None
    segment_of(tmp_path, writer, 2).unlink()
    path.unlink()
    path.symlink_to("/dev/zero")
    assert heads.untouched(tmp_path, writer, key) is None
    path.unlink()
    assert heads.untouched(tmp_path, writer, key) is None
    shutil.rmtree(tmp_path / writer)
    assert heads.untouched(tmp_path, writer, key) is None


def test_a_start_after_an_orderly_end_loads_nothing_to_examine(tmp_path: Path) -> None:
    signed_journal(tmp_path, 3)
    program = (
        "import sys; from pathlib import Path\n"
        "from otel import Evidence, EvidenceSettings, Journal\n"
        "kept = Evidence.of(Path(sys.argv[1]), EvidenceSettings(), strict=True, warn=print)\n"
        "journal = Journal.open(Path(sys.argv[1]), keeper=kept)\n"
        "late = {'cryptography', 'otel.examination', 'otel.checkpoints'}\n"
        "print(journal.last_seq, late & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, check=True, text=True
    )
    assert done.stdout == "6 set()\n"
