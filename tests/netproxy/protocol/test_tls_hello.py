"""What a TLS client shows first: the same however it is cut, and no garbage breaks the reader."""

from __future__ import annotations

import itertools
import socket
import ssl
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.protocol.buffer import NEED_DATA
from netproxy.protocol.tls_hello import (
    NOT_TLS,
    Between,
    Hello,
    HelloReader,
    Outcome,
    may_begin,
)
from tests.support.hellos import EARLY_DATA, RETRIED, extension, hello, names, record, records
from tests.support.loops import PATIENCE_SECONDS

LIMIT = 64 * 1024
PLAIN = Hello(server_names=(b"a.test",), alpn=(), has_ech=False, is_whole=True)


def read(*parts: bytes, limit: int = LIMIT) -> Outcome:
    reader = HelloReader(limit=limit)
    outcome: Outcome = NEED_DATA
    for part in parts:
        outcome = reader.receive(part)
        if outcome is not NEED_DATA:
            break
    return outcome


def of_python(name: str | None, alpn: list[str]) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    if alpn:
        context.set_alpn_protocols(alpn)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("alpn", [[], ["h2", "http/1.1"]])
def test_what_python_sends(alpn: list[str]) -> None:
    sent = of_python("www.example.test", alpn)
    expected = tuple(word.encode() for word in alpn)
    found = read(sent)
    assert isinstance(found, Hello)
    assert found.shown == ((b"www.example.test",), expected, False, True)
    assert found.may_be_retried


