from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.checkpoints import Mark, read_mark
from otel.errors import MalformedRecord
from otel.keys import key_id

MARK = Mark(
    writer="w-01JD2QABCDEFGHJKMNPQRSTVWX",
    number=7,
    head_seq=41,
    head_hash="ab" * 32,
    records=5,
    segment="00000002.jsonl",
    cause="sealed",
    time="2026-01-02T03:04:05.678Z",
    key_id="cd" * 16,
    sealed_segment="00000001.jsonl",
    sealed_digest="ef" * 32,
)
OTHERS = {
    "writer": "w-01JD2QABCDEFGHJKMNPQRSTVWY",
    "number": 8,
    "head_seq": 42,
    "head_hash": "ac" * 32,
    "records": 6,
    "segment": "00000003.jsonl",
    "cause": "time",
    "time": "2026-01-02T03:04:05.679Z",
    "key_id": "ce" * 16,
    "sealed_segment": None,
    "sealed_digest": "ee" * 32,
}


def test_the_bytes_that_are_signed() -> None:
    """Frozen: an auditor's own tool makes them, too (docs/audit.md)."""
    assert MARK.message().decode() == (
        "netproxy audit checkpoint v1\n"
        "chain=w-01JD2QABCDEFGHJKMNPQRSTVWX\nnumber=7\nhead_seq=41\n"
        f"head_hash={'ab' * 32}\nrecords=5\nsegment=00000002.jsonl\ncause=sealed\n"
        f"time=2026-01-02T03:04:05.678Z\nkey_id={'cd' * 16}\n"
        f"sealed_segment=00000001.jsonl\nsealed_digest={'ef' * 32}\n"
    )


@pytest.mark.parametrize("field", sorted(OTHERS))
def test_no_field_is_left_unsigned(field: str) -> None:
    changes: dict[str, Any] = {field: OTHERS[field]}
    assert replace(MARK, **changes).message() != MARK.message()
    assert OTHERS.keys() == set(Mark.__slots__)


@pytest.mark.parametrize("mark", [MARK, replace(MARK, sealed_segment=None, sealed_digest=None)])
def test_a_mark_survives_its_record(mark: Mark) -> None:
    signature = bytes(range(64))
    assert read_mark(mark.event(signature).attributes(), mark.time) == (mark, signature)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("netproxy.checkpoint.no", -1, id="below-zero"),
        pytest.param("netproxy.checkpoint.no", True, id="not-a-number"),
        pytest.param("netproxy.checkpoint.hash", "ab", id="short-digest"),
        pytest.param("netproxy.checkpoint.hash", None, id="no-digest"),
    ],
)
def test_a_field_that_is_none(name: str, value: Any) -> None:
    attributes = MARK.event(bytes(64)).attributes()
    assert name in attributes
    with pytest.raises(MalformedRecord, match=name):
        read_mark({**attributes, name: value}, MARK.time)


@given(
    st.sampled_from(sorted(MARK.event(bytes(64)).attributes())),
    st.none() | st.booleans() | st.integers(max_value=-1) | st.text() | st.just(("a",)),
)
def test_what_is_no_checkpoint_is_refused_or_read_without_harm(name: str, value: Any) -> None:
    attributes = {**MARK.event(bytes(64)).attributes(), name: value}
    try:
        mark, _ = read_mark(attributes, MARK.time)
    except MalformedRecord:
        return
    assert mark.message().count(b"\n") == MARK.message().count(b"\n")


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param("é", id="not-ascii"),
        pytest.param("AAA", id="not-base64"),
        pytest.param(base64.b64encode(bytes(63)).decode(), id="short"),
        pytest.param(7, id="number"),
    ],
)
def test_a_signature_that_is_none(signature: Any) -> None:
    attributes = MARK.event(bytes(64)).attributes()
    with pytest.raises(MalformedRecord, match="signature"):
        read_mark({**attributes, "netproxy.checkpoint.signature": signature}, MARK.time)


def test_a_key_has_one_name() -> None:
    assert key_id(bytes(32)) == "66687aadf862bd776c8fc18b8e9f8e20"
    assert key_id(bytes(31) + b"\x01") != key_id(bytes(32))
