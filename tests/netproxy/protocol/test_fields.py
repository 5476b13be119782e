from __future__ import annotations

import pytest

from netproxy.errors import ClientProtocolError
from netproxy.protocol.fields import (
    CHUNKED,
    Framing,
    Length,
    by_name,
    connection_options,
    declared_framing,
    offered_protocols,
)


def test_values_keep_their_order() -> None:
    fields = ((b"A", b"1"), (b"b", b"x"), (b"a", b"2"))
    assert by_name(fields) == {b"a": [b"1", b"2"], b"b": [b"x"]}


def test_connection_options_of_all_lines() -> None:
    fields = ((b"Connection", b"close, X-A ,,"), (b"connection", b"TE"))
    assert connection_options(by_name(fields)) == {b"close", b"x-a", b"te"}


@pytest.mark.parametrize(
    "option",
    [b"Host", b"content-length", b"Transfer-Encoding", b"Authorization", b"Connection", b"Via",
     b"cookie", b"a b", b"\xff"],
)  # fmt: skip
def test_r47_connection_may_not_name_what_routes_or_frames(option: bytes) -> None:
    with pytest.raises(ClientProtocolError):
        connection_options(by_name(((b"Connection", b"close, " + option),)))


def test_an_answer_may_name_its_framing() -> None:
    fields = ((b"Connection", b"Transfer-Encoding"),)
    assert connection_options(by_name(fields), is_answer=True) == {b"transfer-encoding"}


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        ((), []),
        ((("Connection", "upgrade"),), []),
        ((("Upgrade", "websocket"),), []),
        ((("Connection", "x, Upgrade"), ("Upgrade", "WebSocket")), [b"websocket"]),
        (
            (("Connection", "Upgrade"), ("Upgrade", "a/1 , b"), ("upgrade", "c")),
            [b"a/1", b"b", b"c"],
        ),
    ],
)
def test_what_upgrade_offers(fields: tuple[tuple[str, str], ...], offered: list[bytes]) -> None:
    index = by_name(tuple((name.encode(), value.encode()) for name, value in fields))
    assert offered_protocols(index, connection_options(index)) == offered


@pytest.mark.parametrize("connection", [b"close", b"Upgrade, HTTP2-Settings"])
@pytest.mark.parametrize("upgrade", [b"h2c", b"H2C", b"websocket, h2c"])
def test_http_2_in_the_clear_is_refused(connection: bytes, upgrade: bytes) -> None:
    index = by_name(((b"Connection", connection), (b"Upgrade", upgrade)))
    with pytest.raises(ClientProtocolError):
        offered_protocols(index, connection_options(index))


@pytest.mark.parametrize(
    ("fields", "framing"),
    [
        pytest.param((), None, id="silent"),
        pytest.param(((b"Content-Length", b"007"),), Length(7), id="length"),
        pytest.param(((b"Transfer-Encoding", b"CHUNKED"),), CHUNKED, id="chunked"),
    ],
)
def test_framing(fields: tuple[tuple[bytes, bytes], ...], framing: Framing | None) -> None:
    assert declared_framing(by_name(fields), minor=1) == framing


@pytest.mark.parametrize(
    ("fields", "minor", "status"),
    [
        ((("Content-Length", "1"), ("Transfer-Encoding", "chunked")), 1, 400),
        ((("Content-Length", "1"), ("Content-Length", "1")), 1, 400),
        ((("Content-Length", "1, 1"),), 1, 400),
        ((("Content-Length", "+1"),), 1, 400),
        ((("Content-Length", "1" * 19),), 1, 400),
        ((("Content-Length", ""),), 1, 400),
        ((("Transfer-Encoding", "gzip, chunked"),), 1, 501),
        ((("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")), 1, 501),
        ((("Transfer-Encoding", "identity"),), 1, 501),
        ((("Transfer-Encoding", "\x0bchunked"),), 1, 501),
        ((("Transfer-Encoding", "chunked"),), 0, 400),
    ],
)
def test_ambiguous_framing_is_refused(
    fields: tuple[tuple[str, str], ...], minor: int, status: int
) -> None:
    raw = tuple((name.encode(), value.encode()) for name, value in fields)
    with pytest.raises(ClientProtocolError) as refused:
        declared_framing(by_name(raw), minor=minor)
    assert refused.value.status == status
