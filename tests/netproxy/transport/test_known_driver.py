"""Clients that speak no proxy protocol, over real sockets."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.errors import InvalidDestination
from netproxy.model import CloseReason, Destination, Protocol, Reason, Verdict
from otel.events import ClientsTurnedAway, ConnectionClosed, ConnectionFailed, PolicyDecision
from tests.support.fair_clock import FairClock
from tests.support.fakes import (
    FakeApprover,
    FakePolicy,
    FakeResolver,
    LateAudit,
    answer,
)
from tests.support.hellos import hello, names
from tests.support.origins import PATIENCE_SECONDS, echo, origin, read_all, resets
from tests.support.proxies import LIMITS, LOOPBACK, Proxy, Setting, eventually, proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netproxy.model import Judgement
    from netproxy.ports import SessionCache
    from netproxy.transport.sockets import Socket


@contextmanager
def known(
    near: Proxy, where: tuple[str, int] | Exception, family: int = socket.AF_INET
) -> Iterator[Callable[[], socket.socket]]:
    """A listener that leads there, or nowhere; what it yields makes a client of it."""

    def find(client: Socket) -> Destination:
        if isinstance(where, Exception):
            raise where
        return Destination(*where, protocol=Protocol.TCP)

    listener = socket.socket(family)
    listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listener.listen()
    address = listener.getsockname()[:2]
    near.call(lambda: near.server.serve_known(listener, find))
    yield lambda: socket.create_connection(address, timeout=PATIENCE_SECONDS)


def is_reset(client: socket.socket) -> bool:
    """Whether that is how it ended: an end would look like an empty answer."""
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    return True


def is_refused(connect: Callable[[], socket.socket]) -> bool:
    """Whether a client is reset, be it even before it knows that it is connected."""
    with pytest.raises(ConnectionResetError), connect() as client:
        client.recv(1)
    return True


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_a_tunnel(family: socket.AddressFamily) -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    with (
        origin(echo) as far,
        proxy(setting) as near,
        known(near, ("a.test", far.port), family) as client,
    ):
        with client() as one:
            one.sendall(b"hello")
            one.shutdown(socket.SHUT_WR)
            assert read_all(one) == b"hello"
        near.settle()
    (decision,) = near.audit.of(PolicyDecision)
    assert (decision.server_address, decision.server_port) == ("a.test", far.port)
    assert (decision.protocol, decision.method) == ("tcp", "none")
    (closed,) = near.audit.of(ConnectionClosed)
    assert (closed.close_reason, closed.bytes_sent, closed.bytes_received) == ("finished", 5, 5)


def test_the_server_may_speak_first() -> None:
    """As with ssh and SMTP: a client that waits for that would wait for ever."""

    def greets(connection: socket.socket) -> None:
        connection.sendall(b"220 ready\r\n")
        connection.sendall(connection.recv(100))

    with (
        origin(greets) as far,
        proxy() as near,
        known(near, ("127.0.0.1", far.port)) as client,
        client() as one,
    ):
        clock = FairClock()
        assert one.recv(100) == b"220 ready\r\n"
        assert clock() < 0.5  # the kernel held back no one who is silent
        one.sendall(b"EHLO x\r\n")
        assert one.recv(100) == b"EHLO x\r\n"


def test_a_denial_is_a_reset_and_cancels() -> None:
    with (
        proxy(Setting(policy=FakePolicy(Verdict.DENY))) as near,
        known(near, ("a.test", 443)) as client,
    ):
        assert is_refused(client)
    assert near.token.is_cancelled
    assert near.audit.decisions == [("deny", "denied_by_rule")]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (InvalidDestination("198.18.0.9 is nobody's"), "198.18.0.9 is nobody's"),
        (OSError(2, "No such file"), "nobody knows where it was going: No such file"),
    ],
    ids=["no-name", "no-original"],
)
def test_nowhere_is_a_reset_on_record_and_cancels_nothing(where: Exception, said: str) -> None:
    with proxy() as near, known(near, where) as client:
        assert is_refused(client)
    assert not near.token.is_cancelled
    (decision,) = near.audit.of(PolicyDecision)
    assert (decision.decision, decision.reason) == ("deny", "invalid_destination")
    assert (decision.protocol, decision.explanation) == ("tcp", said)
    assert near.setting.policy.judged == []


@pytest.mark.parametrize("host", ["unknown.test", "127.0.0.1"], ids=["lookup", "refused"])
def test_what_cannot_be_reached_is_a_reset_and_cancels_nothing(host: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with (
            proxy() as near,
            known(near, (host, unused.getsockname()[1])) as client,
        ):
            assert is_refused(client)
            near.settle()
    assert not near.token.is_cancelled
    assert len(near.audit.of(ConnectionFailed)) == 1


def test_addresses_behind_a_name_are_checked() -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("10.0.0.1",)]))
    with proxy(setting) as near, known(near, ("a.test", 443)) as client:
        assert is_refused(client)
    assert [decision.reason for _, decision in near.token.causes] == [Reason.NOT_ALLOWED_LOCAL]


def test_over_a_limit_is_a_reset_and_counted() -> None:
    setting = Setting(limits=replace(LIMITS, connections_per_run=1))
    with (
        origin(echo) as far,
        proxy(setting) as near,
        known(near, ("127.0.0.1", far.port)) as client,
        client() as held,
    ):
        held.sendall(b"x")
        assert held.recv(1) == b"x"
        assert is_refused(client)
    assert [each.count for each in near.audit.of(ClientsTurnedAway)] == [1]


def asking() -> Setting:
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    return Setting(policy=policy, approver=FakeApprover())


def approve(near: Proxy) -> None:
    (pending,) = near.setting.approver.pending
    near.call(lambda: pending.set_result(answer(Reason.APPROVED)))


def test_who_has_said_everything_still_waits_for_the_answer() -> None:
    """`echo | nc`: it half-closes before anybody could have answered."""
    with (
        origin(echo) as far,
        proxy(asking()) as near,
        known(near, ("127.0.0.1", far.port)) as client,
        client() as one,
    ):
        one.sendall(b"all of it")
        one.shutdown(socket.SHUT_WR)
        eventually(lambda: bool(near.setting.approver.pending))
        time.sleep(0.02)
        approve(near)
        assert read_all(one) == b"all of it"


@pytest.mark.parametrize("said", [b"", b"something"], ids=["silent", "reset"])
def test_who_leaves_while_somebody_is_asked_is_not_waited_for(said: bytes) -> None:
    with proxy(asking()) as near, known(near, ("a.test", 443)) as client:
        one = client()
        if said:
            one.sendall(said)
            resets(one)
        eventually(lambda: bool(near.setting.approver.pending))
        one.close()
        near.settle()
        assert len(near.setting.approver.abandoned) == 1


def test_a_reviewers_no_is_a_reset() -> None:
    with proxy(asking()) as near, known(near, ("a.test", 443)) as client, client() as one:
        eventually(lambda: bool(near.setting.approver.pending))
        (pending,) = near.setting.approver.pending
        near.call(lambda: pending.set_result(answer(Reason.DENIED_BY_REVIEWER)))
        assert is_reset(one)
    assert near.token.is_cancelled


@pytest.mark.parametrize("is_open", [False, True], ids=["asked", "tunnel"])
def test_a_run_that_is_cancelled_resets_all(is_open: bool) -> None:
    setting = Setting() if is_open else asking()
    with (
        origin(echo) as far,
        proxy(setting) as near,
        known(near, ("127.0.0.1", far.port)) as client,
        client() as one,
    ):
        if is_open:
            one.sendall(b"x")
            assert one.recv(1) == b"x"
        else:
            eventually(lambda: bool(setting.approver.pending))
        near.close_all(CloseReason.RUN_CANCELLED)
        assert is_reset(one)


def test_a_cut_while_the_yes_is_written_is_a_reset() -> None:
    audit = LateAudit()
    with proxy(Setting(audit=audit)) as near, known(near, ("a.test", 443)) as client:
        with client() as one:
            eventually(lambda: bool(audit.turn))
            near.close_all(CloseReason.RUN_CANCELLED)
            assert is_reset(one)
        near.call(audit.end_turn)
    assert [event.error_type for event in audit.of(ConnectionFailed)] == ["abandoned"]


def test_tls_that_asks_for_another_name_is_cut() -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    with (
        origin(echo) as far,
        proxy(setting) as near,
        known(near, ("a.test", far.port)) as client,
        client() as one,
    ):
        one.sendall(hello(names(b"other.test")))
        assert is_reset(one)
    assert near.audit.decisions == [("allow", "allowed_by_rule"), ("deny", "sni_mismatch")]


@pytest.mark.parametrize("host", [b"a.test", b"other.test"])
def test_a_plain_request_for_another_host_is_cut(host: bytes) -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    said = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host
    with (
        origin(echo) as far,
        proxy(setting) as near,
        known(near, ("a.test", far.port)) as client,
        client() as one,
    ):
        one.sendall(said)
        if host == b"a.test":
            assert one.recv(100) == said
            return
        assert is_reset(one)
        near.settle()
    assert near.audit.decisions == [("allow", "allowed_by_rule"), ("deny", "host_mismatch")]
    (closed,) = near.audit.of(ConnectionClosed)
    assert (closed.close_reason, closed.bytes_sent) == ("host_mismatch", 0)
    assert [decision.reason for _, decision in near.token.causes] == [Reason.HOST_MISMATCH]


def test_whatever_breaks_while_it_is_decided_ends_that_connection_only() -> None:
    class Broken(FakePolicy):
        def judge(self, destination: Destination, method: str, cache: SessionCache) -> Judgement:
            raise ValueError("a bug")

    with (
        proxy(Setting(policy=Broken(Verdict.ALLOW))) as near,
        known(near, ("a.test", 443)) as client,
    ):
        assert is_refused(client)
        near.settle()
        assert len(near.reports) == 1
        near.reports.clear()
