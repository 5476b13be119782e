"""A tunnel to an allowed name must not carry TLS for another one: not a byte of it.

What shows no name can't be judged: hidden by ECH, or later than the first bytes.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.model import OnDenial, Reason, Sni, Verdict
from otel.events import ConnectionClosed, PolicyDecision, TlsObserved
from tests.support.fakes import FakePolicy, FakeResolver
from tests.support.hellos import RETRIED, extension, hello, names, record, records
from tests.support.origins import origin, read_all
from tests.support.proxies import LIMITS, LOOPBACK, Proxy, Setting, eventually, proxy, read_until
from tests.support.tls import make_authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.origins import Origin

FRONT = "front.test"
HIDDEN = hello(names(b"hidden.test"))
HONEST = hello(names(FRONT.encode()))
RETRIED_HELLO = hello(names(FRONT.encode()), RETRIED)  # a server may ask for another one


class Sink:
    """An origin that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        self.received.append(read_all(connection))

    def listening(self) -> AbstractContextManager[Origin]:
        return origin(self)


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def setting() -> Setting:
    return Setting(
        resolver=FakeResolver(front__test=[("127.0.0.1",)]),
        policy=FakePolicy(Verdict.ALLOW, dialable=LOOPBACK),
        limits=replace(LIMITS, hello_bytes=4096),
    )


def say(running: Proxy, where: str, *parts: bytes, early: bytes = b"") -> bytes:
    """Open a tunnel, send these as segments of their own, and say what came back."""
    client, answer = running.connect(where, early=early)
    with client:
        assert b" 200 " in answer
        try:
            for part in parts:
                client.sendall(part)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            return b"cut"
        try:
            return client.recv(100)
        except ConnectionResetError:
            return b"cut"


def assert_refused(running: Proxy, sink: Sink) -> None:
    running.settle()
    assert running.audit.decisions == [("allow", "allowed_by_rule"), ("deny", "sni_mismatch")]
    allowed, denied = running.audit.of(PolicyDecision)
    assert allowed.connection_id == denied.connection_id
    (closed,) = running.audit.of(ConnectionClosed)
    assert (closed.close_reason, closed.bytes_sent) == ("sni_mismatch", 0)
    assert [decision.reason for _, decision in running.token.causes] == [Reason.SNI_MISMATCH]
    assert sink.received in ([], [b""])


FORMS = {
    "another name": [HIDDEN],
    "byte by byte over three records": [
        bytes((byte,)) for byte in records(hello(names(b"hidden.test")), 3, 40)
    ],
    "two names": [hello(names(FRONT.encode(), b"hidden.test"))],
    "two extensions": [hello(names(FRONT.encode()), names(b"hidden.test"))],
    "an empty name": [hello(names(b""))],
    "cut at NUL": [hello(names(b"front.test\0.hidden.test"))],
    "not ASCII": [hello(names("fr\u00f6nt.test".encode()))],
    "below it": [hello(names(b"x.front.test"))],
    "broken after the name": [hello(names(b"hidden.test"), b"\0\x10\0\xff")],
    "ended in the middle": [hello(names(b"hidden.test"), extension(21, bytes(99)))[:-50]],
    "behind a name of ECH": [hello(names(b"hidden.test"), extension(0xFE0D, b"\0"))],
    "past the limit": [hello(names(b"hidden.test"), extension(21, bytes(5_000)))],
    "behind an empty record": [record(22, b""), HIDDEN],
    "behind an empty change_cipher_spec": [record(20, b"") + HIDDEN],
    "behind a warning": [record(21, b"\x01\x5a") + HIDDEN],
    "around an empty record": [
        record(22, HIDDEN[5:40]) + record(22, b"") + record(22, HIDDEN[40:])
    ],
    "in a record of another version": [record(22, HIDDEN[5:], b"\x02\0")],
    "of another version": [record(22, HIDDEN[5:9] + b"\x04\x03" + HIDDEN[11:])],
    "broken before the name": [hello(extension(16, b"\0\xff"), b"\0\0\0\xff")],
    "broken off by another record": [HIDDEN[:3] + b"\0\x04" + HIDDEN[5:9] + b"\x17\x03\x03\0\x01x"],
    "behind the limit": [hello(extension(21, bytes(5_000)), names(b"hidden.test"))],
    "behind its own, which is over the limit": [
        hello(names(FRONT.encode()), extension(21, bytes(5_000)))
    ],
    "behind its own, in the same record": [record(22, HONEST[5:] + HIDDEN[5:])],
    "behind its own, broken off": [record(22, HONEST[5:] + b"\x01") + record(20, b"\x01")],
    "right behind its own": [RETRIED_HELLO + HIDDEN],
    "behind its own and a dummy": [RETRIED_HELLO + record(20, b"\x01") + HIDDEN],
}


@pytest.mark.parametrize("parts", FORMS.values(), ids=list(FORMS))
def test_another_name_is_cut_before_a_byte_of_it_arrives(
    parts: list[bytes], setting: Setting, sink: Sink
) -> None:
    with sink.listening() as listening, proxy(setting) as running:
        assert say(running, f"{FRONT}:{listening.port}", *parts) == b"cut"
        assert_refused(running, sink)


