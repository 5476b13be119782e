"""The audit trail as the rest of the house sees it: typed events in, records in the journal.

Fills `netproxy.ports.AuditSink`. It adds what the events of one session or run have in common;
making text safe is the journal's.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from otel.desk import Desk
from otel.errors import AuditUnavailable, OnItsWay
from otel.forms import Form
from otel.modes import AuditMode
from otel.space import Step

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from otel.attributes import Attributes, Value
    from otel.chain import Spelled
    from otel.events import Event
    from otel.gaps import Loss
    from otel.journal import Journal
    from otel.turn import Turn


class AuditTrail:
    """Records events with attributes that all of them share. An event's own value wins.

    Events that could not be written (a denial is answered even then) are counted; the first record
    after them is a gap record with their number. In best-effort mode nothing here raises
    `AuditUnavailable`, and nobody is told of it: that is all that the mode is.
    """

    __slots__ = ("_common", "_desk", "_fills", "_watchers")

    def __init__(
        self,
        journal: Journal,
        common: Attributes,
        mode: AuditMode = AuditMode.WRITTEN,
        *,
        desk: Desk | None = None,
    ) -> None:
        """`desk` is that of another trail into the same journal."""
        self._common = dict(common)
        self._fills: dict[type[Event], Callable[[Event], Spelled]] = {}
        self._desk = desk or Desk(journal, mode, self._write_now)
        self._watchers: dict[type[Event], tuple[Callable[[Event], None], ...]] = {}

    @property
    def common(self) -> Attributes:
        """What all of its events share."""
        return self._common

    @property
    def chain(self) -> tuple[str, int]:
        """The id of the writer, and the number of its last record."""
        journal = self._desk.journal
        return journal.writer, journal.last_seq

    @property
    def lost(self) -> int:
        """How many events the journal did not take since it was opened."""
        return self._desk.lost_in_all

    def record(self, event: Event) -> None:
        """Return when the event is in the file. Raises `AuditUnavailable`.

        Also when the disk is slow and it is not known yet: it may be written later then.
        """
        desk = self._desk
        if desk.turn is not None:
            desk.turn.write()
        try:
            self._write_now(event)
        except OnItsWay:
            if not desk.goes_on:
                raise
        except AuditUnavailable as unavailable:
            if desk.gave_room(unavailable) and self._fits_now(event):
                return
            desk.lose(unavailable)
            if not desk.goes_on:
                raise

    async def written(self, event: Event) -> None:
        """Return when an allow is where its mode wants it; others may go with it."""
        try:
            turn = self._begin(event, asks=True)
            if turn is not None:
                await turn.added()
        except AuditUnavailable:
            if not self._desk.goes_on:
                raise

    def record_then(self, event: Event, then: Callable[[AuditUnavailable | None], None], /) -> None:
        """Call `then` when an allow is where its mode wants it, or with what keeps it from there.

        In written mode that is at the end of this turn of the loop, in the order of recording, and
        by the loop alone; it is later in strict mode, and on a slow disk (two seconds at most).
        Only where nothing may wait it is called before this returns: there are no turns, or it is
        known already that the answer is no. Raises no `AuditUnavailable`.
        """
        if self._desk.goes_on:
            then = partial(_regardless, then)
        try:
            turn = self._begin(event, asks=True)
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
        goes_on = self._desk.goes_on
        try:
            turn = self._begin(event)
        except AuditUnavailable:
            if not goes_on:
                raise
        else:
            if turn is not None:
                turn.add(None if lost is None or goes_on else partial(_unless_written, lost))

    def record_synced(self, event: Event) -> None:
        """Return when the event is on the disk: reviewers' answers, grants and rules."""
        self.record(event)
        try:
            self._desk.journal.sync()
        except AuditUnavailable:
            if not self._desk.goes_on:
                raise

    def write_by_turns(
        self, loop: asyncio.AbstractEventLoop, *, report: Callable[[str], None]
    ) -> None:
        """From now on write what may wait that long once in a turn of `loop`; others share it."""
        self._desk.gather(loop, report)

    def write_at_once(self) -> None:
        """Write all that waits, and from now on each event by itself: the loop is over."""
        turn, self._desk.turn = self._desk.turn, None
        if turn is not None:
            turn.end()

    @property
    def mode(self) -> AuditMode:
        """What an allow waits for."""
        return self._desk.mode

    @property
    def is_almost_full(self) -> bool:
        """Whether its disk soon takes no more: nothing should begin that leaves many records."""
        return self._desk.step in {Step.CRITICAL, Step.FULL}

    def start_syncing(self) -> None:
        """From now on have what is written synced, as the mode wants it. Not before a fork."""
        self._desk.journal.start_syncing(gathers=self.mode is not AuditMode.STRICT)

    @property
    def impairment(self) -> str | None:
        """Why no allow can be recorded now, as far as is known."""
        return self._desk.impairment

    def hold(self, why: str | None) -> None:
        """Refuse allows from now on, for a reason outside of the journal; None: no longer."""
        self._desk.hold(why)

    def with_attributes(self, **attributes: Value) -> AuditTrail:
        """Make a trail into the same journal whose events share these attributes too."""
        desk = self._desk
        trail = AuditTrail(desk.journal, {**self._common, **attributes}, desk.mode, desk=desk)
        trail._watchers = dict(self._watchers)
        return trail

    def watch(self, watchers: Mapping[type[Event], Callable[[Event], None]]) -> None:
        """Show each event of these classes on its way into the journal.

        Those of this trail, and of trails that are made from it later. It costs other events
        nothing. A watcher that fails is reported, and keeps no event from the journal.
        """
        for kind, watcher in watchers.items():
            self._watchers[kind] = (*self._watchers.get(kind, ()), watcher)
        self._fills.clear()

    def _begin(self, event: Event, asks: bool = False) -> Turn | None:  # noqa: FBT001, FBT002 hot
        """Put it where its turn ends, or write it where there are no turns.

        `asks`: it is an allow, which a journal that has only room for last words refuses.
        """
        desk = self._desk
        turn = desk.turn
        if desk.is_impaired:
            if asks:
                desk.refuse_when_full()
            if turn is not None and (loss := self._admit()) is not None:
                turn.carry(loss)
        if turn is None:
            self.record(event)
            return None
        try:
            desk.journal.put(self._fills.get(type(event)) or self._fill(event), event)
        except AuditUnavailable as unavailable:
            desk.lose(unavailable)
            raise
        return turn

    def _fill(self, event: Event) -> Callable[[Event], Spelled]:
        kind = type(event)
        fill = self._fills.get(kind)
        if fill is None:
            fill = Form(kind, self._common).fill
            for watcher in self._watchers.get(kind, ()):
                fill = partial(self._desk.shown, watcher, fill)
            self._fills[kind] = fill
        return fill

    def _write_now(self, event: Event) -> None:
        """Write it behind what else is missing. Raises `AuditUnavailable`; counts no loss of it."""
        desk = self._desk
        journal = desk.journal
        loss = self._admit() if desk.is_impaired else None
        try:
            journal.put(self._fill(event), event)
            # Without a loop to stand still, time may pass, but not for ever.
            batch = journal.flush(aside=desk.turn is None)
            if batch is not None:
                desk.wait_for(batch, loss)
        except AuditUnavailable as unavailable:
            if loss is not None and not isinstance(unavailable, OnItsWay):
                desk.put_back(loss)
            raise

    def _fits_now(self, event: Event) -> bool:
        """Whether it could be written in the room that the ballast left."""
        with suppress(AuditUnavailable):
            self._write_now(event)
            return True
        return False

    def _admit(self) -> Loss | None:
        """Put a gap record, if something is missing. Raises `AuditUnavailable`."""
        desk = self._desk
        loss = desk.take_loss()
        if loss is None:
            return None
        try:
            gap = loss.gap()
            desk.journal.put(self._fill(gap), gap)
        except AuditUnavailable:
            desk.put_back(loss)
            raise
        return loss


def _unless_written(lost: Callable[[], None], problem: AuditUnavailable | None) -> None:
    if problem is not None:
        lost()


def _regardless(
    then: Callable[[AuditUnavailable | None], None], _: AuditUnavailable | None
) -> None:
    then(None)
