"""RFC 1928 from the server's side; rows R79 to R92 of the duty table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import ClientProtocolError, SocksProtocolError, SocksReply
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.socks5 import Greeted, Handshake, SocksRequest, reply
from tests.support.readers import pieces

GREETING = b"\x05\x02\x02\x00"
NAME = b"\x05\x01\x00\x03\x06a.test\x01\xbb"
IPV4 = b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"
IPV6 = b"\x05\x01\x00\x04" + b"\x00" * 15 + b"\x01\x00\x50"


def read(parts: list[bytes]) -> tuple[SocksRequest | None, bytes, bool]:
    handshake = Handshake()
    is_greeted = False
    rest = list(parts)
    while rest:
        event = handshake.receive(rest.pop(0))
        if isinstance(event, Greeted):
            is_greeted = True
            event = handshake.receive(b"")
        if isinstance(event, SocksRequest):
            return event, handshake.unread + b"".join(rest), is_greeted
    return None, b"", is_greeted


@pytest.mark.parametrize(
    ("data", "host", "port"),
    [(NAME, b"a.test", 443), (IPV4, b"127.0.0.1", 80), (IPV6, b"::1", 80)],
)
def test_requests(data: bytes, host: bytes, port: int) -> None:
    request, unread, is_greeted = read([GREETING + data + b"early"])
    assert request == SocksRequest(host=host, port=port)
    assert (unread, is_greeted) == (b"early", True)


@given(st.sampled_from([NAME, IPV4, IPV6]).flatmap(lambda d: pieces(GREETING + d + b"early")))
def test_r92_where_the_bytes_are_split_never_matters(parts: list[bytes]) -> None:
    request, unread, _ = read(parts)
    assert request is not None
    assert unread == b"early"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(b"\x05\x00", b"\x05\xff", id="r79-no-methods"),
        pytest.param(b"\x05\x01\x02", b"\x05\xff", id="r79-password-only"),
        pytest.param(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"", id="r80-socks4"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"", id="r80-http"),
        pytest.param(b"\x16\x03\x01", b"", id="r80-tls"),
        pytest.param(GREETING + b"\x04\x01", reply(SocksReply.GENERAL_FAILURE), id="r90-version"),
        pytest.param(
            GREETING + b"\x05\x01\x01", reply(SocksReply.GENERAL_FAILURE), id="r90-reserved"
        ),
        pytest.param(
            GREETING + b"\x05\x02", reply(SocksReply.COMMAND_NOT_SUPPORTED), id="r88-bind"
        ),
        pytest.param(GREETING + b"\x05\x03", reply(SocksReply.COMMAND_NOT_SUPPORTED), id="r88-udp"),
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
        try:
            read([start + data[:cut], data[cut:]])
        except ClientProtocolError:
            continue


def test_an_unfinished_request_waits() -> None:
    handshake = Handshake()
    assert isinstance(handshake.receive(GREETING), Greeted)
    assert isinstance(handshake.receive(NAME[:-1]), NeedData)


def test_replies() -> None:
    assert reply(SocksReply.NOT_ALLOWED) == b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"
    assert reply(SocksReply.SUCCEEDED, address="::1", port=258) == (
        b"\x05\x00\x00\x04" + b"\x00" * 15 + b"\x01\x01\x02"
    )
