"""Short words for what the pages show: protocols, ends, times. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from approvals.model import Scope, Status, Verdict

if TYPE_CHECKING:
    from datetime import tzinfo

    from approvals.model import Answer, Grant, Record, Resolution

_PROTOCOLS = {
    "http": "HTTP, not encrypted",
    "https": "HTTPS tunnel",
    "socks5-tcp": "SOCKS5, TCP",
    "socks5-udp": "SOCKS5, UDP",
    "tcp": "TCP",
}
# A sign and a word: colour alone tells nothing to some, and nothing on paper.
type Sign = tuple[str, str, str]  # style, sign, word
_ALLOWED: Sign = ("good", "✓", "allowed")
_DENIED: Sign = ("bad", "✕", "denied")
_ENDINGS: dict[Status, Sign] = {
    Status.PENDING: ("open", "?", "open"),
    Status.EXPIRED: ("open", "·", "nobody answered in time"),
    Status.WITHDRAWN: ("open", "·", "withdrawn"),
}
_SHORT, _LONG = (60, "minute"), (3600, "hour")
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def protocol(name: str) -> str:
    """What a protocol is called on a page."""
    return _PROTOCOLS.get(name, name)


def sign(record: Record) -> Sign:
    """What was said; without an answer, how it ended."""
    if record.answer is not None:
        return verdict_sign(record.answer.verdict)
    return _ENDINGS.get(record.status, _DENIED)


def verdict_sign(verdict: Verdict) -> Sign:
    """The same for a yes and a no."""
    return _ALLOWED if verdict is Verdict.ALLOW else _DENIED


def said(answer: Answer) -> str:
    """What an answer did: `allowed for 1 hour`."""
    verb = "allowed" if answer.verdict is Verdict.ALLOW else "denied"
    match answer.scope:
        case Scope.ONCE:
            return f"{verb} once" if answer.verdict is Verdict.ALLOW else verb
        case Scope.RUN:
            return f"{verb} for this run"
        case Scope.TIME:
            return f"{verb} for {duration(answer.seconds)}"
        case Scope.SESSION:
            return f"{verb} for this session"
        case Scope.ALWAYS:
            return f"{verb} always"
        case _ as impossible:
            assert_never(impossible)


def duration(seconds: float | None) -> str:
    """`1 hour`, `90 minutes`. None: it was not kept how long."""
    if seconds is None:
        return "a time"
    size, unit = _LONG if seconds >= _LONG[0] and not seconds % _LONG[0] else _SHORT
    number = max(1, round(seconds / size))
    return f"{number} {unit}{'s' * (number != 1)}"


def by(answer: Answer) -> str:
    """`denied for this session by anna (web)`."""
    return f"{said(answer)} by {answer.reviewer} ({answer.channel})"


def ended(record: Record) -> str:
    """How a question ended, in a clause."""
    return sign(record)[2] if record.answer is None else by(record.answer)


def resolved(resolution: Resolution) -> str:
    """The same, for who has just answered."""
    return by(resolution.answer) if resolution.answer is not None else resolution.explanation


def use(grant: Grant) -> str:
    """How much of its budget a grant has used; nothing where it has none."""
    budget = grant.budget
    if budget is None:
        return ""
    parts = []
    if budget.connections is not None:
        parts.append(f"{grant.used_connections} of {budget.connections} connections")
    if budget.bytes is not None:
        parts.append(f"{amount(grant.used_bytes)} of {amount(budget.bytes)}")
    return ", ".join(parts)


def amount(count: int) -> str:
    """Bytes with three digits: `1.5 MB`."""
    size, unit = float(count), 0
    while size >= _THOUSAND and unit < len(_UNITS) - 1:
        size, unit = size / _THOUSAND, unit + 1
    return f"{size:.3g} {_UNITS[unit]}"


def moment(seconds: float, zone: tzinfo | None) -> datetime:
    """Seconds since the epoch on a clock; None: on the clock of this host."""
    return datetime.fromtimestamp(seconds, tz=UTC).astimezone(zone)
