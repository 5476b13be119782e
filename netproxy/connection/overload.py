"""Who is turned away unheard, because too many came at once: what is counted, and the answer. Pure.

No policy is asked and no reviewer, and no such client gets a record of its own: a flood would fill
the journal. `netproxy.transport.refusals` counts them and records the sums.
"""

from __future__ import annotations

from enum import StrEnum

from netproxy.model import Decision, Reason, Source

# RFC 9110 section 15.6.4: over a limit of the gateway's own, not of this client's.
_SERVICE_UNAVAILABLE = 503


class Overload(StrEnum):
    """Which limit a client came over (`netproxy.limit.name`)."""

    CONNECTIONS = "connections_per_run"
    RATE = "connections_per_second"
    TOTAL = "connections_total"
    DESCRIPTORS = "descriptors"
    ASSOCIATIONS = "udp_associations_per_run"
    FLOWS = "udp_flows"  # of one association, or of all of a run
    BYTES = "bytes_per_run"
    STRANGER = "other_user"  # no limit either: a program that is not of the gateway's own user
    CREDENTIALS = "credentials"  # no limit, but just as many may come: a secret is missing or wrong


_SAID = {
    Overload.CONNECTIONS: "too many connections are open already",
    Overload.RATE: "too many new connections within a second",
    Overload.TOTAL: "the gateway has as many connections as it takes",
    Overload.DESCRIPTORS: "the gateway has no descriptor to spare",
    Overload.ASSOCIATIONS: "too many associations for UDP are open already",
    Overload.FLOWS: "datagrams go to too many destinations already",
    Overload.BYTES: "as many bytes were moved as may be",
    Overload.STRANGER: "this port is for programs of one user",
    Overload.CREDENTIALS: "this proxy asks for a token that it knows",
}
# What one run did, it can undo; the rest is the whole gateway's.
_OF_THE_GATEWAY = frozenset({Overload.TOTAL, Overload.DESCRIPTORS})


def turned_away(overload: Overload) -> Decision:
    """Refuse; nobody's no, so it cancels nothing."""
    return Decision(
        allowed=False,
        source=Source.PROXY_STATE,
        reason=Reason.LIMIT_EXCEEDED,
        message=_SAID[overload],
        # Bytes don't come back.
        retry_after_seconds=None if overload is Overload.BYTES else 1,
        status=_SERVICE_UNAVAILABLE if overload in _OF_THE_GATEWAY else None,
    )


class TokenBucket:
    """So many per second, and one second's worth at once. The clock is the caller's."""

    __slots__ = ("_at", "_left", "_most", "_per_second")

    def __init__(self, per_second: float, *, now: float) -> None:
        """`now` in seconds of any clock that never goes back."""
        self._per_second = per_second
        self._left = self._most = max(per_second, 1.0)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more may come."""
        filled = self._left + (now - self._at) * self._per_second
        left = min(self._most, filled)  # min() costs more
        self._at = now
        is_taken = left >= 1
        self._left = left - is_taken
        return is_taken
