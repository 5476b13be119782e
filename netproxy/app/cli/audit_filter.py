"""Which records a query asks for. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from otel import attributes as a

if TYPE_CHECKING:
    from otel import Record

_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a record must match in all that isn't None."""

    run: str | None = None
    session: str | None = None  # id or name
    host: str | None = None  # may hold * for any characters
    outcome: str | None = None
    reason: str | None = None
    event: str | None = None  # with or without "netproxy."
    since: str | None = None  # timestamps as records have them
    until: str | None = None

    def matches(self, record: Record) -> bool:
        """Whether the record is asked for."""
        values = record.attributes
        return (
            self._at_the_time(record.timestamp)
            and self.event in {None, record.name, record.name.removeprefix("netproxy.")}
            and self.run in {None, values.get(a.EXECUTION_ID)}
            and self.session in {None, values.get(a.SESSION_ID), values.get(a.SESSION_NAME)}
            and self.outcome in {None, values.get(a.POLICY_DECISION)}
            and self.reason in {None, values.get(a.POLICY_REASON)}
            and self._at_the_host(values.get(a.SERVER_ADDRESS))
        )

    def _at_the_time(self, timestamp: str) -> bool:
        # Timestamps of one form sort as text.
        return (self.since is None or timestamp >= self.since) and (
            self.until is None or timestamp <= self.until
        )

    def _at_the_host(self, host: object) -> bool:
        if self.host is None:
            return True
        return isinstance(host, str) and fnmatchcase(host, self.host)


def host_pattern(text: str) -> str:
    """A host as records spell it. `[` and `?` mean themselves: only `*` is a pattern."""
    plain = text.strip("[]").rstrip(".").lower()
    return plain.translate({ord("?"): "[?]", ord("["): "[[]"})


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
