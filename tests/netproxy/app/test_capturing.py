"""The sockets of a capture behind a server: names in, connections out, all of it on record."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from netproxy.app.capturing import capturing
from netproxy.app.policy_in_force import PolicyInForce
from netproxy.connection.fake_names import FakeNames
from netproxy.model import Verdict
from otel.events import NameAnswered, NameRefused, PolicyDecision
from sandbox.launch import CaptureSockets
from tests.support.dns_messages import parse, question
from tests.support.origins import PATIENCE_SECONDS
from tests.support.policies import deny, policy
from tests.support.proxies import Proxy, eventually, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def captured(near: Proxy, names: FakeNames) -> Iterator[tuple[CaptureSockets, PolicyInForce]]:
    kinds = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM
    tcp, dns_udp, dns_tcp = (socket.socket(type=kind) for kind in kinds)
    for each in (tcp, dns_udp, dns_tcp):
        each.bind(("127.0.0.1", 0))
    for each in (tcp, dns_tcp):
        each.listen()
    sockets = CaptureSockets(tcp=(tcp,), dns_udp=(dns_udp,), dns_tcp=(dns_tcp,))
    judge = PolicyInForce(policy(deny("denied.test"), default=Verdict.ASK))
    block = capturing(sockets, near.server, names, judge, near.readiness)
    near.call(block.__enter__)
    yield sockets, judge
    near.call(lambda: block.__exit__(None, None, None))
    assert dns_udp.fileno() == dns_tcp.fileno() == -1


def looked_up(sockets: CaptureSockets, host: str) -> tuple[int, list[str]]:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_SECONDS)
        client.connect(sockets.dns_udp[0].getsockname())
        client.send(question(host))
        reply = parse(client.recv(1000))
    return reply.code, reply.addresses


def test_names_are_given_out_and_recorded_once() -> None:
    names = FakeNames()
    with proxy() as near:
        with captured(near, names) as (sockets, judge):
            for _ in range(2):
                assert looked_up(sockets, "a.test") == (0, ["198.18.0.1"])
                assert looked_up(sockets, "denied.test") == (5, [])
            judge.swap(policy(deny("a.test")))
            assert looked_up(sockets, "a.test") == (5, [])
        assert names.name(bytes((198, 18, 0, 1))) == "a.test"
    assert [event.server_address for event in near.audit.of(NameAnswered)] == ["a.test"]
    refused = [event.server_address for event in near.audit.of(NameRefused)]
    assert refused == ["denied.test", "a.test"]
    assert not near.token.is_cancelled  # to ask for a name is not to connect to it


def test_who_was_not_redirected_is_reset_and_on_record() -> None:
    with proxy() as near, captured(near, FakeNames()) as (sockets, _):
        where = sockets.tcp[0].getsockname()
        with (  # reset before it knows that it is connected, or after
            pytest.raises(ConnectionResetError),
            socket.create_connection(where, PATIENCE_SECONDS) as client,
        ):
            client.recv(1)
        eventually(lambda: bool(near.audit.of(PolicyDecision)))
    assert near.audit.decisions == [("deny", "invalid_destination")]


def test_without_a_capture_nothing_is_served() -> None:
    with proxy() as near:
        judge = PolicyInForce(policy())
        with capturing(None, near.server, FakeNames(), judge, near.readiness):
            assert len(near.server._listeners) == 3
