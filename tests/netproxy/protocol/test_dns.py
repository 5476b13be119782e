"""DNS messages: whatever comes is read without an error, and every answer can be read."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.protocol import dns
from netproxy.protocol.dns import Code, Kind, Query, read_query
from tests.support.dns_messages import (
    AAAA,
    OPT,
    PTR,
    SOA,
    Reply,
    edns,
    name,
    parse,
    question,
    read_name,
)

LONGEST = ".".join(["a" * 63] * 3 + ["a" * 61])  # 255 bytes on the wire


def read(message: bytes) -> Query:
    query = read_query(message)
    assert query is not None
    return query


def test_a_question() -> None:
    query = read(question("WWW.example.org", AAAA, ident=0x1234))
    assert (query.ident, query.kind, query.labels) == (0x1234, AAAA, (b"WWW", b"example", b"org"))
    assert (query.edns_version, query.fault) == (None, None)


@pytest.mark.parametrize("asked", ["", "a", LONGEST], ids=["root", "label", "longest"])
def test_names_up_to_the_longest(asked: str) -> None:
    query = read(question(asked))
    assert (query.fault, b".".join(query.labels)) == (None, asked.encode())


def test_who_knows_of_edns_is_answered_so() -> None:
    """A signature beside it is passed over."""
    signature = name("key") + struct.pack("!HHIH", 250, 255, 0, 3) + b"xyz"
    message = bytearray(question("a.test", more=edns(options=b"\0\x0a\0\x02ab") + signature))
    message[11] = 2
    query = read(bytes(message))
    assert (query.fault, query.edns_version) == (None, 0)
    reply = parse(dns.refused(query, is_blocked=True))
    assert reply.additional == [("", OPT, 0, b"\0\x0f\0\x02\0\x0f")]  # EDE 15, blocked
    assert parse(dns.refused(query)).additional == [("", OPT, 0, b"")]
    plain = read(question("a.test"))
    assert parse(dns.refused(plain, is_blocked=True)).additional == []


WRONG = {
    "a pointer": question(b"\xc0\x0c"),
    "a pointer behind a label": question(b"\x01a\xc0\x0c"),
    "a label of a kind that there is not": question(b"\x41" + b"a" * 65 + b"\0"),
    "a label without its end": question("a.test")[:-8],
    "a name without an end": question("a.test")[:-5],
    "no type": question("a.test")[:-3],
    "a name that is too long": question("a." + LONGEST),
    "no question": struct.pack("!6H", 7, 0x100, 0, 0, 0, 0),
    "two questions": struct.pack("!6H", 7, 0x100, 2, 0, 0, 0) + question("a.test")[12:] * 2,
    "an answer": struct.pack("!6H", 7, 0x100, 1, 1, 0, 0) + question("a.test")[12:],
    "an authority": struct.pack("!6H", 7, 0x100, 1, 0, 1, 0) + question("a.test")[12:],
    "records without an end": struct.pack("!6H", 7, 0, 1, 0, 0, 9) + question("a.test")[12:],
    "a record that is not there": question("a.test", more=edns()[:5]),
    "a record that is cut": question("a.test", more=edns(options=b"ab")[:-1]),
    "EDNS of a name": question("a.test", more=b"\x01a" + edns()),
}


@pytest.mark.parametrize("message", WRONG.values(), ids=list(WRONG))
def test_what_is_malformed_is_told_so(message: bytes) -> None:
    query = read(message)
    assert query.fault is Code.FORMAT_ERROR
    reply = parse(dns.faulty(query, query.fault))
    assert (reply.ident, reply.code, reply.asked) == (7, 1, [])


def test_edns_twice_is_malformed() -> None:
    message = bytearray(question("a.test", more=edns() * 2))
    message[11] = 2
    assert read(bytes(message)).fault is Code.FORMAT_ERROR


@pytest.mark.parametrize("message", [b"", bytes(11), question("a.test", flags=0x8000)])
def test_what_is_no_question_waits_for_no_answer(message: bytes) -> None:
    """Two resolvers that answer each other's answers would do so for ever."""
    assert read_query(message) is None


