"""`netproxy audit stats`: what was asked, allowed and denied in a period, in figures."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from netproxy.app.amounts import byte_count, count, duration, percent
from netproxy.app.audit_export_state import SinkState, sink_states
from netproxy.app.audit_summary import Summary
from netproxy.app.cli.audit_command import (
    Damage,
    add_json,
    add_period,
    journal,
    parser,
    period,
    whole_number,
)
from netproxy.app.cli.printing import (
    BOLD,
    BOLD_RED,
    DIM,
    GREEN,
    RED,
    paint,
    wants_colour,
    write,
)
from otel import read, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netproxy.app.audit_counts import Most
    from netproxy.app.audit_summary import Approvals, RunTally, Tally, Trail, Where

    # Text and its colour; what has none is plain.
    type Cell = tuple[str, str]

_TOP = 10
_NAME_WIDTH, _BAR_WIDTH = 44, 24


def main(arguments: list[str]) -> int:
    """Read the period once, then print."""
    made = parser("stats", "What was asked, allowed and denied: in figures, for a period or all.")
    add_period(made)
    made.add_argument(
        "--top", type=whole_number, default=_TOP, metavar="N", help="of each list (default: 10)"
    )
    add_json(made)
    options = made.parse_args(arguments)
    directory, damage, summary = journal(options), Damage(), Summary()
    for record in read(directory, damage.report, span=period(made, options)):
        summary.add(record)
    sinks = sink_states(directory, now_ns=time.time_ns())
    if options.json:
        write(json.dumps(as_json(summary, sinks, top=options.top), ensure_ascii=False))
    else:
        _Page(colour=wants_colour(), top=options.top).show(summary, sinks)
    return damage.status()


def as_json(summary: Summary, sinks: Sequence[SinkState], *, top: int) -> dict[str, object]:
    """All figures, by names that stay."""
    return {
        "records": summary.records,
        "first": summary.first,
        "last": summary.last,
        "writers": len(summary.writers),
        "decisions": _decisions(summary),
        "destinations": _listed(summary.destinations, top),
        "denials": [
            {"host": where.host, "port": where.port, "reason": reason, "count": tally.denied}
            for (where, reason), tally in summary.denials.top(top)
        ],
        "runs": [{"run": run, **_run(tally)} for run, tally in summary.runs.top(top)],
        "bytes": {"sent": summary.decisions.sent, "received": summary.decisions.received},
        "connections": {
            "ended": dict(summary.endings.most_common()),
            "failed": dict(summary.failures.most_common()),
            "dials_refused": summary.dials_refused,
            "turned_away": dict(summary.turned_away.most_common()),
        },
        "approvals": _approvals(summary.approvals),
        "trail": _trail(summary.trail),
        # How much too low a count may be: more were asked for than are kept in memory.
        "counts_short_by": {
            "destinations": summary.destinations.short_by,
            "denials": summary.denials.short_by,
            "runs": summary.runs.short_by,
        },
        "export": [state.as_json() for state in sinks],
    }


def _decisions(summary: Summary) -> dict[str, object]:
    return {
        **_tally(summary.decisions),
        "overridden": summary.overridden,
        "reasons": [
            {"decision": decision, "reason": reason, "count": number}
            for (decision, reason), number in summary.reasons.most_common()
        ],
        "protocols": dict(summary.protocols.most_common()),
    }


def _approvals(found: Approvals) -> dict[str, object]:
    return {
        "asked": found.asked,
        "answers": [
            {"reviewer": reviewer, "verdict": verdict, "count": number}
            for (reviewer, verdict), number in found.answers.most_common()
        ],
        "ended": dict(found.ends.most_common()),
        "left": dict(found.left.most_common()),
        "remembered": found.granted,
        "waited_ms": {"median": found.waited_ms.middle, "longest": found.waited_ms.longest},
    }


def _trail(trail: Trail) -> dict[str, int]:
    return {
        "gaps": trail.gaps,
        "records_missing": trail.lost,
        "gaps_of_unknown_size": trail.unknown_gaps,
        "starts": trail.starts,
        "unclean_starts": trail.unclean_starts,
        "integrity_failures": trail.integrity_failures,
        "clock_jumps": trail.clock_jumps,
        "segments_removed": trail.removed_segments,
        "runs_without_sandbox": trail.unsandboxed_runs,
        "settings_rejected": trail.rejected_settings,
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {"asked": tally.asked, "allowed": tally.allowed, "denied": tally.denied}


def _listed(most: Most[Where, Tally], top: int) -> list[dict[str, object]]:
    return [
        {
            "host": where.host,
            "port": where.port,
            **_tally(tally),
            "bytes_sent": tally.sent,
            "bytes_received": tally.received,
        }
        for where, tally in most.top(top)
    ]


def _run(run: RunTally) -> dict[str, object]:
    return {
        **_tally(run),
        "bytes_sent": run.sent,
        "bytes_received": run.received,
        "executable": run.executable,
        "user": run.user,
        "session": run.session,
        "started": run.started,
        "status": run.status,
        "duration_ms": run.duration_ms,
        "cancelled_for": run.cancelled_for,
    }


class _Page:
    """The figures for a person: sections, each with aligned lines."""

    def __init__(self, *, colour: bool, top: int) -> None:
        self._colour = colour
        self._top = top

    def show(self, summary: Summary, sinks: Sequence[SinkState]) -> None:
        """Print all of them."""
        self._write(*self._period(summary))
        if not summary.records:
            return
        self._decisions(summary)
        self._destinations(summary)
        self._denials(summary)
        self._runs(summary)
        self._approvals(summary)
        self._connections(summary)
        self._trail(summary, sinks)

    def _period(self, summary: Summary) -> Iterator[Cell]:
        if summary.first is None or summary.last is None:
            yield "no records in this period", ""
            return
        writers = len(summary.writers)
        yield f"{count(summary.records)} records", BOLD
        yield f" of {writers} writer{'s' * (writers != 1)}, ", ""
        yield f"{_time(summary.first)} to {_time(summary.last)}", ""

    def _decisions(self, summary: Summary) -> None:
        tally = summary.decisions
        self._section("decisions", f"{count(tally.asked)} requests")
        self._figure("allowed", tally.allowed, tally.asked, GREEN)
        self._figure("denied", tally.denied, tally.asked, RED)
        self._section("reasons")
        for (decision, reason), number in summary.reasons.most_common(self._top):
            self._figure(reason, number, tally.asked, GREEN if decision == "allow" else RED)
        if summary.overridden:
            self._write((f"  {count(summary.overridden)} where only a reviewer said yes", DIM))

    def _figure(self, name: str, number: int, whole: int, tint: str) -> None:
        bar = "▇" * max(1, round(_BAR_WIDTH * number / whole)) if number else ""
        share = percent(number, whole)
        self._write((f"  {_name(name, 24)}  {count(number):>9}  {share:>5}  ", ""), (bar, tint))

    def _destinations(self, summary: Summary) -> None:
        self._section("destinations", "asked for most")
        self._columns("allowed", "denied", "sent", "received")
        for where, tally in summary.destinations.top(self._top):
            self._row(str(where), tally)
        self._short_by(summary.destinations)

    def _row(self, name: str, tally: Tally) -> None:
        denied = f"{count(tally.denied):>9}"
        self._write(
            (f"  {_name(name, _NAME_WIDTH)}{count(tally.allowed):>9}", ""),
            (denied, RED if tally.denied else ""),
            (f"{byte_count(tally.sent):>10}{byte_count(tally.received):>10}", ""),
        )

    def _denials(self, summary: Summary) -> None:
        if not summary.denials:
            return
        self._section("denials", "most often")
        for (where, reason), tally in summary.denials.top(self._top):
            line = f"  {_name(str(where), _NAME_WIDTH)}{count(tally.denied):>9}  {visible(reason)}"
            self._write((line, ""))
        self._short_by(summary.denials)

    def _runs(self, summary: Summary) -> None:
        self._section("runs", count(len(summary.runs)))
        self._columns("allowed", "denied", "sent", "received")
        for name, run in summary.runs.top(self._top):
            command = "" if run.executable is None else visible(run.executable, limit=12)
            self._row(f"{visible(name, limit=30)} {command}", run)
            self._write((f"      {_ended(run)}", DIM))
        self._short_by(summary.runs)

    def _approvals(self, summary: Summary) -> None:
        found = summary.approvals
        if not found.asked:
            return
        self._section("approvals", f"{count(found.asked)} question{'s' * (found.asked != 1)}")
        for (reviewer, verdict), number in found.answers.most_common(self._top):
            told = f"{visible(verdict, limit=12)} by {visible(reviewer, limit=30)}"
            self._line(told, count(number))
        for state, number in found.ends.most_common():
            self._line(visible(state, limit=30), count(number))
        for reason, number in found.left.most_common():
            self._line(f"left: {visible(reason, limit=30)}", count(number))
        if found.waited_ms.middle is not None:
            self._line("waited, median", duration(found.waited_ms.middle))
            self._line("waited, longest", duration(found.waited_ms.longest))

    def _connections(self, summary: Summary) -> None:
        self._section("connections", _flowed(summary.decisions))
        for reason, number in summary.endings.most_common(self._top):
            self._line(f"ended: {visible(reason, limit=30)}", count(number))
        for error, number in summary.failures.most_common(self._top):
            self._line(f"failed: {visible(error, limit=30)}", count(number))
        if summary.dials_refused:
            self._line("addresses refused", count(summary.dials_refused))
        for limit, number in summary.turned_away.most_common(self._top):
            self._line(f"turned away: {visible(limit, limit=30)}", count(number))

    def _trail(self, summary: Summary, sinks: Sequence[SinkState]) -> None:
        trail = summary.trail
        self._section("trail")
        at_least = "at least " if trail.unknown_gaps else ""
        lost = f"{count(trail.gaps)}, {at_least}{count(trail.lost)} records lost"
        self._line("gaps", lost if trail.gaps else "0", bad=trail.gaps)
        for name, number in (
            ("broken chains found at a start", trail.integrity_failures),
            ("starts after an end without order", trail.unclean_starts),
            ("clock jumps", trail.clock_jumps),
            ("runs without a sandbox", trail.unsandboxed_runs),
            ("settings rejected", trail.rejected_settings),
            ("segments removed by retention", trail.removed_segments),
        ):
            if number:
                self._line(name, count(number), bad=number)
        for state in sinks:
            label = f"export: {visible(state.label, limit=60)}"
            self._line(label, state.told, bad=state.is_behind)

    def _line(self, name: str, value: str, *, bad: int = 0) -> None:
        self._write((f"  {_name(name, _NAME_WIDTH)}", ""), (f"{value:>9}", BOLD_RED if bad else ""))

    def _columns(self, *names: str) -> None:
        first, second, *rest = names
        spread = "".join(f"{name:>10}" for name in rest)
        self._write((f"  {'':<{_NAME_WIDTH}}{first:>9}{second:>9}{spread}", DIM))

    def _section(self, title: str, note: str = "") -> None:
        write("")
        self._write((title, BOLD), (f"  {note}" if note else "", DIM))

    def _short_by[K, T: Tally](self, most: Most[K, T]) -> None:
        if most.short_by:
            told = f"{count(most.let_go)} names were too many to keep: counts may be short"
            self._write((f"  {told} by {count(most.short_by)}", DIM))

    def _write(self, *cells: Cell) -> None:
        write("".join(paint(text, tint, colour=self._colour) for text, tint in cells).rstrip())


def _name(text: str, width: int) -> str:
    """Of this width; a long one keeps its end, which says whose it is."""
    shown = visible(text)
    return f"{shown:<{width}}" if len(shown) <= width else f"…{shown[1 - width :]}"


def _ended(run: RunTally) -> str:
    if run.status is None or run.duration_ms is None:
        return "no end on record" if run.started else "a service, or begun before"
    end = f"status {run.status} after {duration(run.duration_ms)}"
    who = "" if run.user is None else f", {visible(run.user, limit=30)}"
    why = (
        "" if run.cancelled_for is None else f", cancelled: {visible(run.cancelled_for, limit=40)}"
    )
    return f"{end}{who}{why}"


def _flowed(tally: Tally) -> str:
    return f"{byte_count(tally.sent)} sent, {byte_count(tally.received)} received"


def _time(timestamp: str) -> str:
    return f"{timestamp[:10]} {timestamp[11:19]}Z"
