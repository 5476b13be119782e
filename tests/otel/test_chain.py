from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.chain import (
    End,
    canonical,
    genesis,
    nanoseconds,
    parse,
    seal,
)
from otel.errors import MalformedRecord
from otel.redact import encode

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
ATTRIBUTES = st.dictionaries(
    st.text(),
    st.text() | st.integers(-(2**60), 2**60) | st.booleans() | st.none()
    | st.lists(st.text()).map(tuple),
    max_size=6,
)  # fmt: skip


def sealed(
    attributes: str = "{}", *, seq: int = 1, wall_ns: int = 1_767_323_045_678_000_000, sev: int = 9
) -> tuple[bytes, End]:
    record = ("netproxy.audit.gap", sev, attributes), wall_ns, 5
    line, end = seal(WRITER, "e-1", End(seq - 1, genesis(WRITER)), [record])
    return line.encode(), end


def line_of(attributes: str = "{}") -> bytes:
    return sealed(attributes)[0]


@given(ATTRIBUTES, st.integers(1, 10**9), st.integers(0, 4 * 10**18))
def test_what_is_sealed_is_read_back(attributes: dict[str, str], seq: int, wall_ns: int) -> None:
    line, end = sealed(encode(attributes), seq=seq, wall_ns=wall_ns, sev=17)
    record = parse(line[:-1])
    assert record.digest == record.expected_digest == end.digest
    assert encode(record.attributes) == encode(attributes)
    assert (record.seq, record.severity, record.writer) == (seq, 17, WRITER)
    assert end.seq == seq
    assert record.uid == f"e-1-{seq}"
    assert nanoseconds(record.timestamp) == wall_ns // 1_000_000 * 1_000_000


@given(st.lists(ATTRIBUTES, max_size=4), st.integers(0, 4))
def test_records_follow_each_other_however_they_come(
    several: list[dict[str, str]], cut: int
) -> None:
    """Those of one turn are sealed together, and nobody can tell afterwards."""
    records = [
        (("netproxy.audit.gap", 9, encode(attributes)), 10**18 + number, number)
        for number, attributes in enumerate(several)
    ]
    start = End(0, genesis(WRITER))
    together, end = seal(WRITER, "e-1", start, records)
    first, middle = seal(WRITER, "e-1", start, records[:cut])
    second, same_end = seal(WRITER, "e-1", middle, records[cut:])
    assert (first + second, same_end) == (together, end)
    read = [parse(line) for line in together.encode().split(b"\n")[:-1]]
    assert [record.seq for record in read] == list(range(1, len(several) + 1))
    assert [record.previous for record in read] == [start.digest, *(r.digest for r in read)][:-1]


@given(ATTRIBUTES)
def test_a_line_is_canonical_json(attributes: dict[str, str]) -> None:
    """Sorted keys, no spaces, one line feed: one spelling only."""
    line = line_of(encode(attributes))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert canonical(json.loads(line)).encode() + b"\n" == line


def test_the_hash_is_what_the_documentation_says() -> None:
    """An auditor can compute it with other tools."""
    import hashlib

    line = line_of('{"a":1}')
    fields = json.loads(line)
    stated = fields.pop("hash")
    body = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    start = hashlib.sha256(f"netproxy journal v1\n{WRITER}".encode()).digest()
    assert fields["prev"] == start.hex()
    assert stated == hashlib.sha256(start + body).hexdigest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"seq":1', b'"seq": 1', id="space"),
        pytest.param(b'"seq":1', b'"seq":1.0', id="float"),
        pytest.param(b'"seq":1', b'"seq":true', id="bool-for-int"),
        pytest.param(b'"seq":1', b'"seq":"1"', id="text-for-int"),
        pytest.param(b'"seq":1', b'"seq":1,"seq":1', id="key-twice"),
        pytest.param(b'"v":1', b'"v":2', id="other-version"),
        pytest.param(b'"v":1', b'"v":1,"x":1', id="more-members"),
        pytest.param(b'"seq":1,', b"", id="member-missing"),
        pytest.param(b'"attrs":{}', b'"attrs":[]', id="attributes-no-object"),
        pytest.param(b'"attrs":{}', b'"attrs":{"a":{"b":1}}', id="nested"),
        pytest.param(b'"attrs":{}', b'"attrs":{"a":[1]}', id="list-of-numbers"),
        pytest.param(b'"attrs":{}', b'"attrs":{"a":NaN}', id="nan"),
        pytest.param(b'"attrs":{}', b'"attrs":{"a":"\\ud800"}', id="lone-surrogate"),
        pytest.param(b'"attrs":{}', b'"attrs":' + b"[" * 100_000, id="deep"),
        pytest.param(b'"sev":9', b'"sev":' + b"9" * 5000, id="huge-number"),
        pytest.param(b'"attrs":{}', b'"attrs":{"a":9223372036854775808}', id="more-than-64-bits"),
        pytest.param(b'"mono_ns":5', b'"mono_ns":9223372036854775808', id="clock-of-65-bits"),
        pytest.param(b'"sev":9', b'"sev":25', id="no-severity"),
        pytest.param(b'"sev":9', b'"sev":0', id="severity-unset"),
        pytest.param(b"2026-01-02", b"1969-12-31", id="before-1970"),
        pytest.param(b"2026-01-02", b"2026-13-02", id="month-13"),
        pytest.param(b'"name":"n', b'"name":"\\u001b[2Jn', id="name-with-escape"),
        pytest.param(b'"writer":"w-', b'"writer":"x-', id="not-a-writer"),
    ],
)
def test_anything_but_a_record_is_refused(old: bytes, new: bytes) -> None:
    line = line_of()[:-1]
    assert old in line
    with pytest.raises(MalformedRecord):
        parse(line.replace(old, new))


@given(st.binary())
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    with pytest.raises(MalformedRecord):
        parse(data)


def test_an_event_name_that_holds_data_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        seal(WRITER, "e-1", End(0, genesis(WRITER)), [(('x","y', 9, "{}"), 0, 0)])


def test_timestamps_are_cut_to_milliseconds() -> None:
    line, _ = sealed(wall_ns=1_767_323_045_678_999_999)
    assert parse(line[:-1]).timestamp == "2026-01-02T03:04:05.678Z"
