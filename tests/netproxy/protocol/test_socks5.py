"""RFC 1928 from the server's side; rows R79 to R92 of the duty table."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import ClientProtocolError, SocksProtocolError, SocksReply
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.socks5 import (
    METHOD_CHOSEN,
    SECRET_REFUSED,
    SECRET_WANTED,
    SOCKS4_REFUSED,
    Command,
    Greeted,
    Handshake,
    SecretShown,
    SocksRequest,
    _read_request,
    reply,
)
from tests.support.readers import pieces

GREETING = b"\x05\x02\x02\x00"
NAME = b"\x05\x01\x00\x03\x06a.test\x01\xbb"
IPV4 = b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"
UDP = b"\x05\x03\x00\x01\x00\x00\x00\x00\x30\x39"
SECRET = b"\x01\x04user\x06secret"
IPV6 = b"\x05\x01\x00\x04" + b"\x00" * 15 + b"\x01\x00\x50"


def read(
    parts: list[bytes], *, secret: bytes | None = None
) -> tuple[SocksRequest | None, bytes, list[bytes]]:
    """The request, what follows it, and what the client was answered until then."""
    handshake = Handshake(asks_secret=secret is not None)
    answers = []
    rest = list(parts)
    while rest:
        event = handshake.receive(rest.pop(0))
        if isinstance(event, Greeted):
            answers.append(event.answer)
            event = handshake.receive(b"")
        if isinstance(event, SecretShown):
            assert event.secret == secret
            handshake.admit()
            event = handshake.receive(b"")
        if isinstance(event, SocksRequest):
            return event, handshake.unread + b"".join(rest), answers
    return None, b"", answers


def test_what_comes_behind_a_request_is_not_kept_with_it() -> None:
    for place in (b"\x01\x7f\x00\x00\x01", b"\x03\x06a.test", b"\x04" + bytes(16)):
        asked = b"\x05\x01\x00" + place + b"\x01\xbb"
        read([GREETING + asked + b"early"])
        kept = _read_request.cache_info().currsize
        request, unread, _ = read([GREETING + asked + b"a secret"])
        assert isinstance(request, SocksRequest)
        assert unread == b"a secret"
        assert _read_request.cache_info().currsize == kept


@pytest.mark.parametrize(
    ("data", "host", "port"),
    [(NAME, b"a.test", 443), (IPV4, b"127.0.0.1", 80), (IPV6, b"::1", 80)],
)
def test_requests(data: bytes, host: bytes, port: int) -> None:
    request, unread, answers = read([GREETING + data + b"early"])
    assert request == SocksRequest(command=Command.CONNECT, host=host, port=port)
    assert (unread, answers) == (b"early", [METHOD_CHOSEN])


def test_an_association_names_where_its_datagrams_come_from() -> None:
    request, _, _ = read([GREETING + UDP])
    assert request == SocksRequest(command=Command.UDP_ASSOCIATE, host=b"0.0.0.0", port=12345)


@given(pieces(GREETING + SECRET + NAME + b"early"))
def test_r81_a_secret_wherever_it_is_split(parts: list[bytes]) -> None:
    request, unread, answers = read(parts, secret=b"secret")
    assert request is not None
    assert (unread, answers) == (b"early", [SECRET_WANTED])


@pytest.mark.parametrize(
    ("shown", "secret"),
    [
        pytest.param(b"\x01\x00\x01s", b"s", id="no-name"),
        pytest.param(b"\x01\x01u\x00", b"", id="no-secret"),
        pytest.param(b"\x01\xff" + b"u" * 255 + b"\xff" + b"s" * 255, b"s" * 255, id="longest"),
    ],
)
def test_the_lengths_of_a_secret(shown: bytes, secret: bytes) -> None:
    for parts in ([shown], [shown[i : i + 1] for i in range(len(shown))]):
        request, _, _ = read([GREETING, *parts, NAME], secret=secret)
        assert request is not None


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(b"\x05\x01\x00", b"\x05\xff", id="method-not-offered"),
        pytest.param(GREETING + NAME, SECRET_REFUSED, id="r82-request-straight-away"),
        pytest.param(GREETING + b"\x02", SECRET_REFUSED, id="r81-version"),
    ],
)
def test_no_request_without_the_secret(data: bytes, answer: bytes) -> None:
    for parts in ([data], [data[i : i + 1] for i in range(len(data))]):
        with pytest.raises(SocksProtocolError) as refused:
            read(parts, secret=b"secret")
        assert refused.value.answer == answer


def test_a_request_is_not_read_until_its_secret_was_judged() -> None:
    handshake = Handshake(asks_secret=True)
    with pytest.raises(AssertionError):
        handshake.admit()
    handshake.receive(GREETING + SECRET + NAME)
    assert isinstance(handshake.receive(b""), SecretShown)
    with pytest.raises(AssertionError):
        handshake.receive(b"")


@given(st.sampled_from([NAME, IPV4, IPV6, UDP]).flatmap(lambda d: pieces(GREETING + d + b"early")))
def test_r92_where_the_bytes_are_split_never_matters(parts: list[bytes]) -> None:
    request, unread, _ = read(parts)
    assert request is not None
    assert unread == b"early"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(b"\x05\x00", b"\x05\xff", id="r79-no-methods"),
        pytest.param(b"\x05\x01\x02", b"\x05\xff", id="r79-password-only"),
        pytest.param(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", SOCKS4_REFUSED, id="r80-socks4"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"", id="r80-http"),
        pytest.param(b"\x16\x03\x01", b"", id="r80-tls"),
        pytest.param(GREETING + b"\x04\x01", reply(SocksReply.GENERAL_FAILURE), id="r90-version"),
        pytest.param(
            GREETING + b"\x05\x01\x01", reply(SocksReply.GENERAL_FAILURE), id="r90-reserved"
        ),
        pytest.param(
            GREETING + b"\x05\x02", reply(SocksReply.COMMAND_NOT_SUPPORTED), id="r88-bind"
        ),
        pytest.param(
            GREETING + b"\x05\x04", reply(SocksReply.COMMAND_NOT_SUPPORTED), id="r88-unknown"
        ),
        pytest.param(
            GREETING + b"\x05\x01\x00\x02", reply(SocksReply.ADDRESS_TYPE_NOT_SUPPORTED), id="r89"
        ),
    ],
)
def test_refusals_come_with_their_reply(data: bytes, answer: bytes) -> None:
    for parts in ([data], [data[i : i + 1] for i in range(len(data))]):
        with pytest.raises(SocksProtocolError) as refused:
            read(parts)
        assert refused.value.answer == answer


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes, cut: int) -> None:
    for start in (b"", b"\x05\x01\x00", b"\x05\x01\x00\x05\x01\x00"):
        with suppress(ClientProtocolError):
            read([start + data[:cut], data[cut:]])
    for start in (GREETING, GREETING + b"\x01"):
        with suppress(ClientProtocolError):
            Handshake(asks_secret=True).receive(start + data)


@pytest.mark.parametrize("data", [NAME, IPV4, IPV6, UDP])
def test_an_unfinished_request_waits(data: bytes) -> None:
    handshake = Handshake()
    assert isinstance(handshake.receive(GREETING), Greeted)
    for byte in data[:-1]:
        assert isinstance(handshake.receive(bytes((byte,))), NeedData)
    assert isinstance(handshake.receive(data[-1:]), SocksRequest)


def test_replies() -> None:
    assert reply(SocksReply.NOT_ALLOWED) == b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"
    assert reply(SocksReply.SUCCEEDED, address="::1", port=258) == (
        b"\x05\x00\x00\x04" + b"\x00" * 15 + b"\x01\x01\x02"
    )


def test_more_that_came_is_known() -> None:
    handshake = Handshake(asks_secret=False)
    handshake.receive(GREETING + NAME[:3])
    assert handshake.has_more
    handshake = Handshake(asks_secret=False)
    handshake.receive(GREETING)
    assert not handshake.has_more
