"""What a journal says of a period, in figures: one pass, in bounded memory. Pure.

What is read may have been tampered with, so nothing is taken for granted but that it is a record:
whether the chain holds is for `verify` to say.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from netproxy.app.audit_counts import Most, Spread, Timeline
from otel import attributes as a
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel import Record, Value

# More kinds than any attribute has words; a journal that was made up may have more.
_MOST_WORDS = 200
_OTHER = "other"


class Where(NamedTuple):
    """A destination as it was asked for, by whichever protocol."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(slots=True)
class Tally:
    """What was decided, and what flowed."""

    allowed: int = 0
    denied: int = 0
    sent: int = 0
    received: int = 0

    @property
    def asked(self) -> int:
        """How many requests there were."""
        return self.allowed + self.denied

    @property
    def weight(self) -> int:
        """What was asked for most matters most."""
        return self.asked


@dataclass(slots=True)
class RunTally(Tally):
    """The same for one run, and what it was."""

    executable: str | None = None
    user: str | None = None
    session: str | None = None
    started: str | None = None
    status: int | None = None  # that it ended with
    duration_ms: int | None = None
    cancelled_for: str | None = None  # the reason

    @property
    def weight(self) -> int:
        """A run that was only started matters, too."""
        return self.asked + 1


@dataclass(slots=True)
class Approvals:
    """What people were asked, and what came of it."""

    asked: int = 0
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)  # reviewer, verdict
    ends: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    granted: int = 0  # answers that a session remembered
    waited_ms: Spread = field(default_factory=Spread)


@dataclass(slots=True)
class Trail:
    """What the trail says of itself: whoever relies on it reads this first."""

    gaps: int = 0
    lost: int = 0
    unknown_gaps: int = 0  # gaps of which nobody knows how much is missing
    unclean_starts: int = 0
    starts: int = 0
    integrity_failures: int = 0
    clock_jumps: int = 0
    removed_segments: int = 0
    unsandboxed_runs: int = 0
    rejected_settings: int = 0
    notes: list[tuple[str, str, str]] = field(default_factory=list)  # time, event, what


_MOST_NOTES = 100


class Summary:
    """Takes the records of a period one by one."""

    def __init__(self) -> None:
        self.records = 0
        self.first: str | None = None
        self.last: str | None = None
        self.writers: set[str] = set()
        self.decisions = Tally()
        self.overridden = 0  # a reviewer's yes where no rule gave one
        self.reasons: Counter[tuple[str, str]] = Counter()  # decision, reason
        self.protocols: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.endings: Counter[str] = Counter()
        self.dials_refused = 0
        self.turned_away: Counter[str] = Counter()
        self.destinations: Most[Where, Tally] = Most(Tally)
        self.denials: Most[tuple[Where, str], Tally] = Most(Tally)
        self.runs: Most[str, RunTally] = Most(RunTally)
        self.approvals = Approvals()
        self.trail = Trail()
        self.timeline: Timeline[Tally] = Timeline(Tally, _merged)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.records += 1
        self.first = min(self.first or record.timestamp, record.timestamp)
        self.last = max(self.last or record.timestamp, record.timestamp)
        if len(self.writers) < _MOST_WORDS:
            self.writers.add(record.writer)
        count = _COUNTS.get(record.name)
        if count is not None:
            count(self, record)


def _run(summary: Summary, record: Record) -> RunTally:
    return summary.runs[_text(record.attributes, a.EXECUTION_ID)]


def _decided(summary: Summary, record: Record) -> None:
    values = record.attributes
    allowed = values.get(a.POLICY_DECISION) == "allow"
    reason, where = _text(values, a.POLICY_REASON), _where(values)
    tallies = [
        summary.decisions,
        summary.destinations[where],
        _run(summary, record),
        summary.timeline.at(record.timestamp),
    ]
    if not allowed:
        tallies.append(summary.denials[where, reason])
    for tally in tallies:
        tally.allowed += allowed
        tally.denied += not allowed
    _count(summary.reasons, ("allow" if allowed else "deny", reason), ("deny", _OTHER))
    _count(summary.protocols, _text(values, a.TRANSPORT_PROTOCOL), _OTHER)
    summary.overridden += values.get(a.POLICY_OVERRIDE) is True


def _closed(summary: Summary, record: Record) -> None:
    values = record.attributes
    sent, received = _number(values, a.BYTES_SENT), _number(values, a.BYTES_RECEIVED)
    where, at = summary.destinations[_where(values)], summary.timeline.at(record.timestamp)
    for tally in (summary.decisions, where, _run(summary, record), at):
        tally.sent += sent
        tally.received += received
    _count(summary.endings, _text(values, a.CLOSE_REASON), _OTHER)


def _failed(summary: Summary, record: Record) -> None:
    _count(summary.failures, _text(record.attributes, a.ERROR_TYPE), _OTHER)


def _undialled(summary: Summary, _: Record) -> None:
    summary.dials_refused += 1


def _refused_many(summary: Summary, record: Record) -> None:
    values = record.attributes
    count = _number(values, a.LIMIT_REFUSED)
    _count(summary.turned_away, _text(values, a.LIMIT_NAME), _OTHER, count)


def _asked(summary: Summary, _: Record) -> None:
    summary.approvals.asked += 1


def _reviewed(summary: Summary, record: Record) -> None:
    values = record.attributes
    who = _text(values, a.REVIEWER_ID), _text(values, a.REVIEW_VERDICT)
    _count(summary.approvals.answers, who, (_OTHER, _OTHER))