def test_what_openssl_sends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        command = ["openssl", "s_client", "-connect", where, "-servername", "s.test"]
        with subprocess.Popen(
            [*command, "-alpn", "h2"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as client:
            listener.settimeout(PATIENCE_SECONDS)
            connection, _ = listener.accept()
            with connection:
                found = read(connection.recv(65536))
            client.wait(PATIENCE_SECONDS)
    assert isinstance(found, Hello)
    assert found.shown == ((b"s.test",), (b"h2",), False, True)


def test_without_a_name() -> None:
    found = read(of_python(None, []))
    assert isinstance(found, Hello)
    assert found.server_names == ()


def test_ech_is_seen() -> None:
    found = read(hello(names(b"front.test"), extension(0xFE0D, b"\0sealed")))
    assert isinstance(found, Hello)
    assert found.has_ech
    assert found.server_names == (b"front.test",)


@given(st.lists(st.integers(min_value=1, max_value=80), max_size=12), st.data())
def test_where_it_is_cut_makes_no_difference(records_of: list[int], data: st.DataObject) -> None:
    """Into records as into segments, down to single bytes."""
    sent = records(hello(names(b"a.test")), *records_of)
    cuts = data.draw(st.lists(st.integers(min_value=0, max_value=len(sent)), max_size=12))
    edges = [0, *sorted(cuts), len(sent)]
    parts = [sent[a:b] for a, b in itertools.pairwise(edges)]
    assert read(*parts) == PLAIN


def test_every_cut_and_every_byte_alone() -> None:
    sent = hello(names(b"a.test"))
    for at in range(1, len(sent)):
        reader = HelloReader(limit=LIMIT)
        assert reader.receive(sent[:at]) is NEED_DATA
        assert reader.receive(memoryview(sent)[at:]) == PLAIN
        assert reader.held == sent
    assert read(*(bytes((byte,)) for byte in sent)) == PLAIN


@given(st.binary(max_size=300))
def test_garbage_is_no_tls_and_no_accident(garbage: bytes) -> None:
    read(garbage)
    read(b"\x16\x03\x01" + garbage)
    read(records(b"\x01" + len(garbage).to_bytes(3) + garbage))


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_one_wrong_byte_is_no_accident(place: int, value: int) -> None:
    sent = bytearray(hello(names(b"a.test"), extension(16, b"\0\x03\x02h2")))
    sent[place % len(sent)] = value
    HelloReader(limit=LIMIT).receive(sent)
    HelloReader(limit=20).receive(sent)


@pytest.mark.parametrize(
    "begun",
    [
        b"G",
        b"SSH-2.0-",
        b"\x80\x2e\x01\x03\x01",
        b"\x16\x10",
        b"\x18\x03",
        b"\x16\x03\x01\0\0G",
        b"\x16\x03\x01\0\x05\x02",
        b"\x14\x03\x01\0\x01",
        b"\x15\x03\x01\0\x03",
        b"\x17\x03\x01\0\x01",
    ],
)
def test_what_is_no_hello_is_known_at_once(begun: bytes) -> None:
    assert read(begun) is NOT_TLS


def test_a_hello_may_have_no_extensions_at_all() -> None:
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    found = read(records(b"\x01" + len(body).to_bytes(3) + body))
    assert found == Hello(server_names=(), alpn=(), has_ech=False, is_whole=True)


@pytest.mark.parametrize(
    ("extensions", "shown"),
    [
        ([names(b"a.test", b"b.test")], (b"a.test", b"b.test")),
        ([names(b"a.test"), names(b"b.test")], (b"a.test", b"b.test")),
        ([names(b"")], (b"",)),
        ([extension(0, b"\0\x04\x07\0\x01x")], ()),
    ],
    ids=["two in a list", "two extensions", "empty", "of another type"],
)
def test_every_name_counts(extensions: list[bytes], shown: tuple[bytes, ...]) -> None:
    found = read(hello(*extensions))
    assert isinstance(found, Hello)
    assert found.server_names == shown


@pytest.mark.parametrize(
    "broken",
    [
        extension(0, b"\0\x09\0\0\x01x"),
        extension(0, b"\0\x04\0\0\x09x"),
        extension(0, b"\0\x04\0\0\x01xmore"),
        extension(0, b"")[:-1],
        extension(16, b"\0\x09\x02h2"),
        extension(16, b"\0\x03\x09h2"),
        b"\xff",
    ],
)
def test_a_broken_hello_shows_what_can_be_read_and_may_hide_more(broken: bytes) -> None:
    shown = read(hello(names(b"a.test"), broken))
    assert isinstance(shown, Hello)
    assert b"a.test" in shown.server_names
    for found in (shown, read(hello(broken))):
        assert isinstance(found, Hello)
        assert not found.is_whole


@pytest.mark.parametrize(
    "begun",
    [
        record(22, b"\x01") + b"\x80",
        record(22, b"\x01") + record(23, b"x"),
        record(22, b"\x01") + record(22, b"x", b"\x99\x01"),
        records(b"\x01\0\0\x02\x03\x03"),
        records(b"\x01\0\0\0"),
    ],
)
def test_what_begins_as_one_and_makes_no_sense_has_shown_no_name(begun: bytes) -> None:
    assert read(begun) == Hello(server_names=(), alpn=(), has_ech=False, is_whole=False)


SENT = hello(names(b"a.test"))
# What servers skip: OpenSSL 3 and BoringSSL empty records, Go warnings.
skipped = st.sampled_from(
    [*(record(kind, b"") for kind in range(20, 24)), record(21, b"\x01\x5a"), record(22, b"")]
)
# OpenSSL 3 takes any minor one, Go any below 0x1000.
versions = st.sampled_from([b"\x03\x00", b"\x03\xff", b"\x02\x00", b"\x00\x00", b"\x0f\xff"])


@given(st.data(), versions, st.binary(min_size=2, max_size=2))
def test_what_servers_skip_or_overlook_hides_no_name(
    data: st.DataObject, version: bytes, legacy_version: bytes
) -> None:
    """Between the pieces of a hello in any records, which come in any pieces."""
    message = SENT[5:9] + legacy_version + SENT[11:]
    cuts = data.draw(st.lists(st.integers(1, len(message) - 1), max_size=4, unique=True))
    sent = b""
    for a, b in itertools.pairwise([0, *sorted(cuts), len(message)]):
        sent += b"".join(data.draw(st.lists(skipped, max_size=3)))
        sent += record(22, message[a:b], version)
    edges = data.draw(st.lists(st.integers(0, len(sent)), max_size=12))
    parts = [sent[a:b] for a, b in itertools.pairwise([0, *sorted(edges), len(sent)])]
    assert read(*parts) == PLAIN


def openssl_saw(sent: bytes) -> list[str | None]:
    """The names that the server in this Python's TLS library was asked for."""
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    incoming = ssl.MemoryBIO()
    server = context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
    incoming.write(sent)
    with suppress(ssl.SSLError):
        server.do_handshake()
    return seen


REAL = of_python("a.test", [])
OPENSSL_TAKES = {
    "behind an empty handshake record": record(22, b"") + REAL,
    "behind an empty change_cipher_spec": record(20, b"") + REAL,
    "behind many": record(22, b"") * 31 + REAL,
    "around an empty one": record(22, REAL[5:50]) + record(22, b"") + record(22, REAL[50:]),
    "in SSL 3.0's records": record(22, REAL[5:], b"\x03\0"),
    "in a later version's records": record(22, REAL[5:], b"\x03\xff"),
    "of a later version": record(22, REAL[5:9] + b"\x04\x03" + REAL[11:]),
    "of no version that there is": record(22, REAL[5:9] + b"\xff\xff" + REAL[11:]),
}


@pytest.mark.parametrize("sent", OPENSSL_TAKES.values(), ids=list(OPENSSL_TAKES))
def test_the_name_that_openssl_reads_is_read(sent: bytes) -> None:
    assert openssl_saw(sent) == ["a.test"]
    found = read(sent)
    assert isinstance(found, Hello)
    assert found.shown == PLAIN.shown


def test_a_record_may_be_longer_than_it_should() -> None:
    message = hello(extension(21, bytes(16_384)), names(b"a.test"))
    message = message[5:16_389] + message[16_394:]
    assert read(record(22, message)) == PLAIN


def test_where_it_may_begin() -> None:
    assert [each for each in range(256) if may_begin(each)] == [20, 21, 22, 23]


def test_past_the_limit_it_says_what_it_saw() -> None:
    sent = hello(names(b"a.test"), extension(21, bytes(5000)))
    assert read(sent, limit=1000) != NEED_DATA
    reader = HelloReader(limit=1000)
    assert reader.receive(sent[:999]) is NEED_DATA
    found = reader.receive(sent[999:1200])
    assert found == Hello(server_names=(b"a.test",), alpn=(), has_ech=False, is_whole=False)
    assert reader.held == sent[:1200]


def test_past_the_limit_between_two_records() -> None:
    sent = records(hello(names(b"a.test")), 40)
    assert read(sent[:45], limit=45) == Hello(
        server_names=(), alpn=(), has_ech=False, is_whole=False
    )


def test_what_takes_too_long_says_what_it_saw() -> None:
    reader = HelloReader(limit=LIMIT)
    assert reader.receive(hello(names(b"a.test"), extension(21, bytes(50)))[:-30]) is NEED_DATA
    found = reader.give_up()
    assert (found.server_names, found.is_whole) == ((b"a.test",), False)
    assert not found.is_ended
    assert HelloReader(limit=LIMIT).give_up(is_ended=True).is_ended


def test_who_gives_up_in_what_is_skipped_reads_none_of_it() -> None:
    reader = HelloReader(limit=LIMIT)
    sent = records(SENT, 60)
    assert reader.receive(sent[:65] + b"\x15\x03\x01\0\x02\0") is NEED_DATA
    assert reader.give_up() == HelloReader(limit=LIMIT).give_up()


def test_its_words_are_shown_as_they_are_written() -> None:
    assert repr(NOT_TLS) == "NOT_TLS"


def of(found: Outcome) -> tuple[object, ...]:
    assert isinstance(found, Hello)
    return found.shown


def test_every_hello_of_a_record_counts() -> None:
    both = hello(names(b"a.test"), RETRIED)[5:] + hello(names(b"b.test"))[5:]
    for sent in (record(22, both), records(both, 40), records(both, len(both) - 1)):
        assert of(read(sent)) == ((b"a.test", b"b.test"), (), False, True)
    begun = hello(names(b"a.test"))[5:] + b"\x01\0"
    for sent in (record(22, begun) + record(20, b"\x01"), record(22, begun) + b"\xff"):
        assert of(read(sent)) == ((b"a.test",), (), False, False)
    other = record(22, hello(names(b"a.test"))[5:] + b"\x0b\0\0\0")
    assert of(read(other)) == PLAIN.shown


@pytest.mark.parametrize(
    ("extensions", "may_be_retried", "has_early_data"),
    [
        ([], False, False),
        ([RETRIED], True, False),
        ([EARLY_DATA, RETRIED], True, True),
        ([RETRIED, b"\xff"], False, False),
    ],
)
def test_only_tls_1_3_asks_for_another(
    extensions: list[bytes], *, may_be_retried: bool, has_early_data: bool
) -> None:
    found = read(hello(*extensions))
    assert isinstance(found, Hello)
    assert (found.may_be_retried, found.has_early_data) == (may_be_retried, has_early_data)


FIRST = Hello(server_names=(), alpn=(), has_ech=False, is_whole=True, may_be_retried=True)
EARLY = Hello(server_names=(), alpn=(), has_ech=False, is_whole=True, has_early_data=True)
DUMMY = record(20, b"\x01")  # RFC 8446 appendix D.4


@given(st.lists(st.sampled_from([20, 21, 23])), st.binary(max_size=40), st.data())
def test_what_comes_between_goes_on_up_to_the_handshake(
    kinds: list[int], part: bytes, data: st.DataObject
) -> None:
    """However it is cut."""
    sent = b"".join(record(kind, part) for kind in kinds)
    edges = data.draw(st.lists(st.integers(0, len(sent)), max_size=12))
    between = Between(EARLY)
    for a, b in itertools.pairwise([0, *sorted(edges), len(sent)]):
        assert between.walk(sent[a:b]) == b - a
    assert between.walk(DUMMY + SENT) == len(DUMMY)


def test_what_comes_between_may_come_byte_by_byte() -> None:
    between = Between(FIRST)
    for byte in DUMMY * 2 + record(21, b"\x01\x5a"):
        assert between.walk(bytes((byte,))) == 1
    assert between.walk(SENT) == 0


@pytest.mark.parametrize("kind", [23, 24, 0, 0x47])
def test_nothing_is_looked_for_behind_what_no_second_hello_follows(kind: int) -> None:
    between = Between(FIRST)
    assert between.walk(DUMMY) == len(DUMMY)
    assert between.walk(DUMMY + record(kind, b"x") + SENT) is None


def test_early_data_is_walked_over_while_a_server_may_skip_it() -> None:
    between = Between(EARLY)
    sent = record(23, bytes(0xFFFF))
    for _ in range(17):
        assert between.walk(sent) == len(sent)
    assert between.walk(record(23, b"x")) is None
    assert Between(FIRST).walk(record(20, bytes(0xFFFF)) * 20 + SENT) == 20 * (5 + 0xFFFF)


def second(*parts: bytes, first: Hello = FIRST, known: bytes = b"known") -> Outcome:
    reader = HelloReader(limit=LIMIT, begins_at=len(known), between=Between(first))
    outcome: Outcome = NEED_DATA
    for part in (known, *parts):
        outcome = reader.receive(part)
        if outcome is not NEED_DATA:
            break
    assert reader.held.startswith(known)
    return outcome


def test_a_second_one_is_read_behind_what_is_known() -> None:
    assert second(SENT) == second(*(bytes((byte,)) for byte in SENT)) == PLAIN
    assert second(record(22, b""), DUMMY, SENT) == PLAIN
    assert second(records(SENT, 1)[:6], DUMMY, records(SENT, 1)[6:]) == PLAIN
    early = record(23, b"skipped")
    assert second(record(22, b""), early, SENT, first=EARLY) == PLAIN
    assert second(record(22, b""), early, SENT) is NOT_TLS


@pytest.mark.parametrize(
    "begun",
    [
        record(22, b"\x10"),  # TLS 1.2: client_key_exchange
        record(22, b"\x14\0\0\x0c"),
        record(22, b"\x01\x03\0\0" + bytes(36)),  # encrypted: longer than any
        record(22, b"\x01\x02\0\0" + bytes(36)) + record(23, b"x"),
        record(22, b"\x01\x02") + b"\xff",
    ],
)
def test_what_only_begins_like_a_second_one_is_none(begun: bytes) -> None:
    assert second(begun) is NOT_TLS


def test_a_second_one_that_is_not_whole_has_shown_no_name() -> None:
    reader = HelloReader(limit=100, begins_at=5, between=Between(FIRST))
    assert reader.receive(b"known" + SENT[:60]) is NEED_DATA
    assert reader.give_up().shown == ((), (), False, False)
    long = hello(extension(21, bytes(200)))
    assert HelloReader(limit=100, begins_at=5, between=Between(FIRST)).receive(
        b"known" + long
    ) == Hello(server_names=(), alpn=(), has_ech=False, is_whole=False)