class RetryingServer:
    """A real one that asks whoever sends no key for another hello (RFC 8446 section 4.1.4)."""

    def __init__(self, folder: Path) -> None:
        self.asked_for: list[str | None] = []
        self._context = make_authority(folder, FRONT).server_context()
        self._context.sni_callback = lambda _socket, name, _context: self.asked_for.append(name)

    def __call__(self, connection: socket.socket) -> None:
        self._context.wrap_socket(connection, server_side=True).close()


def keyed_hello(host: bytes, key: bytes) -> bytes:
    """One of TLS 1.3; a key of no bytes is none."""
    share = b"" if not key else b"\0\x1d" + len(key).to_bytes(2) + key
    return hello(
        names(host),
        RETRIED,
        extension(10, b"\0\x02\0\x1d"),  # supported_groups: x25519
        extension(13, b"\0\x04\x08\x04\x04\x03"),  # signature_algorithms
        extension(51, len(share).to_bytes(2) + share),
    )


# Its random number says that a ServerHello is a HelloRetryRequest (RFC 8446 section 4.1.3).
ASKS_AGAIN = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891")
# Any number is a public key of x25519 (RFC 7748).
SECOND = record(20, b"\x01") + keyed_hello(b"hidden.test", b"\x09" + bytes(31))


@contextmanager
def asked_again(running: Proxy, listening: Origin) -> Iterator[socket.socket]:
    """A client whose first, honest hello had no key in it."""
    client, _ = running.connect(f"{FRONT}:{listening.port}")
    with client:
        client.sendall(keyed_hello(FRONT.encode(), b""))
        assert ASKS_AGAIN in client.recv(65536)
        yield client


def test_a_second_hello_which_the_server_asked_for_is_looked_at(
    setting: Setting, tmp_path: Path
) -> None:
    server = RetryingServer(tmp_path)
    with origin(server) as listening, proxy(setting) as running:
        with asked_again(running, listening) as client:
            for byte in SECOND[:-1]:
                client.sendall(bytes((byte,)))
            client.sendall(SECOND[-1:])
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        running.settle()
        assert running.audit.decisions == [("allow", "allowed_by_rule"), ("deny", "sni_mismatch")]
    assert server.asked_for == [FRONT]


def test_where_it_is_only_recorded_the_second_is_on_record_too(
    setting: Setting, tmp_path: Path
) -> None:
    setting.policy.sni = Sni.RECORD
    server = RetryingServer(tmp_path)
    with origin(server) as listening, proxy(setting) as running:
        with asked_again(running, listening) as client:
            client.sendall(SECOND)
            assert client.recv(65536)[:1] == b"\x16"
        running.settle()
        seen = [each.server_name for each in running.audit.of(TlsObserved)]
    assert seen == server.asked_for == [FRONT, "hidden.test"]


def test_real_clients_that_are_asked_again_are_let_through(
    setting: Setting, tmp_path: Path
) -> None:
    """The server wants another group than the client guesses first."""
    authority = make_authority(tmp_path, FRONT)
    context = authority.server_context()
    context.set_ecdh_curve("secp521r1")

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            while data := secured.recv(65536):
                secured.sendall(data)

    trusting = ssl.create_default_context(cafile=authority.bundle)
    with origin(serve) as listening, proxy(setting) as running:
        client, _ = running.connect(f"{FRONT}:{listening.port}")
        with trusting.wrap_socket(client, server_hostname=FRONT) as secured:
            secured.sendall(b"hello")
            assert secured.recv(100) == b"hello"
        running.settle()
        assert running.audit.decisions == [("allow", "allowed_by_rule")]
        (seen,) = running.audit.of(TlsObserved)  # it said the same again
    assert seen.server_name == FRONT


def test_what_came_with_the_connect_is_looked_at_too(setting: Setting, sink: Sink) -> None:
    with sink.listening() as listening, proxy(setting) as running:
        assert say(running, f"{FRONT}:{listening.port}", early=HIDDEN) == b"cut"
        assert_refused(running, sink)


def test_through_pipes_as_well(setting: Setting, sink: Sink) -> None:
    setting.limits = replace(LIMITS, splice_after_bytes=0)
    with sink.listening() as listening, proxy(setting) as running:
        assert say(running, f"{FRONT}:{listening.port}", HIDDEN) == b"cut"
        assert_refused(running, sink)


def test_over_socks(setting: Setting, sink: Sink) -> None:
    with sink.listening() as listening, proxy(setting) as running, running.socks() as client:
        client.sendall(b"\x05\x01\0")
        assert client.recv(2) == b"\x05\0"
        client.sendall(
            b"\x05\x01\0\x03" + bytes((len(FRONT),)) + FRONT.encode() + listening.port.to_bytes(2)
        )
        assert client.recv(100)[:2] == b"\x05\0"
        client.sendall(HIDDEN)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert_refused(running, sink)


