"""What a request becomes on record, from the question to the dial. Pure.

That it was opened, and how it ended, is recorded where that happens: `netproxy.transport.upstream`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.errors import ABANDONED
from netproxy.model import Reason, Source
from otel.events import ConnectionFailed, DialRefused, PolicyDecision
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.model import ConnectionId, Decision, Protocol, Request

# Where the decision was about the destination itself, and not about how or when it was asked for.
_DOMAIN_SOURCES = frozenset(
    {Source.BASELINE_POLICY, Source.SESSION_CACHE, Source.REVIEWER, Source.DECIDER}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """What came but never became a request. `host` as sent, never with userinfo, path or query."""

    connection_id: ConnectionId
    client_address: str
    protocol: Protocol
    method: str = "none"
    host: str = "unknown"


def decided(request: Request, decision: Decision) -> PolicyDecision:
    """Say what was decided about a request."""
    where = request.destination
    return PolicyDecision(
        connection_id=request.connection_id,
        client_address=request.client_address,
        server_address=where.host,
        server_port=where.port,
        protocol=where.protocol._value_,
        method=request.method,
        scope="domain" if decision.source in _DOMAIN_SOURCES else "non_domain",
        decision="allow" if decision.allowed else "deny",
        source=decision.source._value_,
        reason=decision.reason._value_,
        override=decision.override,
        rule=decision.rule,
        explanation=decision.message or None,
        approval_id=decision.approval_id,
    )


def never_asked(stray: Stray, decision: Decision) -> PolicyDecision:
    """Say why what came was not even judged."""
    return PolicyDecision(
        connection_id=stray.connection_id,
        client_address=stray.client_address,
        server_address=stray.host,
        server_port=0,
        protocol=stray.protocol.value,
        method=stray.method,
        scope="non_domain",
        decision="deny",
        source=decision.source.value,
        reason=decision.reason.value,
        override=False,
        explanation=decision.message,
    )


def undialled(request: Request, refused: Sequence[tuple[str, str]]) -> DialRefused:
    """Say which addresses an allowed name led to; each comes with the kind of address it is."""
    return DialRefused(
        connection_id=request.connection_id,
        server_address=request.destination.host,
        server_port=request.destination.port,
        reason=Reason.NOT_ALLOWED_LOCAL.value,
        addresses=tuple(f"{address} ({kind})" for address, kind in refused),
    )


def never_connected(request: Request) -> ConnectionFailed:
    """Say that nothing came of a yes: nobody wanted it any more before it was connected."""
    return ConnectionFailed(
        connection_id=request.connection_id,
        server_address=request.destination.host,
        server_port=request.destination.port,
        error_type=ABANDONED,
    )
