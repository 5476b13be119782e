"""Answers, grants and times of the API as people read them. Pure: `now` comes in."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netproxy.app.amounts import byte_count, count, duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    type Document = Mapping[str, Any]

_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AMOUNT = re.compile(r"([0-9]{1,12})([kMGT]?)B?")
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SCOPES = {
    "once": "once",
    "run": "until the run ends",
    "session": "until the session ends",
    "always": "for good, by a rule of your policy",
}
_DAY_SECONDS = 86_400


def seconds_of(text: str) -> float:
    """`90s`, `30m`, `1h`, `2d`. Raises `ValueError`."""
    match = _DURATION.fullmatch(text)
    if match is None or not int(match[1]):
        raise ValueError(f"'{text}' is not 90s, 30m, 1h or 2d")
    return float(int(match[1]) * _UNITS[match[2]])


def bytes_of(text: str) -> int:
    """`500k`, `20MB`, `3G`: decimal units, as networks count. Raises `ValueError`."""
    match = _AMOUNT.fullmatch(text)
    if match is None or not int(match[1]):
        raise ValueError(f"'{text}' is not 500k, 20M or 3G")
    return int(match[1]) * _FACTORS[match[2]]


def left(seconds: float) -> str:
    """`14:32`: minutes and seconds."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02}"


def clock_time(when: datetime, now: datetime) -> str:
    """`18:40`, with the day where it isn't near, in the zone of `now`."""
    local = when.astimezone(now.tzinfo)
    is_near = abs((local - now).total_seconds()) < _DAY_SECONDS / 2
    return local.strftime("%H:%M" if is_near else "%Y-%m-%d %H:%M")


def moment(text: str) -> datetime:
    """An RFC 3339 time of the API."""
    return datetime.fromisoformat(text).astimezone(UTC)


def reach(answer: Document, waiting: int, now: datetime) -> str:
    """How far a yes reaches, in words: `until the session ends, for 3 connections`."""
    scope = str(answer["scope"])
    if scope == "once":
        said = f"for the {_requests(waiting)} now" if waiting else "for the next try"
    elif scope == "time":
        seconds = float(answer["seconds"])
        until = datetime.fromtimestamp(now.timestamp() + seconds, tz=now.tzinfo)
        said = f"for {duration(seconds * 1000)}, until {clock_time(until, now)}"
    else:
        said = _SCOPES[scope]
    return said + limits(answer.get("budget"))


def limits(budget: Document | None) -> str:
    """`, for 3 connections, 20 MB`, or nothing."""
    if budget is None:
        return ""
    parts = []
    if (connections := budget.get("connections")) is not None:
        parts.append(f"{count(connections)} connection{'' if connections == 1 else 's'}")
    if (amount := budget.get("bytes")) is not None:
        parts.append(byte_count(amount))
    return f", for {' and '.join(parts)}" if parts else ""


def denial(answer: Document, *, stops: bool) -> str:
    """What a no does: `once; the command is stopped`."""
    scope = str(answer["scope"])
    lasting = "once" if scope == "once" else _SCOPES[scope]
    return f"{lasting}; the command {'is stopped' if stops else 'goes on'}"


def held_until(grant: Document, now: datetime) -> str:
    """When a grant ends, as one word or two."""
    if grant["expires_at"] is not None:
        return clock_time(moment(grant["expires_at"]), now)
    scope = str(grant["scope"])
    return {"once": "one retry", "run": "the run ends", "always": "the rule"}.get(
        scope, "the session ends"
    )


def used(grant: Document) -> str:
    """`2 of 3 connections, 1.2 of 20 MB`; what has no limit is only counted."""
    budget = grant["budget"] or {}
    connections = _of(count, grant["used_connections"], budget.get("connections"))
    amount = _of(byte_count, grant["used_bytes"], budget.get("bytes"))
    return f"{connections} connections, {amount}" if budget else ""


def _of(word: object, amount: int, limit: int | None) -> str:
    assert callable(word)
    return str(word(amount)) if limit is None else f"{word(amount)} of {word(limit)}"


def _requests(waiting: int) -> str:
    return "request that waits" if waiting == 1 else f"{waiting} requests that wait"


def ended(approval: Document, now: datetime) -> str:
    """How a question ended: its state, when, by whom."""
    answer, at = approval["answer"], approval["ended_at"]
    when = "" if at is None else f" at {clock_time(moment(at), now)}"
    if answer is None:
        return f"{approval['status']}{when}"
    comment = "" if answer["comment"] is None else f": {answer['comment']}"
    by = f"{answer['reviewer']} ({answer['channel']})"
    return f"{approval['status']}{when} by {by}, {answer['verdict']} {answer['scope']}{comment}"
