"""A command turns the addresses that stand for names against the rules, or against the gateway.

That no name of a refused connection is looked up is shown in `test_early_lookup`, what malformed
and slow questions come to in the tests of `protocol.dns` and `transport.dns_listeners`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from netproxy.app.policy_in_force import PolicyInForce
from netproxy.connection.fake_names import FakeNames
from netproxy.connection.name_server import NameServer
from netproxy.model import Verdict
from netproxy.transport.dns_records import DnsRecords
from otel.events import NameAnswered, NameFlood
from tests.attacks.test_captured import attempts
from tests.support.dns_messages import parse, question
from tests.support.policies import policy
from tests.support.runs import Netproxy
from tests.support.sites import Site

if TYPE_CHECKING:
    from pathlib import Path

    from otel.events import Event
    from tests.support.people import Person


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def test_an_address_means_what_its_own_run_was_told(netproxy: Netproxy) -> None:
    """Not what another run was, and not another port than the rule's."""
    with Site() as site:
        allowed = f"fetch('site.example', {site.port})"
        denied = "fetch(socket.gethostbyname('site.example'), 443)"
        nowhere = ("fetch('198.18.0.7', 80)", "fetch('198.19.255.254', 443)")
        rules = ("--allow", f"tcp://site.example:{site.port}", "--deny", "site.example:443")
        options = (*rules, "--allow-private", "127.0.0.0/8", "--resolve", "site.example=127.0.0.1")
        said = attempts(netproxy, allowed, denied, *nowhere, options=options)
        assert len(site.visits) == 1
    assert said.pop(allowed) == "HTTP/1.1 200 OK"
    assert set(said.values()) == {"ECONNRESET"}
    decisions = [
        (each["server.address"], each["network.policy.reason"]) for each in netproxy.decisions()
    ]
    assert decisions == [
        ("site.example", "allowed_by_rule"),
        ("site.example", "denied_by_rule"),
        ("unknown", "invalid_destination"),
        ("unknown", "invalid_destination"),
    ]


def test_a_request_for_another_host_is_cut_however_its_line_is_written(netproxy: Netproxy) -> None:
    """In each way that the site's own server takes (RFC 9112 section 3)."""
    lines = (
        b"GET / HTTP/1.0",
        b"GET\x0b/ HTTP/1.0",
        b"GET /\rHTTP/1.0",
        b" GET / HTTP/1.0",
        b"GET / HTTP/1.0\x0b",
        b"GET\xa0/ HTTP/1.0\r\n ",
        b"GET / HTTP/1.0\r\nX: y\rHost: other.example",
    )
    said = "(c := socket.create_connection(('site.example', {port}))).sendall({head}) or c.recv(15)"
    with Site() as site:
        heads = [line + b"\r\nHost: %b\r\n\r\n" for line in lines]
        mine, others = (
            [f"{said.format(port=site.port, head=head % host)}.decode()" for head in heads]
            for host in (b"site.example", b"other.example")
        )
        rules = ("--allow", f"tcp://site.example:{site.port}")
        options = (*rules, "--allow-private", "127.0.0.0/8", "--resolve", "site.example=127.0.0.1")
        answers = attempts(netproxy, *mine[:-1], *others, options=options)
        assert [answers[each] for each in mine[:-1]] == ["HTTP/1.1 200 OK"] * len(mine[:-1])
        assert {answers[each] for each in others} == {"ECONNRESET"}
        assert len(site.visits) == len(mine[:-1])


def test_a_flood_of_names_fills_neither_memory_nor_journal_and_leads_nobody_astray() -> None:
    """More names than there is room for; the first one's address is still held by somebody."""
    names = FakeNames()
    events: list[Event] = []
    many = 3000

    async def inside() -> bytes:
        records = DnsRecords(asyncio.get_running_loop(), events.append)
        judge = PolicyInForce(policy(default=Verdict.ASK))
        server = NameServer(names, judge, records.told)
        first = server.answer(question("first.example"))
        assert first is not None
        for each in range(1, many):
            server.answer(question(f"data-{each:050}.example"))
        records.flush()
        return socket.inet_aton(parse(first).addresses[0])

    first = asyncio.run(inside())
    assert names.name(first) == "first.example"
    for each in range(65_000):
        names.address(f"{each}.example")
    assert names.name(first) is None
    assert len(names._names) == len(names._numbers) == 65_000
    recorded = [type(event) for event in events]
    assert recorded.count(NameAnswered) == 1000
    assert sum(event.lookups for event in events if isinstance(event, NameFlood)) == many - 1000
