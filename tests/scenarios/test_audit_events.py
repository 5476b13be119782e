"""Whatever happens to a client is on record, under the id that the client was told.

The data plane is real, and so is the journal; what the policy says is set by the test. Runs and
their ends are at the end of the file, with the whole program.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.model import CloseReason, OnDenial, Verdict
from otel.events import EVENTS, Event
from tests.support.at_terminal import Terminal
from tests.support.datagrams import Associated, peer
from tests.support.fakes import FakePolicy, FakeResolver, judgement
from tests.support.origins import Recorder, echo, origin, read_all
from tests.support.people import ROOT
from tests.support.proxies import LIMITS, LOOPBACK, Proxy, Setting, eventually, proxy, read_until
from tests.support.recorded import RecordedAudit, assert_valid
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.support.origins import Origin
    from tests.support.people import Person

    type Act = Callable[[Proxy, Origin], bytes]

HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
GREETING = b"\x05\x01\x00"


class Names(FakeResolver):
    """`slow.test` takes too long; what is not in the table does not exist."""

    async def resolve(self, host: str) -> Sequence[str]:
        if host == "slow.test":
            raise DestinationUnreachable(Failure.DNS_TIMEOUT, "no answer in time")
        return await super().resolve(host)


def setting(folder: Path) -> Setting:
    policy = FakePolicy(Verdict.ALLOW, dialable=LOOPBACK, on_denial=OnDenial.BLOCK)
    policy.by_host["denied.test"] = judgement(Verdict.DENY)
    policy.by_host["ask.test"] = judgement(Verdict.ASK)
    limits = replace(LIMITS, head_seconds=1.0)
    resolver = Names(private__test=[("10.0.0.1",)], here__test=[("127.0.0.1",)])
    return Setting(policy=policy, resolver=resolver, limits=limits, audit=RecordedAudit(folder))


@contextmanager
def recorded(folder: Path) -> Iterator[Proxy]:
    made = setting(folder)
    with proxy(made) as near:
        yield near
    assert isinstance(made.audit, RecordedAudit)
    made.audit.close()


def sent(data: bytes | str) -> Act:
    """A client of HTTP that says one thing and reads to the end."""

    def act(near: Proxy, far: Origin) -> bytes:
        text = data.replace("AUTH", f"127.0.0.1:{far.port}") if isinstance(data, str) else data
        with near.http() as client:
            client.sendall(text.encode("latin-1") if isinstance(text, str) else text)
            return read_all(client)

    return act


def get(authority: str, *, method: str = "GET") -> Act:
    return sent(
        f"{method} http://{authority}/x HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    )


def connect(authority: str) -> Act:
    def act(near: Proxy, far: Origin) -> bytes:
        name = authority.replace("AUTH", f"127.0.0.1:{far.port}")
        client, head = near.connect(name)
        with client:
            client.shutdown(socket.SHUT_WR)
            return head + read_all(client)

    return act


def socks(data: bytes, *, greeting: bytes = GREETING) -> Act:
    def act(near: Proxy, far: Origin) -> bytes:
        with near.socks() as client:
            client.sendall(greeting + data.replace(b"PP", struct.pack("!H", far.port)))
            client.shutdown(socket.SHUT_WR)
            return read_all(client)

    return act


def to_name(host: bytes, *, command: int = 1) -> bytes:
    return bytes((5, command, 0, 3, len(host))) + host + b"PP"


def twice_on_one(near: Proxy, far: Origin) -> bytes:
    request = f"GET http://127.0.0.1:{far.port}/ HTTP/1.1\r\nHost: 127.0.0.1:{far.port}\r\n\r\n"
    with near.http() as client:
        for _ in range(2):
            client.sendall(request.encode())
            assert read_until(client, b"hi").endswith(b"hi")
    return b""


def datagrams(near: Proxy, far: Origin) -> bytes:
    with peer() as other, Associated(near.socks()) as client:
        client.send("127.0.0.1", other.port, b"one")
        client.receive()
        client.send("denied.test", 53, b"two")
        client.send_raw(b"rubbish")
    return b""


@dataclass(frozen=True)
class Row:
    """What a client does, what its origin does, and what is on record of it, in order."""

    act: Act
    events: tuple[str, ...]
    far: Callable[[socket.socket], None] = field(default_factory=lambda: Recorder(HI))


def keep(connection: socket.socket) -> None:
    while connection.recv(65536):
        connection.sendall(HI)


def close_at_once(connection: socket.socket) -> None:
    connection.recv(65536)


ALLOW, OPENED = "policy_decision allow allowed_by_rule", "connection.opened"
FINISHED = "connection.closed finished"
DENIED = "policy_decision deny denied_by_rule"
MALFORMED = "policy_decision deny invalid_destination"
ROWS = {
    "plain": Row(get("AUTH"), (ALLOW, OPENED, FINISHED)),
    "tunnel": Row(connect("AUTH"), (ALLOW, OPENED, FINISHED), echo),
    "socks": Row(socks(b"\x05\x01\x00\x01\x7f\x00\x00\x01PP"), (ALLOW, OPENED, FINISHED), echo),
    "socks-name": Row(socks(to_name(b"here.test")), (ALLOW, OPENED, FINISHED), echo),
    "plain-denied": Row(get("denied.test"), (DENIED,)),
    "tunnel-denied": Row(connect("denied.test:443"), (DENIED,)),
    "socks-denied": Row(socks(to_name(b"denied.test")), (DENIED,)),
    "garbage": Row(sent(b"\x00\x01\x02\r\n\r\n"), (MALFORMED,)),
    "http-2-preface": Row(sent(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), (MALFORMED,)),
    "no-host": Row(sent("GET / HTTP/1.1\r\n\r\n"), (MALFORMED,)),
    "own-path": Row(sent("GET / HTTP/1.1\r\nHost: AUTH\r\n\r\n"), (MALFORMED,)),
    "userinfo": Row(sent("GET http://a:b@AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n"), (MALFORMED,)),
    "two-lengths": Row(
        sent(
            "POST http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n"
            "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"
        ),
        (MALFORMED,),
    ),
    "head-too-long": Row(sent(b"GET http://a.test/ HTTP/1.1\r\nX: " + b"x" * 70_000), (MALFORMED,)),
    "target-too-long": Row(sent(b"GET http://a.test/" + b"x" * 70_000), (MALFORMED,)),
    "slow-head": Row(sent(b"GET http://a.te"), (MALFORMED,)),
    "connect-without-port": Row(
        sent("CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n"), (MALFORMED,)
    ),
    "connect-odd-number": Row(
        sent("CONNECT 2130706433:80 HTTP/1.1\r\nHost: 2130706433:80\r\n\r\n"), (MALFORMED,)
    ),
    "socks-4": Row(socks(b"", greeting=b"\x04\x01\x00\x50\x01\x01\x01\x01\x00"), (MALFORMED,)),
    "socks-no-method": Row(socks(b"", greeting=b"\x05\x01\x02"), (MALFORMED,)),
    "socks-bind": Row(socks(to_name(b"a.test", command=2)), (MALFORMED,)),
    "socks-address-type": Row(socks(b"\x05\x01\x00\x09\x01\x01\x01\x01PP"), (MALFORMED,)),
    "socks-bad-name": Row(socks(to_name(b"a..test")), (MALFORMED,)),
    "private": Row(get("private.test"), (ALLOW, "dial.refused not_allowed_local")),
    "private-tunnel": Row(connect("private.test:443"), (ALLOW, "dial.refused not_allowed_local")),
    "no-such-name": Row(connect("gone.test:443"), (ALLOW, "connection.failed dns_error")),
    "slow-name": Row(connect("slow.test:443"), (ALLOW, "connection.failed dns_timeout")),
    "nobody-listens": Row(connect("127.0.0.1:1"), (ALLOW, "connection.failed connection_refused")),
    "no-answer": Row(
        get("AUTH"),
        (ALLOW, OPENED, "connection.closed reset connection_terminated"),
        close_at_once,
    ),
    "bad-answer": Row(
        get("AUTH"),
        (ALLOW, OPENED, "connection.closed reset http_protocol_error"),
        Recorder(b"rubbish\r\n\r\n"),
    ),
    "kept": Row(twice_on_one, (ALLOW, OPENED, FINISHED, ALLOW, FINISHED), keep),
    "datagrams": Row(
        datagrams,
        (ALLOW, OPENED, DENIED, MALFORMED, FINISHED, "association.closed finished"),
    ),
}


def said(record: dict[str, object]) -> str:
    """An event's name with what tells it from others of its kind."""
    told = (
        record.get("network.policy.decision"),
        record.get("network.policy.reason"),
        record.get("netproxy.close.reason"),
        record.get("error.type"),
    )
    name = str(record["event.name"]).removeprefix("netproxy.")
    return " ".join([name, *(str(word) for word in told if word is not None)])


