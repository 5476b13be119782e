"""Clients of one place, over real sockets: led there, counted, recorded, cut."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from netproxy.model import CloseReason, ConnectionId
from otel.errors import AuditUnavailable
from otel.events import ClientsTurnedAway, ExposeClosed, ExposeOpened, ExposeRefused
from tests.support.fakes import FakeAudit
from tests.support.origins import PATIENCE_SECONDS, read_all
from tests.support.proxies import LIMITS, Proxy, Setting, eventually, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.config import Limits
    from netproxy.transport.linked_driver import Flow


@dataclass
class FakeLink:
    """Leads to our end of a pair."""

    problem: OSError | None = None
    ends: list[socket.socket] = field(default_factory=list)

    async def open(self) -> socket.socket:
        if self.problem is not None:
            raise self.problem
        far, ours = socket.socketpair()
        far.setblocking(False)
        ours.settimeout(PATIENCE_SECONDS)
        self.ends.append(ours)
        return far

    def drop(self) -> None:
        self.ends.clear()

    def opened(self, connection_id: ConnectionId, client_address: str) -> ExposeOpened:
        return ExposeOpened(
            connection_id=connection_id, client_address=client_address, port=1, host_port=2
        )

    def refused(
        self, connection_id: ConnectionId, client_address: str, *, error_type: str
    ) -> ExposeRefused:
        return ExposeRefused(
            connection_id=connection_id,
            client_address=client_address,
            port=1,
            host_port=2,
            error_type=error_type,
        )

    def closed(self, connection_id: ConnectionId, client_address: str, flow: Flow) -> ExposeClosed:
        return ExposeClosed(
            connection_id=connection_id,
            client_address=client_address,
            port=1,
            host_port=2,
            bytes_sent=flow.sent,
            bytes_received=flow.received,
            duration_ms=flow.duration_ms,
            close_reason=flow.reason.value,
        )


class Led:
    """A server that leads every client of one listener to a link."""

    def __init__(self, near: Proxy, link: FakeLink) -> None:
        self.near, self.link = near, link
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        near.call(lambda: near.server.serve_link(self._listener, link))

    def client(self) -> socket.socket:
        return socket.create_connection(self._address, 5)

    def resets(self) -> bool:
        """Whether a client is reset: as soon as it is connected, or a moment later."""
        try:
            with self.client() as client:
                return is_reset(client)
        except ConnectionResetError:
            return True

    def far(self) -> socket.socket:
        """The other end of the one connection that was led there."""
        eventually(lambda: bool(self.link.ends))
        return self.link.ends.pop()


@contextmanager
def led(setting: Setting | None = None, *, problem: OSError | None = None) -> Iterator[Led]:
    with proxy(setting) as near:
        yield Led(near, FakeLink(problem))


def closed(near: Proxy) -> list[tuple[str, int, int]]:
    events = near.audit.of(ExposeClosed)
    return [(each.close_reason, each.bytes_sent, each.bytes_received) for each in events]


def is_reset(client: socket.socket) -> bool:
    try:
        client.recv(1)
    except ConnectionResetError:
        return True
    return False


def test_bytes_go_both_ways_and_are_counted() -> None:
    with led() as to, to.client() as client, to.far() as far:
        far.sendall(b"220 the server speaks first\r\n")
        assert client.recv(100) == b"220 the server speaks first\r\n"
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        assert read_all(far) == b"hello"
        far.close()
        assert client.recv(1) == b""
        to.near.settle()
        (opened,) = to.near.audit.of(ExposeOpened)
        assert opened.client_address == "{}:{}".format(*client.getsockname())
        assert closed(to.near) == [("finished", 5, 29)]
        assert to.near.call(lambda: to.near.server._services.allowance.moved) == 34


@pytest.mark.parametrize(
    ("problem", "error_type"),
    [
        (ConnectionRefusedError(111, "no"), "connection_refused"),
        (TimeoutError(), "connection_timeout"),
        (OSError("the helper is gone"), "connection_terminated"),
    ],
)
def test_whom_nobody_serves_is_reset(problem: OSError, error_type: str) -> None:
    with led(problem=problem) as to:
        assert to.resets()
        to.near.settle()
        assert [each.error_type for each in to.near.audit.of(ExposeRefused)] == [error_type]


def test_nothing_flows_that_is_not_on_record() -> None:
    class Broken(FakeAudit):
        async def written(self, event: object) -> None:
            del event
            raise AuditUnavailable("the disk is full")

    with led(Setting(audit=Broken())) as to:
        assert to.resets()
        with to.far() as far:
            assert far.recv(1) == b""


def test_over_the_limit_it_is_reset_and_counted() -> None:
    limits = replace(LIMITS, connections_per_run=1)
    with led(Setting(limits=limits)) as to, to.client(), to.far() as far:
        assert to.resets()
        far.close()
    assert [each.limit for each in to.near.audit.of(ClientsTurnedAway)] == ["connections_per_run"]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (replace(LIMITS, idle_seconds=0.05), "idle"),
        (replace(LIMITS, lifetime_seconds=0.05), "lifetime"),
    ],
)
def test_it_does_not_last_for_ever(limits: Limits, reason: str) -> None:
    with led(Setting(limits=limits)) as to, to.client() as client, to.far():
        assert is_reset(client)
        to.near.settle()
        assert closed(to.near) == [(reason, 0, 0)]


def test_it_ends_with_the_run() -> None:
    with led() as to, to.client() as client, to.far():
        eventually(lambda: bool(to.near.audit.of(ExposeOpened)))
        to.near.close_all(CloseReason.RUN_CANCELLED)
        assert is_reset(client)
        to.near.settle()
        assert closed(to.near) == [("run_cancelled", 0, 0)]


def test_other_users_are_counted_once_a_second() -> None:
    with proxy() as near:
        for _ in range(3):
            near.call(lambda: near.server.hung_up_on("127.0.0.1:9"))
    (event,) = near.audit.of(ClientsTurnedAway)
    assert (event.limit, event.count) == ("other_user", 3)
