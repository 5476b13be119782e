"""The audit report as one HTML page that needs nothing else: no script, no font, no request. Pure.

Whatever it shows was chosen by somebody else. Every text is made visible, then escaped; the page's
own policy (CSP) lets nothing run and nothing load, so that even a slip here could do neither.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from netproxy.app.amounts import byte_count, count, duration, percent
from netproxy.app.audit_page_style import STYLE
from netproxy.app.audit_plots import bar, timeline
from otel import visible
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netproxy.app.audit_export_state import SinkState
    from netproxy.app.audit_summary import RunTally, Summary, Tally

_TOP = 15
# More than a name of 253 characters and a port (RFC 1035 section 2.3.4).
_LONGEST_PLACE = 300
_STYLE_HASH = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What `verify` says of one chain."""

    writer: str
    records: int
    holds: bool  # nothing was changed
    is_well: bool  # and nothing is known to be missing
    told: str
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page shows."""

    summary: Summary
    checks: Sequence[Check]
    sinks: Sequence[SinkState]
    directory: str
    period: str
    made_at: str


def page(report: Report) -> str:
    """Write the page."""
    body = "".join(_sections(report))
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>netproxy audit report</title><style>{STYLE}</style></head><body>\n"
        f"{body}</body></html>\n"
    )


def _sections(report: Report) -> Iterator[str]:
    summary = report.summary
    yield _header(report)
    yield "<main>"
    yield _verdicts(report)
    if summary.records:
        yield _tiles(summary)
        yield _over_time(summary)
        yield f'<div class="pair">{_reasons(summary)}{_connections(summary)}</div>'
        yield _destinations(summary)
        yield _denials(summary)
        yield _runs(summary)
        yield _approvals(summary)
        yield _notes(summary)
    else:
        yield _section("Nothing", '<p class="quiet">No records in this period.</p>')
    yield _chains(report)
    yield "</main>"
    yield _footer(report)


def _header(report: Report) -> str:
    records = count(report.summary.records)
    return (
        "<header><h1>netproxy audit report</h1>"
        f"<p>{_text(report.period)} · {records} records · {_text(report.directory)}</p></header>\n"
    )


def _verdicts(report: Report) -> str:
    """What has to be known before anything else is believed."""
    broken = sum(not each.holds for each in report.checks)
    chains = _many(len(report.checks), "chain")
    missing = _missing(report)
    lines = [
        _verdict(
            is_good=not broken,
            title="Integrity",
            told=f"broken in {broken} of {chains}: see the end of this page"
            if broken
            else f"holds in {chains}: no record was changed, cut out or added",
        ),
        _verdict(
            is_good=False if missing else None,  # an anchor would show it
            title="Completeness",
            told=missing
            or "no gap is on record; whether the end was cut off shows only beside an anchor",
        ),
    ]
    lines += [
        _verdict(is_good=not sink.is_behind, title=f"Export to {sink.label}", told=sink.told)
        for sink in report.sinks
    ]
    return f'<section class="verdicts" aria-label="Verdicts">{"".join(lines)}</section>\n'


def _missing(report: Report) -> str:
    """What is known to be missing: in this period, and of the chains as a whole."""
    trail = report.summary.trail
    lacking = {each.told: None for each in report.checks if each.holds and not each.is_well}
    if not trail.gaps:
        return "; ".join(lacking)
    at_least = "at least " if trail.unknown_gaps else ""
    return (
        f"{_many(trail.gaps, 'gap')} in this period: {at_least}{_many(trail.lost, 'record')} lost"
    )


def _many(number: int, what: str) -> str:
    return f"{count(number)} {what}{'s' * (number != 1)}"


def _verdict(*, is_good: bool | None, title: str, told: str) -> str:
    """One line; None: that can't be known from here."""
    kind, sign = {True: ("good", "✓"), False: ("bad", "!"), None: ("open", "?")}[is_good]
    return (
        f'<p class="{kind}"><span class="sign" aria-hidden="true">{sign}</span>'
        f"<strong>{_text(title)}</strong> {_text(told)}</p>"
    )


