"""Journals of decisions: who decided what about which host, and how far apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel import AuditTrail, Journal
from otel.events import PolicyDecision
from tests.support.journals import SteppingClock

if TYPE_CHECKING:
    from pathlib import Path

    from otel.events import Event


def decided(
    host: str, *, allowed: bool = True, source: str = "baseline_policy", port: int = 443
) -> PolicyDecision:
    """A CONNECT to a host."""
    return PolicyDecision(
        connection_id="c-01JD2QABCDEFGHJKMNPQRSTVWX",
        client_address="127.0.0.1:40312",
        server_address=host,
        server_port=port,
        protocol="https",
        method="CONNECT",
        scope="domain",
        decision="allow" if allowed else "deny",
        source=source,
        reason="allowed_by_rule" if allowed else "not_allowed",
        override=source == "reviewer",
    )


def write_events(folder: Path, *events: Event, apart_ns: int = 0) -> Path:
    """A closed journal with these records, a millisecond and `apart_ns` apart."""
    folder.mkdir(mode=0o700, exist_ok=True)
    clock = SteppingClock()
    journal = Journal.open(folder, clock=clock)
    trail = AuditTrail(journal, {"execution.id": "r-1", "session.id": "s-1"})
    for event in events:
        clock.now_ns += apart_ns
        trail.record(event)
    journal.close()
    return folder
