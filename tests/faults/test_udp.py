"""Whatever is taken away from an association, no datagram goes out that was not recorded before."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.model import Verdict
from netproxy.transport.socks_driver import SocksConnection
from otel.events import (
    AssociationClosed,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    Event,
    PolicyDecision,
)
from tests.support.datagrams import Associated, Refused, peer
from tests.support.fakes import FakeApprover, FakeAudit, FakePolicy, FakeResolver
from tests.support.proxies import LOOPBACK, Proxy, Setting, eventually, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netproxy.transport.udp_ports import Address, Near, Receiver


@pytest.mark.parametrize("lost", [PolicyDecision, ConnectionOpened])
def test_without_a_journal_nothing_goes_out(lost: type[Event]) -> None:
    audit = FakeAudit(lambda event: isinstance(event, lost))
    with peer() as far, proxy(Setting(audit=audit)) as near, Associated(near.socks()) as client:
        client.send("127.0.0.1", far.port, b"x")
        assert client.hears_nothing()
        assert far.received == []
        assert not near.token.is_cancelled


def test_a_journal_that_breaks_later_is_reported() -> None:
    audit = FakeAudit(lambda event: isinstance(event, ConnectionClosed | AssociationClosed))
    with peer() as far, proxy(Setting(audit=audit)) as near:
        with Associated(near.socks()) as client:
            client.send("127.0.0.1", far.port, b"x")
            assert client.receive()[2] == b"x"
        near.settle()
        assert [line.split()[1] for line in near.reports] == [
            "netproxy.connection.closed", "netproxy.association.closed",
        ]  # fmt: skip
        near.reports.clear()


class Late:
    """A resolver that fails when it is told to."""

    def __init__(self) -> None:
        self.gives_up = asyncio.Event()

    async def resolve(self, host: str) -> Sequence[str]:
        await self.gives_up.wait()
        raise DestinationUnreachable(Failure.DNS_TIMEOUT, host)


def test_a_resolver_that_hangs_holds_a_few_datagrams_and_nobody_else() -> None:
    late = Late()
    with (
        peer() as far, proxy(Setting(resolver=late)) as near,
        Associated(near.socks()) as client,
    ):  # fmt: skip
        for _ in range(100):
            client.send("a.test", 53, b"x")
        client.send("127.0.0.1", far.port, b"y")
        assert client.receive()[2] == b"y"
        near.call(late.gives_up.set)
        eventually(lambda: bool(near.audit.of(ConnectionFailed)))
        assert client.hears_nothing()
    assert [event.error_type for event in near.audit.of(ConnectionFailed)] == ["dns_timeout"]


def test_an_approver_that_breaks_is_a_no() -> None:
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    approver = FakeApprover(RuntimeError("gone"))
    setting = Setting(policy=policy, approver=approver, resolver=FakeResolver())
    with peer() as far, proxy(setting) as near, Associated(near.socks()) as client:
        client.send("127.0.0.1", far.port, b"x")
        eventually(lambda: near.audit.decisions == [("deny", "approval_unavailable")])
        assert client.hears_nothing()
        assert far.received == []


@contextmanager
def no_descriptors() -> Iterator[None]:
    """As many as are open are all that there are."""
    with socket.socket() as next_one:
        last = next_one.fileno()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (last, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_without_descriptors_a_destination_is_a_failure_and_the_rest_goes_on() -> None:
    with peer() as far, peer() as late, proxy() as near, Associated(near.socks()) as client:
        client.send("127.0.0.1", far.port, b"one")
        assert client.receive()[2] == b"one"
        with no_descriptors():
            client.send("127.0.0.1", late.port, b"two")
            eventually(lambda: bool(near.audit.of(ConnectionFailed)))
            client.send("127.0.0.1", far.port, b"three")
            assert client.receive()[2] == b"three"
        assert late.received == []
        assert not near.token.is_cancelled


def test_without_descriptors_nobody_can_be_looked_at_and_the_next_datagram_is() -> None:
    with peer() as far, proxy() as near, Associated(near.socks()) as client:
        with no_descriptors():
            client.send("127.0.0.1", far.port, b"lost")
            eventually(lambda: dropped(near) == 1)
        client.send("127.0.0.1", far.port, b"again")
        assert client.receive()[2] == b"again"


def dropped(near: Proxy) -> int:
    """How many datagrams its only association has not let through."""
    (connection,) = near.server.connections
    assert isinstance(connection, SocksConnection)
    assert connection._association is not None
    return connection._association._dropped


class NoPorts:
    """The host has no port left."""

    def open(self, near: Near, client: Address, receive: Receiver) -> NoReturn:
        raise OSError(98, "Address already in use")

    def close(self) -> None:
        """Nothing to give back."""


def test_without_a_port_the_association_is_refused() -> None:
    with proxy(Setting(ports=lambda _: NoPorts())) as near:
        with near.socks() as control, pytest.raises(Refused) as refused:
            Associated(control)
        assert refused.value.code == 1
        near.settle()
