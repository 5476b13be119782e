"""Audit records and verdicts as lines that a person reads. Pure.

Whatever a record holds was chosen by somebody else: every text goes through `visible`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.cli.printing import DIM, GREEN, RED, YELLOW, paint
from otel import attributes as a
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel import Record, Value, Verdict

_WARN = 13  # SeverityNumber of the log data model
# One record is one line; what is cut here is whole in --json.
_TEXT = 200
_FINDINGS = 20

# On every record of a run, so they say nothing about this one.
_QUIET = frozenset((a.SESSION_ID, a.SESSION_NAME, a.SANDBOX_ENFORCED, a.CONVERSATION_ID))
_DECISION = frozenset(
    (
        a.POLICY_DECISION, a.POLICY_REASON, a.POLICY_SOURCE, a.SERVER_ADDRESS, a.SERVER_PORT,
        a.TRANSPORT_PROTOCOL, a.POLICY_SCOPE, a.POLICY_OVERRIDE,
    )
)  # fmt: skip
_SHORT = {
    a.EXECUTION_ID: "run",
    a.CONNECTION_ID: "connection",
    a.APPROVAL_ID: "approval",
    a.CLIENT_ADDRESS: "client",
    a.REQUEST_METHOD: "method",
    a.POLICY_RULE: "rule",
    a.POLICY_EXPLANATION: "why",
}


def record_line(record: Record, *, colour: bool) -> str:
    """`2026-01-02 03:04:05.678Z deny example.com:443 https not_allowed …`."""
    when = f"{record.timestamp[:10]} {record.timestamp[11:]}"
    if a.POLICY_DECISION in record.attributes:
        what, hidden = _decision(record, colour=colour), _QUIET | _DECISION
    else:
        tint = YELLOW if record.severity >= _WARN else ""
        what = paint(visible(record.name.removeprefix("netproxy.")), tint, colour=colour)
        hidden = _QUIET
    rest = " ".join(_details(record.attributes.items(), hidden))
    return f"{when}  {what}  {paint(rest, DIM, colour=colour)}".rstrip()


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """One line for a chain that holds, one more for each thing that is wrong with one."""
    state = "ok    " if verdict.holds else "BROKEN"
    live = ", being written now" if verdict.live else ""
    yield f"{state} {verdict.writer}: {verdict.records} records{live}"
    for finding in verdict.findings[:_FINDINGS]:
        seq = "" if finding.seq is None else f" (seq {finding.seq})"
        where = f"{visible(finding.file)}:{finding.line}"
        yield f"  {where}: {finding.kind}: {visible(finding.message)}{seq}"
    if len(verdict.findings) > _FINDINGS:
        yield f"  and {len(verdict.findings) - _FINDINGS} more"


def _decision(record: Record, *, colour: bool) -> str:
    values = record.attributes
    decision = _text(values.get(a.POLICY_DECISION))
    tint = GREEN if decision == "allow" else RED
    place = f"{_text(values.get(a.SERVER_ADDRESS))}:{_text(values.get(a.SERVER_PORT))}"
    why = f"{_text(values.get(a.POLICY_REASON))} ({_text(values.get(a.POLICY_SOURCE))})"
    protocol = _text(values.get(a.TRANSPORT_PROTOCOL))
    return f"{paint(f'{decision:<5}', tint, colour=colour)}  {place}  {protocol}  {why}"


def _details(items: object, hidden: frozenset[str]) -> Iterator[str]:
    for name, value in sorted(items):  # type: ignore[call-overload]  # the items of a mapping
        if name not in hidden and value is not None and value != ():
            yield f"{_SHORT.get(name, visible(name))}={_text(value)}"


def _text(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return visible(", ".join(value), limit=_TEXT)
        case _:
            return visible(str(value), limit=_TEXT)