def _resolved(summary: Summary, record: Record) -> None:
    values = record.attributes
    _count(summary.approvals.ends, _text(values, a.APPROVAL_STATE), _OTHER)
    summary.approvals.waited_ms.add(_number(values, a.APPROVAL_DURATION))


def _left(summary: Summary, record: Record) -> None:
    _count(summary.approvals.left, _text(record.attributes, a.WAIT_REASON), _OTHER)


def _granted(summary: Summary, _: Record) -> None:
    summary.approvals.granted += 1


def _started(summary: Summary, record: Record) -> None:
    values, run = record.attributes, _run(summary, record)
    run.executable = _text(values, a.PROCESS_EXECUTABLE)
    run.user = _text(values, a.USER_NAME, _text(values, a.USER_ID))
    run.session = _text(values, a.SESSION_ID)
    run.started = record.timestamp
    summary.trail.unsandboxed_runs += values.get(a.SANDBOX_ENFORCED) is False


def _exited(summary: Summary, record: Record) -> None:
    values, run = record.attributes, _run(summary, record)
    run.status = _number(values, a.PROCESS_EXIT_CODE)
    run.duration_ms = _number(values, a.RUN_DURATION)


def _cancelled(summary: Summary, record: Record) -> None:
    _run(summary, record).cancelled_for = _text(record.attributes, a.POLICY_REASON)


def _opened_journal(summary: Summary, record: Record) -> None:
    summary.trail.starts += 1
    if record.attributes.get(a.SHUTDOWN) == "unclean":
        summary.trail.unclean_starts += 1
        _note(summary, record, "the run before it did not end in order")


def _gap(summary: Summary, record: Record) -> None:
    lost = record.attributes.get(a.GAP_LOST)
    summary.trail.gaps += 1
    if type(lost) is int and lost >= 0:
        summary.trail.lost += lost
    else:
        summary.trail.unknown_gaps += 1
    missing = "records" if lost == -1 else f"{lost} records"
    _note(summary, record, f"{missing} missing: {_text(record.attributes, a.ERROR_TYPE)}")


def _broken(summary: Summary, record: Record) -> None:
    values = record.attributes
    summary.trail.integrity_failures += 1
    _note(
        summary, record, f"{_text(values, a.INTEGRITY_KIND)} at {_text(values, a.INTEGRITY_PLACE)}"
    )


def _jumped(summary: Summary, record: Record) -> None:
    summary.trail.clock_jumps += 1
    _note(summary, record, f"by {_number(record.attributes, a.CLOCK_DELTA)} ms")


def _removed(summary: Summary, record: Record) -> None:
    summary.trail.removed_segments += 1
    _note(summary, record, _text(record.attributes, a.SEGMENT_NAME))


def _settings_rejected(summary: Summary, record: Record) -> None:
    summary.trail.rejected_settings += 1
    _note(summary, record, _text(record.attributes, a.ERROR_TYPE))


def _exported(summary: Summary, record: Record) -> None:
    values = record.attributes
    lag = _number(values, a.EXPORT_LAG)
    what = f"{_text(values, a.EXPORT_SINK)} {_text(values, a.EXPORT_STATE)}, {lag} behind"
    _note(summary, record, what)


def _space(summary: Summary, record: Record) -> None:
    _note(summary, record, _text(record.attributes, a.SPACE_STATE))


def _note(summary: Summary, record: Record, what: str) -> None:
    if len(summary.trail.notes) < _MOST_NOTES:
        name = record.name.removeprefix("netproxy.")
        summary.trail.notes.append((record.timestamp, name, what))


_COUNTS: Mapping[str, Callable[[Summary, Record], None]] = {
    f"netproxy.{name}": count
    for name, count in {
        "policy_decision": _decided,
        "connection.closed": _closed,
        "connection.failed": _failed,
        "dial.refused": _undialled,
        "clients.turned_away": _refused_many,
        "approval.requested": _asked,
        "approval.reviewed": _reviewed,
        "approval.resolved": _resolved,
        "approval.waiter_left": _left,
        "grant.created": _granted,
        "run.started": _started,
        "run.exited": _exited,
        "run.cancelled": _cancelled,
        "gateway.started": _opened_journal,
        "config.rejected": _settings_rejected,
        "audit.gap": _gap,
        "audit.integrity_failed": _broken,
        "audit.segment_removed": _removed,
        "audit.export_state": _exported,
        "audit.space": _space,
        "clock.jump": _jumped,
    }.items()
}


def _merged(one: Tally, other: Tally) -> Tally:
    return Tally(
        one.allowed + other.allowed,
        one.denied + other.denied,
        one.sent + other.sent,
        one.received + other.received,
    )


def _count[K](counter: Counter[K], word: K, otherwise: K, by: int = 1) -> None:
    known = word in counter or len(counter) < _MOST_WORDS
    counter[word if known else otherwise] += by


def _where(values: Mapping[str, Value]) -> Where:
    return Where(_text(values, a.SERVER_ADDRESS), _number(values, a.SERVER_PORT))


def _text(values: Mapping[str, Value], name: str, otherwise: str = "unknown") -> str:
    value = values.get(name)
    return value if isinstance(value, str) else otherwise


def _number(values: Mapping[str, Value], name: str) -> int:
    value = values.get(name)
    return value if type(value) is int else 0
