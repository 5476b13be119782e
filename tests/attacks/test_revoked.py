"""A yes was taken back, and whoever had it wants to go on: by what is open, resting, or on its way.

Defence: an end is taken in memory first, so that nothing new gets in; then everything that carries
the approval is closed in the same turn of the loop, wherever it stands.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from approvals import Scope, Verdict
from approvals.model import Budget
from otel.events import ConnectionClosed, ConnectionOpened, PolicyDecision
from tests.support.datagrams import Associated, peer
from tests.support.fair_clock import FairClock
from tests.support.live_gateway import LiveGateway, live_gateway
from tests.support.origins import Keeper, echo, origin, read_all
from tests.support.proxies import eventually, read_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path) as running:
        yield running


def client(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    connected = socket.create_connection((host, int(port)), 10)
    connected.settimeout(10)
    return connected


def connect(gateway: LiveGateway, port: int) -> socket.socket:
    asking = client(gateway.http)
    asking.sendall(f"CONNECT a.test:{port} HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n".encode())
    return asking


def socks(gateway: LiveGateway, port: int) -> socket.socket:
    asking = client(gateway.socks)
    asking.sendall(b"\x05\x01\x00\x05\x01\x00\x03\x06a.test" + port.to_bytes(2))
    return asking


def reasons(gateway: LiveGateway) -> list[str]:
    return [each.close_reason for each in gateway.trail.of(ConnectionClosed)]


@pytest.mark.parametrize("way", [connect, socks])
@pytest.mark.parametrize("scope", [Scope.RUN, Scope.TIME, Scope.SESSION])
def test_a_tunnel_does_not_outlive_its_yes(
    gateway: LiveGateway, way: Callable[[LiveGateway, int], socket.socket], scope: Scope
) -> None:
    with origin(echo) as far, way(gateway, far.port) as held:
        gateway.answer(Verdict.ALLOW, scope, seconds=60.0 if scope is Scope.TIME else None)
        eventually(lambda: bool(gateway.trail.of(ConnectionOpened)))
        gateway.revoke()
        read_all(held)
        assert reasons(gateway) == ["revoked"]
        with way(gateway, far.port):
            assert gateway.asked().question.asking.key.host == "a.test"


def get(port: int) -> bytes:
    return f"GET http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n".encode()


def test_neither_a_kept_client_nor_a_resting_connection_does(gateway: LiveGateway) -> None:
    keeper = Keeper(lambda _: HI)
    with origin(keeper) as far, client(gateway.http) as kept:
        kept.sendall(get(far.port))
        gateway.answer(Verdict.ALLOW, Scope.SESSION)
        assert read_until(kept, b"hi").endswith(b"hi")
        kept.sendall(get(far.port))  # by the grant now: what it uses may be used again
        assert read_until(kept, b"hi").endswith(b"hi")
        eventually(lambda: (keeper.ended, len(keeper.connections)) == (1, 2))
        clock = FairClock()
        gateway.revoke()
        eventually(lambda: keeper.ended == len(keeper.connections))
        assert clock() < 5, "it only rested for too long"
        with client(gateway.http) as other:
            other.sendall(get(far.port))
            gateway.answer(Verdict.DENY, Scope.ONCE)
            assert b"denied_by_reviewer" in read_until(other, b"}")
    assert len(keeper.heads) == 2


def test_datagrams_do_not(gateway: LiveGateway) -> None:
    with peer() as far, Associated(client(gateway.socks)) as held:
        held.send("a.test", far.port, b"one")
        gateway.answer(Verdict.ALLOW, Scope.SESSION)
        assert held.receive()[2] == b"one"
        gateway.revoke()
        eventually(lambda: reasons(gateway) == ["revoked"])
        held.send("a.test", far.port, b"two")
        gateway.asked()
        assert far.received == [b"one"]


def test_nobody_is_connected_who_was_still_being_dialled(gateway: LiveGateway) -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = full.getsockname()[1]
        for _ in range(3):  # nothing more gets into its queue
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        held = stack.enter_context(connect(gateway, port))
        gateway.answer(Verdict.ALLOW, Scope.SESSION)
        eventually(lambda: bool(gateway.trail.of(PolicyDecision)))
        gateway.revoke()
        assert read_all(held) == b""
        assert gateway.trail.of(ConnectionOpened) == []


def test_a_budget_of_one_is_not_two_for_those_who_ask_at_once(gateway: LiveGateway) -> None:
    with origin(echo) as far, ExitStack() as stack:
        several = [stack.enter_context(connect(gateway, far.port)) for _ in range(5)]
        eventually(lambda: gateway.asked().waiting == len(several))
        gateway.answer(Verdict.ALLOW, Scope.SESSION, budget=Budget(connections=1))
        eventually(lambda: len(gateway.trail.of(ConnectionOpened)) == 1)
        assert gateway.asked().waiting == len(several) - 1
        gateway.answer(Verdict.DENY, Scope.ONCE)
        eventually(lambda: len(gateway.trail.of(PolicyDecision)) == len(several))
    assert [each.decision for each in gateway.trail.of(PolicyDecision)].count("allow") == 1


def test_another_hosts_connections_go_on(gateway: LiveGateway) -> None:
    with origin(echo) as far, connect(gateway, far.port) as held:
        gateway.answer(Verdict.ALLOW, Scope.SESSION)
        assert read_until(held, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        with client(gateway.http) as other:
            line = f"CONNECT b.test:{far.port} HTTP/1.1\r\nHost: b.test:{far.port}\r\n\r\n"
            other.sendall(line.encode())
            gateway.answer(Verdict.ALLOW, Scope.SESSION)
            assert read_until(other, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
            first, _ = gateway.call(gateway.service.grants)
            gateway.wait(gateway.service.revoke(first.grant_id, reviewer="anna", channel="web"))
            read_all(held)
            other.sendall(b"still here")
            assert read_until(other, b"here").endswith(b"still here")
