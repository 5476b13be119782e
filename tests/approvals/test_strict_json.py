"""JSON from outside has one meaning or none."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.errors import InvalidJson
from approvals.strict_json import MOST_LEVELS, read_object

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_what_json_writes_is_read_as_it_was(value: dict[str, object]) -> None:
    written = json.dumps(value)
    with suppress(InvalidJson):  # Hypothesis nests deeper now and then
        assert read_object(written.encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with suppress(InvalidJson):
        assert isinstance(read_object(text), dict)


def nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_nesting_ends_where_it_is_said() -> None:
    assert read_object(nested(MOST_LEVELS))
    with pytest.raises(InvalidJson, match="deeper"):
        read_object(nested(MOST_LEVELS + 1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(b'{"verdict":"deny","verdict":"allow"}', "twice", id="a key twice"),
        pytest.param(b'{"a":{"b":1,"b":1}}', "twice", id="a key twice inside"),
        pytest.param(b'{"a":1,"\\u0061":2}', "twice", id="a key twice in two spellings"),
        pytest.param(b'{"a":NaN}', "NaN", id="NaN"),
        pytest.param(b'{"a":-Infinity}', "Infinity", id="infinity"),
        pytest.param(b'{"a":1e999}', "range", id="a number that overflows"),
        pytest.param(b'{"a":"\\ud800"}', "UTF-8", id="half a surrogate pair"),
        pytest.param(b'{"a":"\xff"}', "UTF-8", id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbf{}", "JSON", id="a byte order mark"),
        pytest.param(b"[]", "object", id="no object"),
        pytest.param(b"{} {}", "JSON", id="two objects"),
        pytest.param(b"", "JSON", id="nothing"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", "JSON", id="a number without end"),
        pytest.param(b"[" * 19_000, "deeper", id="brackets without end"),
        pytest.param(
            b'{"a":"' + b"]" * 9000 + b'","b":' + b"[" * 9000, "deeper", id="closed in a string"
        ),
        pytest.param(b'{"a":"\\"' + b"[" * 99 + b'","b":', "JSON", id="a string with brackets"),
    ],
)
def test_what_readers_could_take_in_two_ways_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(InvalidJson, match=why):
        read_object(text)


def test_a_fraction_is_a_number() -> None:
    assert read_object(b'{"a":1.5}') == {"a": 1.5}