def told(answer: bytes) -> str | None:
    """The id in a refusal's body."""
    found = re.search(rb"\r\n\r\n(\{.*\})", answer, re.DOTALL)
    return None if found is None else str(json.loads(found[1])["request_id"])


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_what_happened_is_on_record(tmp_path: Path, row: Row) -> None:
    with origin(row.far) as far, recorded(tmp_path) as near:
        answer = row.act(near, far)
        near.settle()
    assert isinstance(near.audit, RecordedAudit)
    records = near.audit.flat()
    assert tuple(map(said, records)) == row.events
    shown = told(answer)
    if answer.startswith(b"HTTP/1.1 ") and not answer.startswith(b"HTTP/1.1 200"):
        assert shown is not None
    if shown is not None:
        assert {record["connection.id"] for record in records} == {shown}


class Endless(FakeResolver):
    """Never answers."""

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        await asyncio.Event().wait()
        raise AssertionError("never")


@pytest.mark.parametrize("protocol", ["connect", "plain", "socks"])
def test_an_allow_that_nobody_wants_any_more_has_an_end(tmp_path: Path, protocol: str) -> None:
    """The run is over while the name is looked up."""
    made, resolver = setting(tmp_path), Endless()
    made.resolver = resolver
    with proxy(made) as near:
        with near.socks() if protocol == "socks" else near.http() as client:
            request = {
                "connect": b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
                "plain": b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
                "socks": GREETING + b"\x05\x01\x00\x03\x06a.test\x01\xbb",
            }[protocol]
            client.sendall(request)
            eventually(lambda: resolver.asked == ["a.test"])
            near.close_all(CloseReason.RUN_ENDED)
        near.settle()
    assert isinstance(near.audit, RecordedAudit)
    records = near.audit.flat()
    near.audit.close()
    assert [said(record) for record in records] == [ALLOW, "connection.failed abandoned"]
    assert len({record["connection.id"] for record in records}) == 1


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
def test_every_event_has_a_place_that_records_it(kind: type[Event]) -> None:
    """A name in the catalogue that nobody writes would promise what is not kept."""
    made = re.compile(rf"\b{kind.__name__}\(")
    sources = (
        path
        for package in ("netproxy", "approvals", "otel")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "events.py"
    )
    assert any(made.search(path.read_text()) for path in sources)


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def at_terminal(netproxy: Netproxy, script: str) -> Terminal:
    words = ("run", "--audit-dir", str(netproxy.audit), "--", "sh", "-c", script)
    return Terminal(
        netproxy.argv(*words), cwd=netproxy.workspace, environment=netproxy.environment()
    )


