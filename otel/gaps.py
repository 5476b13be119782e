"""How many events are missing from the trail, since when, and what the trail says of them."""

from __future__ import annotations

from typing import NamedTuple

from otel.chain import timestamp
from otel.events import AuditGap


class Loss(NamedTuple):
    """Events that no record was written of. Times in nanoseconds since 1970."""

    count: int  # type: ignore[assignment]  # and not tuple.count
    cause: str  # of the last ones, in a word
    first_ns: int
    last_ns: int

    def gap(self) -> AuditGap:
        """Make the event that admits it."""
        return AuditGap(
            error_type=self.cause,
            lost=self.count,
            from_time=timestamp(self.first_ns),
            to_time=timestamp(self.last_ns),
        )


def together(first: Loss | None, then: Loss | None) -> Loss | None:
    """One loss, and a later one."""
    if first is None or then is None:
        return first or then
    return Loss(
        count=first.count + then.count,
        cause=then.cause,
        first_ns=min(first.first_ns, then.first_ns),
        last_ns=max(first.last_ns, then.last_ns),
    )