def test_block_refuses_it_and_lets_the_command_go_on(setting: Setting, sink: Sink) -> None:
    setting.policy.on_denial = OnDenial.BLOCK
    with sink.listening() as listening, proxy(setting) as running:
        assert say(running, f"{FRONT}:{listening.port}", HIDDEN) == b"cut"
        running.settle()
        assert running.audit.decisions[-1] == ("deny", "sni_mismatch")
        assert running.token.causes == []


def test_record_lets_it_pass_and_says_so(setting: Setting, sink: Sink) -> None:
    setting.policy.sni = Sni.RECORD
    with sink.listening() as listening, proxy(setting) as running:
        assert say(running, f"{FRONT}:{listening.port}", HIDDEN) == b""
        running.settle()
        (seen,) = running.audit.of(TlsObserved)
        assert (seen.server_address, seen.server_name) == (FRONT, "hidden.test")
        assert running.audit.decisions == [("allow", "allowed_by_rule")]
    assert sink.received == [HIDDEN]


PASSING = {
    "its own": [HONEST],
    "in capitals, with a dot": [hello(names(b"FRONT.test."))],
    "none": [hello()],
    "in many pieces": [bytes((byte,)) for byte in records(HONEST, 1, 1, 1)],
    "no TLS": [b"SSH-2.0-x\r\n", HIDDEN],
    "TLS that comes later": [b"EHLO x\r\nSTARTTLS\r\n", HIDDEN],
    "no TLS behind an empty record": [record(22, b""), b"SSH-2.0-x\r\n"],
    "nearly TLS": [b"\x16", b"\x03", b"\x01", b"\0\x01", b"\x09"],
    "a hello that ends too soon": [HONEST[:-1]],
    "a first byte alone": [b"\x16"],
    "its own, twice": [RETRIED_HELLO, record(20, b"\x01") + RETRIED_HELLO, record(23, b"sealed")],
    "its own, and a finished handshake": [
        RETRIED_HELLO,
        record(20, b"\x01") + record(22, b"\x01\0\0\x80" + bytes(36)) + record(23, b"sealed"),
    ],
}


@pytest.mark.parametrize("parts", PASSING.values(), ids=list(PASSING))
def test_all_else_arrives_whole(parts: list[bytes], setting: Setting, sink: Sink) -> None:
    with sink.listening() as listening, proxy(setting) as running:
        say(running, f"{FRONT}:{listening.port}", *parts)
        running.settle()
        assert running.audit.decisions == [("allow", "allowed_by_rule")]
        (closed,) = running.audit.of(ConnectionClosed)
    assert sink.received == [b"".join(parts)]
    assert closed.bytes_sent == len(sink.received[0])


def test_an_address_has_no_name_to_compare(setting: Setting, sink: Sink) -> None:
    with sink.listening() as listening, proxy(setting) as running:
        say(running, f"127.0.0.1:{listening.port}", HIDDEN)
        running.settle()
        (seen,) = running.audit.of(TlsObserved)
        assert seen.server_name == "hidden.test"
    assert sink.received == [HIDDEN]


def test_a_hello_that_takes_its_time_hides_no_name(setting: Setting, sink: Sink) -> None:
    setting.limits = replace(LIMITS, hello_seconds=0.05)
    with sink.listening() as listening, proxy(setting) as running:
        # At once: the time of a hello is too short for a busy client.
        client, _ = running.connect(f"{FRONT}:{listening.port}", early=HIDDEN[:20])
        with client, pytest.raises(ConnectionResetError):
            client.recv(1)
        assert_refused(running, sink)


def test_where_it_is_only_recorded_it_goes_on_after_a_while(setting: Setting, sink: Sink) -> None:
    setting.limits = replace(LIMITS, hello_seconds=0.05)
    setting.policy.sni = Sni.RECORD
    with sink.listening() as listening, proxy(setting) as running:
        client, _ = running.connect(f"{FRONT}:{listening.port}", early=HIDDEN[:20])
        with client:
            eventually(lambda: bool(running.audit.of(TlsObserved)))
            assert running.audit.of(TlsObserved)[0].seen == "part"
            client.sendall(HIDDEN[20:])
        running.settle()
    assert sink.received == [HIDDEN]


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01"], ids=["nothing", "half a hello"])
def test_a_server_that_speaks_first_is_heard_at_once(begun: bytes, setting: Setting) -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"220 ready\r\n")
        read_all(connection)

    with origin(greet) as listening, proxy(setting) as running:
        client, heard = running.connect(f"{FRONT}:{listening.port}", early=begun)
        with client:
            if not heard.endswith(b"220 ready\r\n"):  # it may come right behind the answer
                assert read_until(client, b"ready\r\n") == b"220 ready\r\n"
        running.settle()


def test_real_tls_is_on_record_with_what_it_offers(setting: Setting, sink: Sink) -> None:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=FRONT)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with sink.listening() as listening, proxy(setting) as running:
        say(running, f"{FRONT}:{listening.port}", outgoing.read())
        running.settle()
        (seen,) = running.audit.of(TlsObserved)
    assert (seen.server_name, seen.alpn, seen.ech) == (FRONT, ("h2", "http/1.1"), False)
