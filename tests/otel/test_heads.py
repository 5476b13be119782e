from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel import heads, keys
from otel.folders import Position

if TYPE_CHECKING:
    from pathlib import Path

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
FIELDS = ["segment", "offset", "line", "seal"]
LINE = '{"a":"é"}'.encode()


def saved(directory: Path) -> keys.SigningKey:
    key = keys.open_key(directory, None)
    heads.save(directory, WRITER, key, end=Position(2, 300), line=LINE)
    return key


def test_a_head_is_remembered(tmp_path: Path) -> None:
    key = saved(tmp_path)
    head = heads.load(tmp_path, WRITER)
    assert head is not None
    assert (head.segment, head.offset, head.line) == (2, 300, LINE)
    assert head.is_sealed_by(key)
    assert heads.remembered(tmp_path) == [WRITER]


def test_the_seal_covers_all_of_it(tmp_path: Path) -> None:
    key = saved(tmp_path)
    head = heads.load(tmp_path, WRITER)
    assert head is not None
    for changed in (
        replace(head, segment=3),
        replace(head, offset=301),
        replace(head, line=LINE + b" "),
        replace(head, seal="0" * 64),
    ):
        assert not changed.is_sealed_by(key)
    assert not head.is_sealed_by(keys.open_key(tmp_path / "other", None))


def test_without_one_there_is_none(tmp_path: Path) -> None:
    assert heads.load(tmp_path, WRITER) is None
    assert heads.remembered(tmp_path) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
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
