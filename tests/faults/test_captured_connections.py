"""A captured connection without the journal, the resolver or a reviewer: a reset, and on record."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from netproxy.model import Destination, Protocol, Verdict
from otel.events import ConnectionFailed, ConnectionOpened, Event, PolicyDecision
from tests.support.fakes import FakeApprover, FakeAudit, FakePolicy, FakeResolver
from tests.support.origins import PATIENCE_SECONDS, echo, origin
from tests.support.proxies import LOOPBACK, Proxy, Setting, proxy

if TYPE_CHECKING:
    from collections.abc import Callable


def no_allow(event: Event) -> bool:
    return isinstance(event, PolicyDecision) and event.decision == "allow"


def no_opening(event: Event) -> bool:
    return isinstance(event, ConnectionOpened)


def is_reset(near: Proxy, port: int) -> bool:
    """Whether a client that was captured on its way to `a.test` is."""
    listener = socket.create_server(("127.0.0.1", 0))
    where = listener.getsockname()
    there = Destination("a.test", port, Protocol.TCP)
    near.call(lambda: near.server.serve_known(listener, lambda _: there))
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(where, PATIENCE_SECONDS) as client,
    ):
        client.recv(1)
    return True


@pytest.mark.parametrize(
    ("refuses", "decisions"),
    [
        (no_allow, [("deny", "audit_unavailable")]),
        (no_opening, [("allow", "allowed_by_rule")]),
        (lambda _: True, []),
    ],
    ids=["no-allow", "no-opening", "nothing"],
)
def test_without_the_journal(
    refuses: Callable[[Event], bool], decisions: list[tuple[str, str]]
) -> None:
    resolver = FakeResolver(a__test=[("127.0.0.1",)])
    setting = Setting(audit=FakeAudit(refuses), resolver=resolver)
    with origin(lambda client: client.sendall(b"x")) as far, proxy(setting) as near:
        assert is_reset(near, far.port)
        near.settle()
        near.reports.clear()
    assert near.audit.decisions == decisions
    assert not near.token.is_cancelled


def test_without_the_resolver() -> None:
    with origin(echo) as far, proxy(Setting(resolver=FakeResolver())) as near:
        assert is_reset(near, far.port)
        near.settle()
        assert far.accepted == 0
    assert [event.error_type for event in near.audit.of(ConnectionFailed)] == ["dns_error"]
    assert not near.token.is_cancelled


def test_without_anybody_to_ask() -> None:
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    setting = Setting(policy=policy, approver=FakeApprover(RuntimeError("broken")))
    with proxy(setting) as near:
        assert is_reset(near, 443)
        near.settle()
    assert near.audit.decisions == [("deny", "approval_unavailable")]
    assert not near.token.is_cancelled
