"""The audit trail as the rest of the house sees it: typed events in, records in the journal.

Fills `netproxy.ports.AuditSink`. It adds what the events of one session or run have in common;
making text safe is the journal's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from otel.errors import AuditUnavailable
from otel.events import AuditGap
from otel.forms import Form
from otel.turn import Turn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from otel.attributes import Attributes, Value
    from otel.chain import Spelled
    from otel.events import Event
    from otel.journal import Journal


class AuditTrail:
    """Records events with attributes that all of them share. An event's own value wins.

    Events that could not be written (a denial is answered even then) are counted; the first record
    after them is a gap record with their number.
    """

    __slots__ = ("_common", "_desk", "_fills")

    def __init__(self, journal: Journal, common: Attributes) -> None:
        self._common = dict(common)
        self._desk = _Desk(journal)
        self._fills: dict[type[Event], Callable[[Event], Spelled]] = {}

    @property
    def lost(self) -> int:
        """How many events the journal did not take since it was opened."""
        return self._desk.lost_in_all

    def record(self, event: Event) -> None:
        """Return when the event is in the file. Raises `AuditUnavailable`."""
        desk = self._desk
        if desk.turn is not None:
            desk.turn.write()
        try:
            if desk.lost:
                self._admit()
            desk.journal.put(self._fill(event), event)
            desk.journal.flush()
        except AuditUnavailable as unavailable:
            desk.lose(1, unavailable)
            raise

    async def written(self, event: Event) -> None:
        """Return when the event is in the file, as `record` does; others may go with it."""
        turn = self._begin(event)
        if turn is not None:
            await turn.added()

    def record_then(self, event: Event, then: Callable[[AuditUnavailable | None], None], /) -> None:
        """Call `then` when the event is in the file, or with what keeps it from there.

        That is at the end of this turn of the loop, in the order of recording, and by the loop
        alone. Only where nothing may wait it is called before this returns: there are no turns, the
        journal refuses, or events were lost before. Raises no `AuditUnavailable`.
        """
        try:
            turn = self._begin(event)
        except AuditUnavailable as unavailable:
            problem: AuditUnavailable | None = unavailable
        else:
            if turn is not None:
                turn.add(then)
                return
            problem = None
        then(problem)

    def record_soon(self, event: Event, *, lost: Callable[[], None] | None = None) -> None:
        """Have the event in the file by the end of this turn of the loop.

        Raises `AuditUnavailable` where it is known that it can't be; where that shows later it is
        reported, and `lost` is called.
        """
        turn = self._begin(event)
        if turn is not None:
            turn.add(None if lost is None else partial(_unless_written, lost))

    def record_synced(self, event: Event) -> None:
        """Return when the event is on the disk: reviewers' answers, grants and rules."""
        self.record(event)
        self._desk.journal.sync()

    def write_by_turns(
        self, loop: asyncio.AbstractEventLoop, *, report: Callable[[str], None]
    ) -> None:
        """From now on write what may wait that long once in a turn of `loop`; others share it."""
        self._desk.gather(loop, report)

    def write_at_once(self) -> None:
        """Write all that waits, and from now on each event by itself: the loop is over."""
        turn, self._desk.turn = self._desk.turn, None
        if turn is not None:
            turn.write()
            turn.tell()

    def with_attributes(self, **attributes: Value) -> AuditTrail:
        """Make a trail into the same journal whose events share these attributes too."""
        trail = AuditTrail(self._desk.journal, {**self._common, **attributes})
        trail._desk = self._desk  # the same class: one count for one journal
        return trail

    def watch(self, watchers: Mapping[type[Event], Callable[[Event], None]]) -> None:
        """Show each event of these classes on its way into the journal, from every trail into it.

        Called before events of these classes are recorded, and costs the others nothing. A watcher
        that fails is reported, and keeps no event from the journal.
        """
        for kind, watcher in watchers.items():
            self._desk.watchers.setdefault(kind, []).append(watcher)
        self._fills.clear()

    def _begin(self, event: Event) -> Turn | None:
        """Put it where its turn ends, or write it where there are no turns."""
        desk = self._desk
        turn = desk.turn
        if turn is None or desk.lost:
            self.record(event)
            return None
        try:
            desk.journal.put(self._fills.get(type(event)) or self._fill(event), event)
        except AuditUnavailable as unavailable:
            desk.lose(1, unavailable)
            raise
        return turn

    def _fill(self, event: Event) -> Callable[[Event], Spelled]:
        kind = type(event)
        fill = self._fills.get(kind)
        if fill is None:
            fill = self._fills[kind] = self._desk.shown(kind, Form(kind, self._common).fill)
        return fill

    def _admit(self) -> None:
        desk = self._desk
        gap = AuditGap(error_type=desk.cause, lost=desk.lost)
        desk.journal.put(self._fill(gap), gap)
        desk.journal.flush()
        desk.lost = 0


class _Desk:
    """What all trails into one journal share: how many events it did not take, and its turn."""

    __slots__ = ("_report", "cause", "journal", "lost", "lost_in_all", "turn", "watchers")

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.turn: Turn | None = None
        self.lost = 0  # since the last that it took
        self.lost_in_all = 0
        self.cause = ""
        self.watchers: dict[type[Event], list[Callable[[Event], None]]] = {}
        self._report: Callable[[str], None] | None = None

    def shown(
        self, kind: type[Event], fill: Callable[[Event], Spelled]
    ) -> Callable[[Event], Spelled]:
        """Make what spells an event show it to its watchers first, if it has any."""
        for watcher in self.watchers.get(kind, ()):
            fill = partial(self._watched, watcher, fill)
        return fill

    def _watched(
        self, watcher: Callable[[Event], None], fill: Callable[[Event], Spelled], event: Event
    ) -> Spelled:
        try:
            watcher(event)
        except Exception as bug:  # noqa: BLE001 what only counts must not keep a record from the file
            if self._report is not None:
                self._report(f"netproxy: {event.name} was recorded, but not counted: {bug!r}")
        return fill(event)

    def gather(self, loop: asyncio.AbstractEventLoop, report: Callable[[str], None]) -> None:
        self._report = report
        self.turn = Turn(self.journal, loop, lost=self._lost_in_turn, report=report)

    def lose(self, count: int, unavailable: AuditUnavailable) -> None:
        self.lost += count
        self.lost_in_all += count
        self.cause = unavailable.error_type

    def _lost_in_turn(self, count: int, unavailable: AuditUnavailable) -> None:
        self.lose(count, unavailable)
        if self._report is not None:
            self._report(f"netproxy: {count} events could not be recorded: {unavailable}")


def _unless_written(lost: Callable[[], None], problem: AuditUnavailable | None) -> None:
    if problem is not None:
        lost()
