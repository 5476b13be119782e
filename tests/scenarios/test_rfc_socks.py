"""RFC 1928 and 1929 as a table: what a SOCKS5 server has to do, sent to a running gateway.

A row is a duty: its section, what must hold, the client's bytes and the server's, in hex. Each is
sent whole, and again a byte at a time. PORT is the origin's port and BOUND ours, as two octets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.connection.credentials import Credentials, Identity
from tests.support.datagrams import Associated, peer
from tests.support.origins import echo, origin
from tests.support.proxies import Proxy, proxy
from tests.support.rfc_rows import converse, open_gateway

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

NONE = " 00 01 00 00 00 00 00 00"  # RSV, and a bound address that says nothing
V4 = " 00 01 7f 00 00 01 PORT"


def name(host: str) -> str:
    return f" 00 03 {len(host):02x} {host.encode().hex()} "


# Section, what holds, sent, answered; an echoing origin listens at PORT.
ROWS = [
    ("1928 3", "no authentication is taken where none is asked for", "05 01 00", "05 00"),
    ("1928 3", "of several methods too, wherever it stands", "05 03 01 02 00", "05 00"),
    ("1928 3", "255 methods are read", "05 ff" + " 80" * 254 + " 00", "05 00"),
    ("1928 3", "no method at all is none of ours", "05 00", "05 ff"),
    ("1928 3", "GSSAPI alone is none of ours", "05 01 01", "05 ff"),
    ("1928 3", "a secret alone is none where nothing asks for it", "05 01 02", "05 ff"),
    (
        "1928 4",
        "CONNECT by IPv4; what came early is kept; half-close",
        f"05 01 00 05 01{V4} 68 69",
        "05 00 05 00 00 01 7f 00 00 01 BOUND 68 69",
    ),
    (
        "1928 4",
        "CONNECT by name",
        f"05 01 00 05 01{name('a.test')} PORT 68 69",
        "05 00 05 00 00 01 7f 00 00 01 BOUND 68 69",
    ),
    (
        "1928 4",
        "CONNECT by IPv6",
        f"05 01 00 05 01 00 04 {'00' * 15} 01 PORT",
        "05 00 05 05" + NONE,
    ),
    ("1928 4", "the request is version 5", f"05 01 00 04 01{V4}", "05 00 05 01" + NONE),
    (
        "1928 4",
        "the reserved octet is zero",
        "05 01 00 05 01 01 01 7f 00 00 01 PORT",
        "05 00 05 01" + NONE,
    ),
    ("1928 4", "BIND is not supported", f"05 01 00 05 02{V4}", "05 00 05 07" + NONE),
    *(
        (
            "1928 4",
            f"{command:02x} is no command",
            f"05 01 00 05 {command:02x}{V4}",
            "05 00 05 07" + NONE,
        )
        for command in (0, 4, 5, 0x7F, 0x80, 0xFF)
    ),
    *(
        (
            "1928 5",
            f"{kind:02x} is no address type",
            f"05 01 00 05 01 00 {kind:02x} 7f 00 00 01 PORT",
            "05 00 05 08" + NONE,
        )
        for kind in (0, 2, 5, 0xFF)
    ),
    ("1928 5", "a name has a length", "05 01 00 05 01 00 03 00 PORT", "05 00 05 01" + NONE),
    (
        "1928 5",
        "255 octets of a name are read",
        f"05 01 00 05 01 00 03 ff {'61' * 255} PORT",
        "05 00 05 01" + NONE,
    ),
    (
        "1928 5",
        "a name ends where its length says",
        "05 01 00 05 01 00 03 08 61 2e 74 65 73 74 00 62 PORT",
        "05 00 05 01" + NONE,
    ),
    (
        "1928 5",
        "an address spelled as a name is one address",
        f"05 01 00 05 01{name('127.0.0.1')} PORT 68 69",
        "05 00 05 00 00 01 7f 00 00 01 BOUND 68 69",
    ),
    (
        "1928 5",
        "a number is no name",
        f"05 01 00 05 01{name('2130706433')} PORT",
        "05 00 05 01" + NONE,
    ),
    (
        "1928 6",
        "01: a port that does not exist",
        "05 01 00 05 01 00 01 7f 00 00 01 00 00",
        "05 00 05 01" + NONE,
    ),
    *(
        ("1928 6", f"{code}: {why}", f"05 01 00 05 01{name(host)} PORT", f"05 00 05 {code}{NONE}")
        for code, why, host in [
            ("01", "failed otherwise", "internal.test"),
            ("02", "refused by a rule", "denied.test"),
            ("02", "refused for where the name leads", "private.test"),
            ("03", "no way to that network", "network-unreachable.test"),
            ("04", "no way to that host", "host-unreachable.test"),
            ("04", "no such name", "unknown.test"),
            ("04", "no answer about the name", "dns-timeout.test"),
            ("05", "refused there", "connection-refused.test"),
            ("06", "no answer in time", "connection-timeout.test"),
        ]
    ),
    (
        "1928 6",
        "nothing is read of what follows a refusal",
        f"05 01 00 05 01{name('denied.test')} PORT 05 01 00 05 01{V4}",
        "05 00 05 02" + NONE,
    ),
    (
        "SOCKS4",
        "is answered in its own words",
        "04 01 PORT 7f 00 00 01 00",
        "00 5b 00 00 00 00 00 00",
    ),
    (
        "SOCKS4",
        "4a too",
        "04 01 PORT 00 00 00 01 00 61 2e 74 65 73 74 00",
        "00 5b 00 00 00 00 00 00",
    ),
]
# Where a secret is asked for: "sesame".
SECRET = "73 65 73 61 6d 65"
GUARDED = [
    ("1929 1", "the method is chosen when it is offered", "05 02 00 02", "05 02"),
    ("1929 1", "nothing goes without it", "05 01 00 05 01 00 01 7f 00 00 01 PORT", "05 ff"),
    (
        "1929 2",
        "a secret that is right leads on",
        f"05 01 02 01 01 78 06 {SECRET} 05 01{V4} 68",
        "05 02 01 00 05 00 00 01 7f 00 00 01 BOUND 68",
    ),
    (
        "1929 2",
        "names of 255 octets are read",
        f"05 01 02 01 ff {'78' * 255} 06 {SECRET} 05 01{V4} 68",
        "05 02 01 00 05 00 00 01 7f 00 00 01 BOUND 68",
    ),
    (
        "1929 2",
        "a wrong one is a failure, and the end",
        f"05 01 02 01 01 78 05 {SECRET[:-3]} 05 01{V4}",
        "05 02 01 01",
    ),
    ("1929 2", "so is none", f"05 01 02 01 01 78 00 05 01{V4}", "05 02 01 01"),
    (
        "1929 2",
        "and another version of the negotiation",
        f"05 01 02 05 01 78 06 {SECRET}",
        "05 02 01 01",
    ),
    ("1928 3", "the negotiation can't be left out", f"05 01 02 05 01{V4}", "05 02 01 01"),
]
# What an association does with a datagram: it arrives as the octets that follow its header, or not.
DATAGRAMS = [
    ("by IPv4", "00 00 00 01 7f 00 00 01 PORT 68 69", "68 69"),
    ("by name", f"00 00{name('a.test')} PORT 68 69", "68 69"),
    ("without data", "00 00 00 01 7f 00 00 01 PORT", ""),
    ("RSV is not zero: dropped", "00 01 00 01 7f 00 00 01 PORT 78", None),
    ("RSV is not zero: dropped, the first octet too", "01 00 00 01 7f 00 00 01 PORT 78", None),
    ("FRAG 1: dropped", "00 00 01 01 7f 00 00 01 PORT 78", None),
    ("FRAG 127: dropped", "00 00 7f 01 7f 00 00 01 PORT 78", None),
    ("FRAG with the end of a sequence: dropped", "00 00 80 01 7f 00 00 01 PORT 78", None),
    ("no address type: dropped", "00 00 00 02 7f 00 00 01 PORT 78", None),
    ("cut short: dropped", "00 00 00 01 7f 00 00", None),
    ("a name of no length: dropped", "00 00 00 03 00 PORT 78", None),
    ("port 0: dropped", "00 00 00 01 7f 00 00 01 00 00 78", None),
    ("a refused host: dropped", f"00 00{name('denied.test')} PORT 78", None),
    ("a host behind a private address: dropped", f"00 00{name('private.test')} PORT 78", None),
]


@pytest.fixture(scope="module")
def near() -> Iterator[Proxy]:
    with proxy(open_gateway()) as running:
        yield running


@pytest.fixture(scope="module")
def guarded() -> Iterator[Proxy]:
    setting = open_gateway()
    setting.credentials = Credentials.of({Identity("me"): b"sesame"})
    with proxy(setting) as running:
        yield running


def each(rows: list[tuple[str, str, str, str]]) -> pytest.MarkDecorator:
    ids = [f"{section} {holds}" for section, holds, _, _ in rows]
    return pytest.mark.parametrize("row", rows, ids=ids)


def octets(text: str, port: int) -> bytes:
    return bytes.fromhex(text.replace("PORT", f"{port:04x}"))


def check(client: socket.socket, row: tuple[str, str, str, str], *, by_byte: bool) -> None:
    _, _, sent, answered = row
    before, bound, after = answered.partition("BOUND")
    with origin(echo) as far, client:
        data = octets(sent, far.port)
        parts = [bytes([octet]) for octet in data] if by_byte else [data]
        got = converse(client, *parts)
    start, end = octets(before, far.port), octets(after, far.port)
    assert got.startswith(start)
    assert got.endswith(end)
    assert len(got) == len(start) + (2 if bound else 0) + len(end)


@each(ROWS)
@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "by-byte"])
def test_row(row: tuple[str, str, str, str], by_byte: bool, near: Proxy) -> None:
    check(near.socks(), row, by_byte=by_byte)


@each(ROWS)
def test_row_on_a_port_for_both(row: tuple[str, str, str, str], near: Proxy) -> None:
    check(near.mixed(), row, by_byte=False)


@each(GUARDED)
@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "by-byte"])
def test_row_with_a_secret(row: tuple[str, str, str, str], by_byte: bool, guarded: Proxy) -> None:
    check(guarded.socks(), row, by_byte=by_byte)


@pytest.mark.parametrize(
    ("sent", "arrives"), [pytest.param(*row[1:], id=f"1928 7 {row[0]}") for row in DATAGRAMS]
)
def test_datagram(sent: str, arrives: str | None, near: Proxy) -> None:
    with peer() as far, Associated(near.socks()) as client:
        client.send_raw(octets(sent, far.port))
        # Behind it one that arrives in any case: what did not come before it was dropped.
        if arrives is None:
            client.send("127.0.0.1", far.port, b"last")
            arrives = b"last".hex()
        # Answers name the address that they come from.
        assert client.receive() == ("127.0.0.1", far.port, bytes.fromhex(arrives))
        assert far.received == [bytes.fromhex(arrives)]


def test_1928_7_an_association_ends_with_its_connection(near: Proxy) -> None:
    with peer() as far, Associated(near.socks()) as client:
        client.send("127.0.0.1", far.port, b"before")
        client.receive()
        near.settle_after(client.control)
        client.send("127.0.0.1", far.port, b"after")
        assert client.hears_nothing()
        assert far.received == [b"before"]


def test_1928_7_datagrams_come_from_one_client_port(near: Proxy) -> None:
    with peer() as far, Associated(near.socks()) as client, Associated(near.socks()) as other:
        client.send("127.0.0.1", far.port, b"mine")
        client.receive()
        other.socket.sendto(octets("00 00 00 01 7f 00 00 01 PORT 78", far.port), client.port)
        client.send("127.0.0.1", far.port, b"mine too")
        client.receive()
        assert far.received == [b"mine", b"mine too"]
