"""Answers for always become rules: fills `approvals.ports.RuleWriter` for a whole gateway.

Which file a run's rules go into, and whether they could, is `netproxy.app.rule_file`. A rule is
on record before it is written: none holds that the trail knows nothing of.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from approvals import Verdict as Said
from approvals.errors import RuleRefused
from netproxy.app.reload import beside_the_loop
from netproxy.app.rule_file import NotWritten, Wanted
from netproxy.model import Destination, OnDenial, Protocol, Verdict
from otel import AuditUnavailable, visible
from otel.events import RuleWritten
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals import Answer, Question
    from approvals.ports import Clock, EventSink
    from netproxy.app.rule_file import RuleFile

_ENDS = {True: OnDenial.CANCEL, False: OnDenial.BLOCK}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Book:
    file: RuleFile
    sink: EventSink
    written: Callable[[bool], None]


class RuleWriter:
    """Knows the file of each run that has one: runs of one session may go by different files."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._books: dict[str, dict[str, _Book]] = {}  # by session, and by run

    def open(
        self,
        session: str,
        run: str,
        file: RuleFile,
        *,
        sink: EventSink,
        written: Callable[[bool], None],
    ) -> None:
        """Take answers of this run. `written` hears of each rule, and if a file was made."""
        books = self._books.setdefault(session, {})
        books[run] = _Book(file=file, sink=sink, written=written)

    def is_open(self, session: str, run: str) -> bool:
        """Whether a rule could be written for this run, as far as a look can tell."""
        book = self._book(session, run)
        return book is not None and book.file.is_writable

    def close(self, session: str, run: str) -> None:
        """Take none any more."""
        books = self._books.get(session, {})
        books.pop(run, None)
        if not books:
            self._books.pop(session, None)

    def _book(self, session: str, run: str) -> _Book | None:
        """The run's own; where it is over, or another gateway's, that of who waits here as well."""
        books = self._books.get(session, {})
        return books.get(run) or next(iter(books.values()), None)

    async def write(self, question: Question, answer: Answer) -> None:
        """Return when the rule is on the disk, and on record. Raises `RuleRefused`."""
        book = self._book(question.key.session, question.asking.run)
        if book is None:
            raise RuleRefused("this session has no file for rules")
        wanted = self._wanted(question, answer)
        try:
            addition = await beside_the_loop(lambda: book.file.prepare(wanted))
            if addition is None:
                return
            try:
                book.sink.record_synced(_event(question, answer, book.file))
            except AuditUnavailable as lost:
                addition.close()
                raise RuleRefused(f"the rule could not be recorded: {lost}") from None
            book.written(await beside_the_loop(addition.append))
        except NotWritten as refused:
            raise RuleRefused(str(refused)) from None

    def _wanted(self, question: Question, answer: Answer) -> Wanted:
        key = question.key
        denies = answer.verdict is Said.DENY
        return Wanted(
            destination=Destination(key.host, key.port, Protocol(key.protocol)),
            verdict=Verdict.DENY if denies else Verdict.ALLOW,
            on_denial=_ENDS[answer.cancel] if denies else None,
            reason=_reason(answer, self._clock.wall()),
        )


def _event(question: Question, answer: Answer, file: RuleFile) -> RuleWritten:
    return RuleWritten(
        approval_id=question.approval_id,
        verdict=answer.verdict,
        rule=question.key.destination,
        file=str(file.path),
        reviewer=answer.reviewer,
    )


def _reason(answer: Answer, now: float) -> str:
    """Who said so, where, when and why: read in every refusal, and by whoever finds the rule."""
    when = datetime.fromtimestamp(now, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    verb = "denied" if answer.verdict is Said.DENY else "approved"
    comment = f": {visible(answer.comment)}" if answer.comment else ""
    return f"{verb} by {visible(answer.reviewer)} ({answer.channel}) at {when}{comment}"
