"""Clients that have shown no token yet: they are read, within limits, and nothing else is done.

A server of its own, so that they take nothing of any session's limits. Its gate lets nothing out:
whoever showed a token is a client of another server by then (`netproxy.transport.door`).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

from netproxy.config import Limits
from netproxy.connection.gate import Gate
from netproxy.model import OnDenial, Verdict
from netproxy.policy.engine import compile_policy
from netproxy.policy.spec import Mode, PolicySpec
from netproxy.transport.dialer import HappyEyeballs
from netproxy.transport.resolver import SystemResolver
from netproxy.transport.server import ProxyServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from netproxy.app.wiring import Shared
    from netproxy.model import Decision, Destination, Judgement, Request
    from netproxy.ports import AuditSink
    from netproxy.transport.capacity import Crowd

_NOTHING = PolicySpec(rules=(), default=Verdict.DENY, mode=Mode.OFF, on_denial=OnDenial.BLOCK)


class Nobody:
    """Fills the ports of a gate that lets nothing out: no memory, no reviewer, no command."""

    is_cancelled = True

    def cancel(self, request: Request, decision: Decision) -> None:
        """Nothing runs."""

    def denial(self, destination: Destination) -> None:
        """Nothing is remembered."""

    def grant(self, destination: Destination) -> None:
        """Nothing is remembered."""

    async def ask(self, request: Request, judgement: Judgement) -> NoReturn:
        """Nobody is asked about somebody unknown."""
        raise AssertionError(f"{request.destination} for nobody: {judgement.verdict}")


@asynccontextmanager
async def outside(audit: AuditSink, shared: Shared, crowd: Crowd) -> AsyncIterator[ProxyServer]:
    """Make the server for them, and cut who is still there at the end.

    They are a `crowd` of their own: what they fill is no place of those who have a token.
    """
    limits, nobody = Limits(), Nobody()
    policy = compile_policy(_NOTHING, now=0)
    server = ProxyServer(
        gate=Gate(policy=policy, cache=nobody, approver=nobody, audit=audit, token=nobody),
        policy=policy,
        resolver=SystemResolver(hosts={}, timeout_seconds=limits.resolve_seconds),
        dialer=HappyEyeballs(shared.readiness, limits),
        audit=audit,
        limits=limits,
        readiness=shared.readiness,
        report=shared.report,
        crowd=crowd,
    )
    try:
        yield server
    finally:
        await server.aclose()