def test_other_operations_are_not_implemented() -> None:
    query = read(question("a.test", flags=0x2800))  # UPDATE, RFC 2136
    assert query.fault is Code.NOT_IMPLEMENTED
    assert parse(dns.faulty(query, query.fault)).flags == 0xA880 | Code.NOT_IMPLEMENTED


def test_other_classes_are_refused() -> None:
    """`version.bind` in CHAOS is asked by whoever wants to know what we are."""
    query = read(question("version.bind", 16)[:-1] + b"\x03")
    assert query.fault is Code.REFUSED
    assert parse(dns.faulty(query, query.fault)).code == Code.REFUSED


def test_another_version_of_edns_is_told_which_there_is() -> None:
    query = read(question("a.test", more=edns(version=1)))
    assert query.fault is Code.NO_ERROR
    reply = parse(dns.faulty(query, query.fault))
    assert (reply.code, reply.answers) == (0, [])
    assert reply.additional == [("", OPT, 1 << 24, b"")]  # BADVERS


def test_an_address_echoes_the_question_in_its_spelling() -> None:
    reply = parse(dns.address(read(question("wWw.A.test")), b"\xc6\x12\0\1", ttl_seconds=5))
    assert (reply.ident, reply.flags) == (7, 0x8180)  # answer, recursion desired and available
    assert reply.asked == [("wWw.A.test", Kind.A)]
    assert reply.answers == [("wWw.A.test", Kind.A, 5, b"\xc6\x12\0\1")]


def test_a_name_for_an_address() -> None:
    query = read(question("1.0.18.198.in-addr.arpa", PTR))
    ((_, kind, ttl, data),) = parse(dns.pointer(query, "www.a.test", ttl_seconds=5)).answers
    assert (kind, ttl, read_name(data)) == (PTR, 5, "www.a.test")


@pytest.mark.parametrize("exists", [True, False])
def test_nothing_is_remembered_for_a_short_time(exists: bool) -> None:
    reply = parse(dns.nothing(read(question("a.test", AAAA)), ttl_seconds=5, exists=exists))
    assert (reply.code, reply.answers) == (0 if exists else 3, [])
    ((owner, kind, ttl, data),) = reply.authorities
    assert (owner, kind, ttl) == ("", SOA, 5)
    assert struct.unpack("!IIIII", data[2:])[4] == 5


def answers(query: Query) -> list[Reply]:
    return [
        parse(each)
        for each in (
            dns.address(query, bytes(4), ttl_seconds=5),
            dns.pointer(query, LONGEST, ttl_seconds=5),
            dns.nothing(query, ttl_seconds=5, exists=True),
            dns.refused(query, is_blocked=True),
        )
    ]


@given(st.binary(max_size=600))
def test_any_bytes_at_all(message: bytes) -> None:
    query = read_query(message)
    if query is None:
        return
    if query.fault is not None:
        assert parse(dns.faulty(query, query.fault)).ident == query.ident
    else:
        answers(query)


labels = st.lists(st.binary(min_size=1, max_size=63), max_size=3).map(tuple)


@given(labels, st.integers(0, 65535), st.integers(0, 65535), st.booleans())
def test_any_question_is_read_as_it_was_asked(
    asked: tuple[bytes, ...], kind: int, ident: int, knows_edns: bool
) -> None:
    spelled = b"".join(bytes([len(label)]) + label for label in asked) + b"\0"
    message = question(spelled, kind, ident=ident, more=edns() if knows_edns else b"")
    query = read(message)
    assert (query.labels, query.kind, query.ident, query.fault) == (asked, kind, ident, None)
    for reply in answers(query):
        assert (reply.ident, reply.asked[0][1]) == (ident, kind)
        assert len(reply.additional) == knows_edns


@given(st.binary(max_size=40), st.integers(0, 400))
def test_a_question_with_any_byte_changed(noise: bytes, at: int) -> None:
    message = bytearray(question("www.example.org", more=edns(options=b"\0\x0a\0\x02ab")))
    at %= len(message)
    message[at : at + len(noise)] = noise
    query = read_query(bytes(message))
    if query is not None and query.fault is None:
        answers(query)
