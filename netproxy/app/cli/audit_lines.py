"""Audit records as lines that a person reads. Pure.

Whatever a record holds was chosen by somebody else: every text goes through `visible`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netproxy.app.amounts import byte_count, duration
from netproxy.app.cli.printing import BOLD_RED, DIM, GREEN, RED, YELLOW, paint
from otel import attributes as a
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel import Record, Value

# SeverityNumber of the log data model.
_WARN, _ERROR = 13, 17
# One record is one line; what is cut here is whole in --json. No host is longer.
_TEXT = 256
# What most records are, and most destinations; what is longer moves its own line only.
_WHAT_WIDTH, _WHERE_WIDTH = 7, 26
# Events of which there are many, in a word each.
_WORDS = {
    "connection.opened": "opened",
    "connection.closed": "closed",
    "connection.failed": "failed",
    "dial.refused": "refused",
}

# On every record of a run, so they say nothing about this one.
_QUIET = frozenset((a.SESSION_ID, a.CONVERSATION_ID, a.POLICY_SCOPE))
_PLACE = (a.SERVER_ADDRESS, a.SERVER_PORT)
_SHORT = {
    a.EXECUTION_ID: "run",
    a.CONNECTION_ID: "connection",
    a.APPROVAL_ID: "approval",
    a.CLIENT_ADDRESS: "client",
    a.REQUEST_METHOD: "method",
    a.POLICY_RULE: "rule",
    a.POLICY_EXPLANATION: "why",
    a.POLICY_SOURCE: "source",
    a.TRANSPORT_PROTOCOL: "protocol",
    a.PEER_ADDRESS: "peer",
    a.RESPONSE_STATUS: "status",
    a.ERROR_TYPE: "error",
}
# What is read first of the rest, and what is only copied from there.
_FIRST = (a.POLICY_EXPLANATION, a.POLICY_RULE)
_LAST = (a.CONNECTION_ID, a.APPROVAL_ID, a.GRANT_ID, a.EXECUTION_ID)
# The words that say it all, for the events of which there are many.
_SUMMARIES: Final[dict[str, tuple[str, ...]]] = {
    "policy_decision": (a.TRANSPORT_PROTOCOL, a.POLICY_REASON),
    "connection.opened": (a.PEER_ADDRESS,),
    "connection.closed": (a.CLOSE_REASON, a.BYTES_SENT, a.BYTES_RECEIVED, a.CONNECTION_DURATION),
    "connection.failed": (a.ERROR_TYPE,),
    "dial.refused": (a.POLICY_REASON, a.DIAL_REFUSED),
    "approval.requested": (a.TRANSPORT_PROTOCOL,),
    "approval.reviewed": (a.REVIEW_VERDICT, a.REVIEW_SCOPE, a.REVIEWER_ID),
    "approval.resolved": (a.APPROVAL_STATE, a.APPROVAL_DURATION),
    "approval.waiter_left": (a.WAIT_REASON, a.WAIT_DURATION),
    "run.started": (a.PROCESS_EXECUTABLE, a.USER_NAME),
    "run.exited": (a.PROCESS_EXIT_CODE, a.RUN_DURATION),
    "run.cancelled": (a.CANCEL_PHASE, a.POLICY_REASON),
}
_AMOUNTS = {a.BYTES_SENT: "{} out", a.BYTES_RECEIVED: "{} in"}
_IN_MS = re.compile(r"duration_ms$")


def record_line(record: Record, *, colour: bool, width: int | None = None) -> str:
    """`2026-01-02 03:04:05.678Z  deny     example.com:443  https  not_allowed  why=…`.

    Cut to `width` columns, where that is given.
    """
    name = record.name.removeprefix("netproxy.")
    values = record.attributes
    what = _WORDS.get(name) or visible(name)
    if a.POLICY_DECISION in values:
        what = _text(values[a.POLICY_DECISION])
    said, used = _summary(name, values, width)
    hidden = _QUIET | used
    if values.get(a.SANDBOX_ENFORCED) is not False:
        hidden |= {a.SANDBOX_ENFORCED}
    parts = [
        (f"{record.timestamp[:10]} {record.timestamp[11:]}  ", ""),
        (f"{what:<{_WHAT_WIDTH}}  ", _tint(record)),
        (f"{said}  " if said else "", ""),
        (" ".join(_details(values, hidden)), DIM),
    ]
    return _painted(parts, colour=colour, width=width)


def _painted(parts: list[tuple[str, str]], *, colour: bool, width: int | None) -> str:
    parts = _cut(parts, width)
    while parts and not parts[-1][0].rstrip():
        parts.pop()
    if parts:
        parts[-1] = parts[-1][0].rstrip(), parts[-1][1]
    return "".join(paint(text, tint, colour=colour) for text, tint in parts)


def _cut(parts: list[tuple[str, str]], width: int | None) -> list[tuple[str, str]]:
    if width is None or sum(len(text) for text, _ in parts) <= width:
        return parts
    kept, left = [], width - 1
    for text, tint in parts:
        kept.append((text[:left], tint))
        left -= len(kept[-1][0])
    return [*kept, ("…", DIM)]


def _tint(record: Record) -> str:
    match record.attributes.get(a.POLICY_DECISION):
        case "allow":
            return GREEN
        case "deny":
            return RED
    if record.severity >= _ERROR:
        return BOLD_RED
    return YELLOW if record.severity >= _WARN else ""


def _summary(
    name: str, values: Mapping[str, Value], width: int | None
) -> tuple[str, frozenset[str]]:
    """What it is about and how it went, and the attributes that are said with that."""
    words = _SUMMARIES.get(name, ())
    told = [text for attribute in words if (text := _told(attribute, values.get(attribute)))]
    used = {*words}
    if a.POLICY_DECISION in values:
        told[:1] = [f"{_text(values.get(a.TRANSPORT_PROTOCOL)):<5}"]
        used |= {a.POLICY_DECISION, a.POLICY_OVERRIDE}
    said = "  ".join(told)
    if a.SERVER_ADDRESS in values:
        where = _place(*(values.get(attribute) for attribute in _PLACE))
        # A long name must not hide what became of it; whose it is stands at its end.
        most = len(where) if width is None else max(_WHERE_WIDTH, width // 3)
        where = where if len(where) <= most else f"…{where[1 - most :]}"
        said = f"{where:<{_WHERE_WIDTH}}  {said}"
        used |= {*_PLACE}
    return said, frozenset(used)


def _place(address: Value, port: Value) -> str:
    """As an authority; a name that was only looked up has no port."""
    if port is None:
        return _text(address)
    host = _text(address)
    return f"[{host}]:{_text(port)}" if ":" in host else f"{host}:{_text(port)}"


def _told(attribute: str, value: Value) -> str:
    if value is None or value == ():
        return ""
    if type(value) is int and value >= 0:
        if attribute in _AMOUNTS:
            return _AMOUNTS[attribute].format(byte_count(value))
        if _IN_MS.search(attribute):
            return duration(value)
        if attribute == a.PROCESS_EXIT_CODE:
            return f"status {value}"
    return _text(value)


def _details(values: Mapping[str, Value], hidden: frozenset[str]) -> Iterator[str]:
    rest = values.keys() - hidden
    order = sorted(rest, key=lambda name: (name not in _FIRST, name in _LAST, name))
    for name in order:
        value = values[name]
        if value is not None and value != ():
            short = _SHORT.get(name) or visible(name.removeprefix("netproxy."), limit=_TEXT)
            yield f"{short}={_quoted(_text(value))}"


def _quoted(text: str) -> str:
    """Text with spaces must not look like further attributes."""
    if " " not in text and '"' not in text:
        return text
    return '"' + text.replace('"', '\\"') + '"'


def _text(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return visible(", ".join(value), limit=_TEXT)
        case _:
            return visible(str(value), limit=_TEXT)