def _tiles(summary: Summary) -> str:
    tally = summary.decisions
    tiles = [
        ("requests", count(tally.asked), ""),
        ("allowed", count(tally.allowed), percent(tally.allowed, tally.asked)),
        ("denied", count(tally.denied), percent(tally.denied, tally.asked)),
        ("sent", byte_count(tally.sent), ""),
        ("received", byte_count(tally.received), ""),
        ("runs", count(len(summary.runs)), ""),
        ("questions", count(summary.approvals.asked), _waited(summary)),
    ]
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd><dd>{note}</dd></div>" for name, value, note in tiles
    )
    return f'<dl class="tiles">{cells}</dl>\n'


def _waited(summary: Summary) -> str:
    middle = summary.approvals.waited_ms.middle
    return "" if middle is None else f"{duration(middle)} median"


def _over_time(summary: Summary) -> str:
    plot = timeline(summary.timeline.steps(), summary.timeline.step_seconds)
    step = duration(summary.timeline.step_seconds * 1000)
    legend = (
        '<p class="legend"><span class="key allow"></span>allowed '
        f'<span class="key deny"></span>denied · one bar is {step}, times are UTC</p>'
    )
    return _section("Decisions over time", legend + plot)


def _reasons(summary: Summary) -> str:
    most = max(summary.reasons.values(), default=0)
    rows = [
        [
            _text(reason),
            _number(number),
            percent(number, summary.decisions.asked),
            bar(number / most, decision),
        ]
        for (decision, reason), number in summary.reasons.most_common(_TOP)
    ]
    return _section("Reasons", _table(["reason", "#requests", "#share", ""], rows))


def _connections(summary: Summary) -> str:
    rows = [
        *([f"ended: {_text(word)}", _number(n)] for word, n in summary.endings.most_common(_TOP)),
        *([f"failed: {_text(word)}", _number(n)] for word, n in summary.failures.most_common(_TOP)),
        *(
            [f"turned away: {_text(word)}", _number(n)]
            for word, n in summary.turned_away.most_common(_TOP)
        ),
    ]
    if summary.dials_refused:
        rows.append(["addresses refused", _number(summary.dials_refused)])
    return _section("Connections", _table(["what became of them", "#count"], rows))


def _destinations(summary: Summary) -> str:
    top = summary.destinations.top(_TOP)
    # Of a connection from before the period only the end is in it: then nothing was asked at all.
    most = max((tally.asked for _, tally in top), default=1) or 1
    rows = [
        [_place(str(where)), *_tally(tally), bar(tally.asked / most, _kind(tally))]
        for where, tally in top
    ]
    names = ["destination", "#allowed", "#denied", "#sent", "#received", ""]
    note = _short_by(summary.destinations.short_by, summary.destinations.let_go)
    return _section("Destinations asked for most", _table(names, rows) + note)


def _denials(summary: Summary) -> str:
    top = summary.denials.top(_TOP)
    most = max((tally.denied for _, tally in top), default=1)
    rows = [
        [
            _place(str(where)),
            _text(reason),
            _number(tally.denied),
            bar(tally.denied / most, "deny"),
        ]
        for (where, reason), tally in top
    ]
    note = _short_by(summary.denials.short_by, summary.denials.let_go)
    return _section(
        "Denied most often", _table(["destination", "reason", "#times", ""], rows) + note
    )


def _runs(summary: Summary) -> str:
    rows = [
        [
            f"<code>{_text(run)}</code>",
            _text(tally.executable or ""),
            _text(tally.user or ""),
            _time(tally.started),
            *_tally(tally),
            _ended(tally),
        ]
        for run, tally in summary.runs.top(_TOP)
    ]
    names = [
        "run",
        "command",
        "user",
        "started",
        "#allowed",
        "#denied",
        "#sent",
        "#received",
        "end",
    ]
    note = _short_by(summary.runs.short_by, summary.runs.let_go)
    return _section("Runs", _table(names, rows) + note)


