"""The part that request and response heads share."""

from __future__ import annotations

import pytest

from netproxy.config import Limits
from netproxy.errors import ClientProtocolError
from netproxy.protocol.head import HeadReader, refuse_foreign


def reader() -> HeadReader[bytes]:
    return HeadReader(Limits(), bytes)


def test_a_head_without_fields() -> None:
    assert reader().receive(b"first\r\n\r\nrest") == (b"first", (), b"rest")


def test_an_upgrade_field_is_read_like_any_other() -> None:
    read = reader().receive(b"first\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert read is not None
    assert read[1] == ((b"Connection", b"upgrade"), (b"Upgrade", b"h2c"))


def test_the_first_line_is_judged_before_the_head_is_whole() -> None:
    def refuse(line: bytes) -> bytes:
        raise ClientProtocolError("no")

    with pytest.raises(ClientProtocolError):
        HeadReader(Limits(), refuse).receive(b"first\r\n")


def test_is_empty_until_something_comes() -> None:
    empty = reader()
    assert empty.is_empty
    empty.receive(b"\r\n")
    assert empty.is_empty
    empty.receive(b"f")
    assert not empty.is_empty


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(b"A : b", id="9112-5.1-space-before-colon"),
        pytest.param(b"A: b\r\n c", id="9112-5.2-obs-fold"),
        pytest.param(b" A: b", id="9112-2.2-leading-space"),
        pytest.param(b"A: b\0c", id="9110-5.5-nul"),
        pytest.param(b"A: b\rc", id="9112-2.2-bare-cr"),
        pytest.param(b"A: b\x7f", id="9110-5.5-control"),
        pytest.param(b"A", id="no-colon"),
        pytest.param(b": b", id="no-name"),
        pytest.param(b"A\xff: b", id="name-not-a-token"),
        pytest.param(b"A: b\nC: d", id="bare-lf"),
    ],
)
def test_a_malformed_field_is_refused(field: bytes) -> None:
    with pytest.raises(ClientProtocolError) as refused:
        reader().receive(b"first\r\n" + field + b"\r\n\r\n")
    assert refused.value.status == 400


@pytest.mark.parametrize("data", [b"\x16\x03\n", b"\x05\r\n\r\n", b"\xff" * 20_000])
def test_another_protocol_is_named_so_however_much_came_at_once(data: bytes) -> None:
    said = []
    for first in (data[:1], data):
        with pytest.raises(ClientProtocolError) as refused:
            reader().receive(first)
        said.append(str(refused.value))
    assert said[0] == said[1]
    assert said[0].startswith("this is ")


@pytest.mark.parametrize("start", [b"first\n", b"first\r\nA: b\n", b"first\r\nA: b\r\n\n"])
def test_a_bare_lf_is_refused_at_once_and_not_when_time_runs_out(start: bytes) -> None:
    with pytest.raises(ClientProtocolError):
        reader().receive(start)


@pytest.mark.parametrize(
    ("start", "word"),
    [(b"\x16\x03", "TLS"), (b"\x05\x01", "SOCKS"), (b"\x04\x01", "SOCKS"), (b"\xff", "HTTP")],
)
def test_other_protocols_are_named(start: bytes, word: str) -> None:
    with pytest.raises(ClientProtocolError, match=word):
        refuse_foreign(start)


@pytest.mark.unmeasured
def test_long_heads_are_not_read_again_for_each_byte() -> None:
    """64 KiB byte by byte: a reader that starts over would need minutes."""
    slow = reader()
    slow.receive(b"first\r\nX: ")
    for _ in range(60_000):
        assert slow.receive(b"a") is None
    assert slow.receive(b"\r\n\r\n") is not None
