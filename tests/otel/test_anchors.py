"""Three kinds of lines, and what is made of a file of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st

from otel import AnchorRefused, Anchors, flat_line, read, read_anchors, verify
from otel.otlp import export_request, resource
from tests.support.evidence import named, signed_journal

if TYPE_CHECKING:
    from pathlib import Path

    from otel import Record

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
OTHER = "w-01JD2QABCDEFGHJKMNPQRSTVWY"


def records_of(directory: Path) -> list[Record]:
    return list(read(directory, print))


def point(seq: int, digest: str = "ab" * 32, writer: str = WRITER) -> dict[str, Any]:
    return {
        "event.name": "netproxy.policy_decision",
        "netproxy.audit.chain": writer,
        "netproxy.audit.seq": seq,
        "netproxy.audit.hash": digest,
    }


def anchors_of(*lines: object) -> Anchors:
    return read_anchors((json.dumps(line).encode() for line in lines), "anchor.jsonl")


def refused(*lines: bytes) -> str:
    with pytest.raises(AnchorRefused) as caught:
        read_anchors(lines, "anchor.jsonl")
    return str(caught.value)


def test_checkpoints_as_query_prints_them(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 10, every=4)
    records = records_of(tmp_path)
    lines = [flat_line(record).encode() for record in records]
    anchors = read_anchors(lines, "a")
    marks = named(records, "audit.checkpoint")
    anchor = anchors.chains[writer]
    assert [mark.head_seq for mark, _ in anchor.marks] == [record.seq - 1 for record in marks]
    assert anchor.reaches == records[-1].seq
    assert len(anchors.keys) == 1
    (verdict,) = verify(tmp_path, anchors=anchors)
    assert verdict.is_well


def test_a_collectors_file(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 10, every=4)
    records = records_of(tmp_path)
    sender = resource(version="1", writer=writer, host="h")
    lines = [
        json.dumps(json.loads(MessageToJson(export_request(part, sender, "1")))).encode()
        for part in (records[:5], records[5:])
    ]
    anchors = read_anchors([*lines, b"\n"], "a")
    anchor = anchors.chains[writer]
    assert anchor.reaches == records[-1].seq
    assert anchor.agrees(records[-1].seq, records[-1].digest.hex())
    assert [mark.time for mark, _ in anchor.marks] == [
        record.timestamp for record in named(records, "audit.checkpoint")
    ]
    (verdict,) = verify(tmp_path, anchors=anchors)
    assert verdict.is_well


def test_the_newest_of_many_records_is_kept(tmp_path: Path) -> None:
    """A million exported records need the memory of one."""
    anchors = anchors_of(
        *(point(seq, f"{seq:064x}") for seq in (3, 900, 5)), point(2, writer=OTHER)
    )
    anchor = anchors.chains[WRITER]
    assert anchor.points == {900: {f"{900:064x}"}}
    assert anchor.reaches == 900
    assert anchors.chains[OTHER].reaches == 2


def test_two_records_of_one_number_after_a_power_cut() -> None:
    anchor = anchors_of(point(3, "aa" * 32), point(3, "bb" * 32)).chains[WRITER]
    assert anchor.agrees(3, "aa" * 32)
    assert anchor.agrees(3, "bb" * 32)
    assert not anchor.agrees(3, "cc" * 32)
    assert anchor.agrees(4, "cc" * 32)


@pytest.mark.parametrize(
    "line",
    [b"x", b"[]", b"7", b'"resourceLogs"', b'{"resourceLogs":7}', b"[" * 5000, b"\xff",
     b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{}]}]}]}]}'],
)  # fmt: skip
def test_a_line_that_is_none_has_its_place(line: bytes) -> None:
    assert refused(json.dumps(point(1)).encode(), line).startswith("anchor.jsonl:2: ")


def test_a_file_that_anchors_nothing_is_refused() -> None:
    assert "no checkpoint" in refused()
    assert "no checkpoint" in refused(b'{"event.name":"netproxy.policy_decision"}\n', b"\n")
    assert "no checkpoint" in refused(json.dumps({**point(1), "netproxy.audit.hash": 7}).encode())


def test_a_checkpoint_that_was_damaged_is_refused(tmp_path: Path) -> None:
    signed_journal(tmp_path, 1)
    (checkpoint,) = named(records_of(tmp_path), "audit.checkpoint")
    line = flat_line(checkpoint).encode().replace(b'"netproxy.checkpoint.no":1', b'"x":1')
    assert refused(line).startswith("anchor.jsonl:1: a checkpoint without")


def test_a_checkpoint_that_the_key_did_not_sign_is_refused(tmp_path: Path) -> None:
    """Else a chain written anew could bring its own anchor."""
    signed_journal(tmp_path, 1)
    (checkpoint,) = named(records_of(tmp_path), "audit.checkpoint")
    line = flat_line(checkpoint).encode().replace(b'"shutdown"', b'"sealed"')
    with pytest.raises(AnchorRefused, match="is not signed by"):
        verify(tmp_path, anchors=read_anchors([line], "a"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just(WRITER),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceLogs", "scopeLogs", "logRecords", "attributes", "key", "value",
                 "intValue", "stringValue", "timeUnixNano", *point(1)]
            ),
            inner,
        ),
    )
)  # fmt: skip
def test_any_json_is_read_or_refused_in_one_line(value: object) -> None:
    try:
        anchors_of(value)
    except AnchorRefused as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
