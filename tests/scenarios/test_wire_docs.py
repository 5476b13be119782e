"""What docs/wire.md shows is sent to a running gateway, and answered as the page says."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from netproxy.config import Limits
from netproxy.connection.credentials import Credentials, Identity
from netproxy.errors import DestinationUnreachable, Failure
from netproxy.model import Reason, Verdict
from otel.events import AssociationClosed
from tests.support.datagrams import Associated, peer
from tests.support.fakes import FakePolicy, judgement
from tests.support.origins import Recorder, origin, read_all
from tests.support.people import ROOT
from tests.support.proxies import LOOPBACK, Proxy, Setting, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = (ROOT / "docs/wire.md").read_text()
HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
ALLOWING = {Reason.ALLOWED_BY_RULE, Reason.ALLOWED_BY_GRANT, Reason.APPROVED}
# Decided before a policy is asked: the rows of malformed requests show it.
UNJUDGED = {Reason.INVALID_DESTINATION}
UNITS = {"KiB": 1024, "MiB": 1024 * 1024}
SOCKS_HELLO = bytes.fromhex("050100")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose head begins so, without the quotes around code."""
    _, _, rest = PAGE.partition(f"\n| {heading} |")
    assert rest, f"there is no table {heading}"
    table = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table]


def each(heading: str) -> pytest.MarkDecorator:
    found = rows(heading)
    return pytest.mark.parametrize("row", found, ids=[cells[0] for cells in found])


def wire(cell: str, authority: str = "") -> bytes:
    """A cell as bytes; a head without its empty line gets one."""
    plain = re.sub(r" ?⏎ ?", "\r\n", cell).replace("AUTH", authority)
    return plain.encode("latin-1").decode("unicode_escape").encode("latin-1")


def head(cell: str, authority: str = "") -> bytes:
    if cell.endswith("…"):
        return wire(cell.removesuffix("…"), authority)
    data = wire(cell, authority)
    return data if data.endswith(b"\n") or b"\r\n\r\n" in data else data + b"\r\n\r\n"


@pytest.fixture(scope="module")
def open_to_all() -> Iterator[Proxy]:
    with proxy() as running:
        yield running


def said(answer: bytes) -> tuple[int, str, str]:
    """Status, error type and details of an answer in the proxy's own name."""
    match = re.match(
        rb'HTTP/1\.1 (\d+) .*?Proxy-Status: netproxy; error=(\w+); details="((?:\\.|[^"])*)"',
        answer,
        re.DOTALL,
    )
    assert match, answer
    details = re.sub(r"\\(.)", r"\1", match[3].decode())
    return int(match[1]), match[2].decode(), details


def refused(near: Proxy, sent: bytes, row: Sequence[str]) -> None:
    with near.http() as client:
        client.sendall(sent)
        answer = read_all(client)
    status, error, details = said(answer)
    assert (status, error) == (int(row[1]), "http_request_error")
    assert details.startswith(row[2])
    assert b"\r\nConnection: close\r\n" in answer


@each("request")
def test_a_request_is_refused(open_to_all: Proxy, row: list[str]) -> None:
    with origin(Recorder(HI)) as far:
        refused(open_to_all, head(row[0], f"127.0.0.1:{far.port}"), row)
        assert far.accepted == 0


@each("field")
def test_a_field_is_refused(open_to_all: Proxy, row: list[str]) -> None:
    with origin(Recorder(HI)) as far:
        authority = f"127.0.0.1:{far.port}"
        fields = wire(row[0])
        start = f"POST http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n".encode()
        refused(open_to_all, start + fields + b"\r\n\r\nabc", row)
        assert far.accepted == 0


@each("CONNECT")
def test_a_connect_is_refused(open_to_all: Proxy, row: list[str]) -> None:
    with origin(Recorder(HI)) as far:
        refused(open_to_all, head(row[0], f"127.0.0.1:{far.port}"), row)
        assert far.accepted == 0


def carried(near: Proxy, line: str, fields: bytes = b"") -> bytes:
    """The head that an origin got of a request."""
    recorder = Recorder(HI)
    with origin(recorder) as far, near.http() as client:
        authority = f"127.0.0.1:{far.port}"
        client.sendall(wire(line, authority) + f"\r\nHost: {authority}\r\n".encode() + fields)
        client.sendall(b"\r\n")
        client.recv(65536)
    return recorder.heads[0].replace(authority.encode(), b"AUTH")


@each("request line")
def test_a_request_line_goes_on(open_to_all: Proxy, row: list[str]) -> None:
    assert carried(open_to_all, row[0]).split(b"\r\n")[0] == row[1].encode()


@each("field | on to the origin")
def test_a_field_goes_on(open_to_all: Proxy, row: list[str]) -> None:
    fields = re.sub(r" ?⏎ ?", "\r\n", row[0]).encode()
    got = carried(open_to_all, "POST http://AUTH/ HTTP/1.1", fields + b"\r\n")
    added = {b"Host: AUTH", b"Connection: close"}
    rest = [line for line in got.strip().split(b"\r\n")[1:] if line not in added]
    assert rest[-1].startswith((b"Via: 1.1 netproxy-", b"Content-Length: "))
    kept = [line for line in rest if not line.startswith(b"Via: 1.1 netproxy-")]
    assert kept == ([] if row[1] == "nothing" else [row[1].encode()])