def lived(netproxy: Netproxy) -> list[dict[str, Any]]:
    """The records of a run between its start and its end, each as its schema says."""
    records = netproxy.events()
    for record in records:
        assert_valid(record)
    assert records.pop()["event.name"] == "netproxy.audit.checkpoint"
    names = [record["event.name"] for record in records]
    beginning = "gateway.started session.started config.applied sandbox.probed run.started"
    assert names[:5] == [f"netproxy.{name}" for name in beginning.split()]
    assert names[-3:] == [
        f"netproxy.{name}" for name in ("run.exited", "session.ended", "gateway.stopped")
    ]
    assert len({record["execution.id"] for record in records}) == 1
    return records[5:-3]


def test_a_question_from_its_asking_to_the_end_of_the_command(netproxy: Netproxy) -> None:
    """One client leaves, the next is refused by a person, and the command with it."""
    script = """
curl -sS http://a.test/ & client=$!
until [ -e leave ]; do sleep 0.05; done
kill $client
until [ -e return ]; do sleep 0.05; done
curl -sS http://a.test/
sleep 30
"""
    with at_terminal(netproxy, script) as terminal:
        terminal.see("1 request waits")
        (netproxy.workspace / "leave").touch()
        terminal.see("nobody waits now")
        (netproxy.workspace / "return").touch()
        terminal.see("1 request waits")
        time.sleep(1)  # the reviewer's keys count after half a second
        terminal.press("d")
        assert terminal.wait() == 77
    records = lived(netproxy)
    assert [said(record) for record in records] == [
        "approval.requested",
        "approval.waiter_left",
        "policy_decision deny approval_timeout",
        "approval.reviewed",
        "approval.resolved",
        "policy_decision deny denied_by_reviewer",
        *["run.cancelled denied_by_reviewer"] * 3,
    ]
    asked, left, gone, reviewed, resolved, refused, *cancelled = records
    assert left["netproxy.wait.reason"] == "client_gone"
    assert left["connection.id"] == gone["connection.id"] != refused["connection.id"]
    question = {asked["approval.id"]}
    assert {each["approval.id"] for each in (left, reviewed, resolved, refused)} == question
    assert {each["netproxy.cancel.cause"] for each in cancelled} == {refused["connection.id"]}
    phases = [each["netproxy.cancel.phase"] for each in cancelled]
    assert phases == ["requested", "terminated", "killed"]


def test_a_command_that_ends_while_it_is_asked_about(netproxy: Netproxy) -> None:
    script = "curl -sS http://a.test/ & until [ -e go ]; do sleep 0.05; done"
    with at_terminal(netproxy, script) as terminal:
        terminal.see("left to answer")
        (netproxy.workspace / "go").touch()
        assert terminal.wait() == 0
    records = lived(netproxy)
    assert [said(record) for record in records] == [
        "approval.requested",
        "approval.waiter_left",
        "policy_decision deny approval_timeout",
        "approval.resolved",
    ]
    assert records[1]["netproxy.wait.reason"] == "run_ended"
    assert records[3]["netproxy.approval.state"] == "withdrawn"