_NOT_BEGUN = '<span class="quiet">a service, or begun before</span>'


def _ended(run: RunTally) -> str:
    if run.status is None or run.duration_ms is None:
        return '<span class="bad">no end on record</span>' if run.started else _NOT_BEGUN
    why = "" if run.cancelled_for is None else f", cancelled: {_text(run.cancelled_for)}"
    return f"status {run.status} after {duration(run.duration_ms)}{why}"


def _approvals(summary: Summary) -> str:
    found = summary.approvals
    if not found.asked:
        return ""
    rows = [
        *(
            [f"{_text(verdict)} by {_text(reviewer)}", _number(n)]
            for (reviewer, verdict), n in found.answers.most_common(_TOP)
        ),
        *([f"ended: {_text(word)}", _number(n)] for word, n in found.ends.most_common()),
        *([f"left: {_text(word)}", _number(n)] for word, n in found.left.most_common()),
        ["remembered for a session", _number(found.granted)],
    ]
    if found.waited_ms.middle is not None:
        rows.append(["waited, median", duration(found.waited_ms.middle)])
        rows.append(["waited, longest", duration(found.waited_ms.longest)])
    return _section("Questions and answers", _table(["what", "#count"], rows))


def _notes(summary: Summary) -> str:
    notes = summary.trail.notes
    rows = [[_time(time), _text(name), _text(what)] for time, name, what in notes]
    if not rows:
        return ""
    return _section("What the trail says of itself", _table(["time", "event", "what"], rows))


def _chains(report: Report) -> str:
    rows = []
    for each in report.checks:
        findings = "".join(f"<br>{_text(finding)}" for finding in each.findings)
        state = "holds" if each.holds else '<span class="bad">broken</span>'
        rows.append(
            [
                f"<code>{_text(each.writer)}</code>",
                _number(each.records),
                state,
                _text(each.told) + findings,
            ]
        )
    return _section("Chains", _table(["writer", "#records", "integrity", "completeness"], rows))


def _footer(report: Report) -> str:
    return (
        f"<footer><p>Made at {_text(report.made_at)} by <code>netproxy audit report</code> from "
        "the journal itself. Check it with <code>netproxy audit verify</code>; the records behind "
        "a "
        "figure are found with <code>netproxy audit query</code>.</p></footer>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>\n"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already. A name that begins with # is of a column of numbers."""
    if not rows:
        return '<p class="quiet">None.</p>'
    kinds = [' class="number"' if name.startswith("#") else "" for name in names]
    head = "".join(
        f"<th{kind}>{name.removeprefix('#')}</th>" for name, kind in zip(names, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _tally(tally: Tally) -> list[str]:
    return [
        _number(tally.allowed),
        _number(tally.denied),
        byte_count(tally.sent),
        byte_count(tally.received),
    ]


def _kind(tally: Tally) -> str:
    return "deny" if tally.denied > tally.allowed else "allow"


def _short_by(short_by: int, let_go: int) -> str:
    if not short_by:
        return ""
    told = f"{count(let_go)} names were too many to keep: counts may be short by {count(short_by)}"
    return f'<p class="quiet">{told}.</p>'


def _time(timestamp: str | None) -> str:
    return "" if timestamp is None else _text(f"{timestamp[:10]} {timestamp[11:19]}")


def _number(number: int) -> str:
    return count(number)


def _place(text: str) -> str:
    """A destination: what is too long for one keeps its end, which says whose it is."""
    shown = visible(text)
    return escape(shown if len(shown) <= _LONGEST_PLACE else f"…{shown[1 - _LONGEST_PLACE :]}")


def _text(text: str) -> str:
    return escape(visible(text, limit=200))
