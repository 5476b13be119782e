"""Which records a query asks for. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from netproxy.errors import InvalidDestination
from netproxy.policy.hosts import canonical_host
from otel import Span
from otel import attributes as a
from otel.values import dataclass, field

if TYPE_CHECKING:
    from otel import Record

_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_PREFIX = "netproxy."
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a record must match in all that isn't None."""

    run: str | None = None
    sessions: frozenset[str] | None = None  # ids
    host: str | None = None  # may hold * for any characters
    outcome: str | None = None
    reason: str | None = None
    reviewer: str | None = None
    event: str | None = None  # with or without "netproxy."; may hold * as well
    connection: str | None = None  # also of what it was the cause of
    approval: str | None = None
    span: Span = field(default_factory=Span)

    def matches(self, record: Record) -> bool:
        """Whether the record is asked for."""
        values = record.attributes
        return (
            self.span.holds(record.timestamp)
            and self._is_event(record.name)
            and self.run in {None, values.get(a.EXECUTION_ID)}
            and (self.sessions is None or values.get(a.SESSION_ID) in self.sessions)
            and self.outcome in {None, values.get(a.POLICY_DECISION)}
            and self.reason in {None, values.get(a.POLICY_REASON)}
            and self.reviewer in {None, values.get(a.REVIEWER_ID)}
            and self.approval in {None, values.get(a.APPROVAL_ID)}
            and self.connection in {None, values.get(a.CONNECTION_ID), values.get(a.CANCEL_CAUSE)}
            and self._at_the_host(values.get(a.SERVER_ADDRESS))
        )

    def _is_event(self, name: str) -> bool:
        if self.event is None:
            return True
        return is_event(name, self.event)

    def _at_the_host(self, host: object) -> bool:
        if self.host is None:
            return True
        return isinstance(host, str) and fnmatchcase(host, self.host)


def is_event(name: str, wanted: str) -> bool:
    """Whether an event's name is the one that is asked for."""
    return fnmatchcase(name.removeprefix(_PREFIX), _only_stars(wanted.removeprefix(_PREFIX)))


def host_pattern(text: str) -> str:
    """A host as records spell it. `[` and `?` mean themselves: only `*` is a pattern."""
    labels = text.strip("[]").rstrip(".").lower().split(".")
    return _only_stars(".".join(map(_recorded, labels)))


def _recorded(label: str) -> str:
    """A label in ASCII (RFC 5891); what is none beside a `*`, and matches nothing, stays."""
    if label.isascii():
        return label
    try:
        return canonical_host(label)
    except InvalidDestination:
        return label


def instant(text: str, now_seconds: float) -> str:
    """A time as records have it, from `2026-01-02`, `2026-01-02T03:04:05Z`, or `90m` (ago).

    Raises ValueError. A time without an offset is UTC, as in the listings.
    """
    if ago := _AGO.fullmatch(text):
        past = now_seconds - int(ago[1]) * _UNIT_SECONDS[ago[2]]
        when = datetime.fromtimestamp(max(past, 0.0), UTC)
    else:
        when = datetime.fromisoformat(text)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def _only_stars(text: str) -> str:
    return text.translate({ord("?"): "[?]", ord("["): "[[]"})