def answered(near: Proxy, response: bytes) -> bytes:
    with origin(Recorder(response)) as far, near.http() as client:
        url = f"http://127.0.0.1:{far.port}/"
        request = f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1:{far.port}\r\n\r\n".encode()
        client.sendall(request)
        client.shutdown(1)
        return read_all(client)


@each("origin's answer")
def test_an_answer_comes_back(open_to_all: Proxy, row: list[str]) -> None:
    got = re.sub(rb"netproxy-[0-9a-f]{8}", b"ID", answered(open_to_all, wire(row[0])))
    assert got == wire(row[1])


@each("origin's bad answer")
def test_an_answer_is_a_502(open_to_all: Proxy, row: list[str]) -> None:
    status, error, details = said(answered(open_to_all, wire(row[0])))
    assert (status, error) == (502, "http_protocol_error")
    assert details.startswith(row[1])


@pytest.fixture(scope="module")
def guarded() -> Iterator[Proxy]:
    credentials = Credentials.of({Identity("me"): b"sesame"})
    with proxy(Setting(credentials=credentials)) as running:
        yield running


@each("shown")
def test_a_secret_is_asked_for(guarded: Proxy, row: list[str]) -> None:
    recorder = Recorder(HI)
    with origin(recorder) as far, guarded.http() as client:
        authority = f"127.0.0.1:{far.port}"
        shown = b"" if row[0] == "nothing" else wire(row[0]) + b"\r\n"
        start = f"GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n".encode()
        client.sendall(start + shown + b"Connection: close\r\n\r\n")
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 " + row[1].encode())
    assert answer.count(b"\r\nProxy-Authenticate: ") == (2 if row[1] == "407" else 0)
    assert len(recorder.heads) == (row[1] == "200")
    assert not any(b"sesame" in got or b"Proxy-" in got for got in recorder.heads)


@each("sent with a token asked for, in hex")
def test_a_secret_over_socks(guarded: Proxy, row: list[str]) -> None:
    with guarded.socks() as client:
        client.sendall(bytes.fromhex(row[0]))
        assert read_all(client) == bytes.fromhex(row[1])


@each("sent, in hex")
def test_socks(open_to_all: Proxy, row: list[str]) -> None:
    with open_to_all.socks() as client:
        client.sendall(bytes.fromhex(row[0]))
        assert read_all(client) == bytes.fromhex(row[1])


@each("datagram to the association, in hex")
def test_a_datagram_is_dropped(row: list[str]) -> None:
    with peer() as far, proxy() as near, Associated(near.socks()) as client:
        client.send_raw(bytes.fromhex(row[0]))
        client.send("127.0.0.1", far.port, b"this one is not")
        assert client.receive() == ("127.0.0.1", far.port, b"this one is not")
        near.settle_after(client.control)
        assert [event.dropped for event in near.audit.of(AssociationClosed)] == [1]


class Failing:
    """A resolver without luck."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    async def resolve(self, host: str) -> Sequence[str]:
        raise DestinationUnreachable(self._failure, host)


def outcome(near: Proxy) -> tuple[bytes, bytes]:
    """What HTTP and SOCKS clients are told about a.test: the answer, the reply's code."""
    with near.http() as client:
        client.sendall(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n")
        http = read_all(client)
    with near.socks() as client:
        client.sendall(SOCKS_HELLO + b"\x05\x01\x00\x03\x06a.test\x01\xbb")
        return http, read_all(client)[3:4]


@each("failure")
def test_a_failure_has_its_answer(row: list[str]) -> None:
    with proxy(Setting(resolver=Failing(Failure[row[0].upper()]))) as near:
        http, reply = outcome(near)
    status, error, _ = said(http)
    assert [str(status), error, reply.hex()] == row[1:]


@each("refused for")
def test_a_refusal_has_its_answer(row: list[str]) -> None:
    policy = FakePolicy(Verdict.ALLOW, dialable=LOOPBACK)
    policy.default = judgement(Verdict.DENY, Reason(row[0]))
    with proxy(Setting(policy=policy)) as near:
        http, reply = outcome(near)
    status, error, _ = said(http)
    (word,) = re.findall(rb"\r\nX-Proxy-Error: ([a-z-]+)\r\n", http)
    assert [str(status), error, word.decode(), reply.hex()] == row[1:]
    assert f'"reason": "{row[0]}"'.encode() in http


def test_every_failure_and_reason_is_told() -> None:
    assert {cells[0].upper() for cells in rows("failure")} == {one.name for one in Failure}
    told = {Reason(cells[0]) for cells in rows("refused for")}
    assert told == set(Reason) - ALLOWING - UNJUDGED


def test_every_key_of_a_refusal_is_told(open_to_all: Proxy) -> None:
    answer = answered(open_to_all, b"hello\r\n\r\n")
    section = PAGE.partition("\n## Refusals\n")[2].partition("| refused for |")[0]
    keys = set(re.findall(rb'"(\w+)": ', answer))
    assert keys
    assert {key for key in keys if f"`{key.decode()}`" not in section} == set()


@each("limit")
def test_a_limit_is_what_the_page_says(row: list[str]) -> None:
    number, _, unit = row[1].partition(" ")
    expected = None if number == "none" else float(number) * UNITS.get(unit, 1)
    assert getattr(Limits(), row[0]) == expected


# How a tunnel's bytes are moved: nobody can tell from outside.
UNSEEN = {"relay_bytes", "splice_after_bytes", "pipe_bytes", "pipes"}


def test_every_limit_that_a_client_can_hit_is_told() -> None:
    assert {row[0] for row in rows("limit")} == {each.name for each in fields(Limits)} - UNSEEN
