"""What all trails into one journal share: its turn, what it did not take, and what its disk has."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from otel.errors import AuditUnavailable, OnItsWay
from otel.events import AuditSpace
from otel.gaps import Loss, together
from otel.journal import HANG_SECONDS
from otel.modes import AuditMode
from otel.room import Room
from otel.space import Step
from otel.turn import Turn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from otel.chain import Spelled
    from otel.events import Event
    from otel.journal import Journal
    from otel.lane import Batch

# As long as the loop may stand still for one that must know at once: the lane takes a millisecond.
_PATIENCE_SECONDS: Final = 0.05
_TELL_SECONDS: Final = 1.0
_FULL: Final = frozenset({"ENOSPC", "EDQUOT", "EFBIG", "short_write"})


class Desk:
    """The state behind the trails."""

    __slots__ = (
        "_held",
        "_loop",
        "_loss",
        "_note",
        "_report",
        "_room",
        "_tell_at",
        "_untold",
        "goes_on",
        "is_impaired",
        "journal",
        "lost_in_all",
        "mode",
        "turn",
    )  # fmt: skip

    def __init__(self, journal: Journal, mode: AuditMode, note: Callable[[Event], None]) -> None:
        """`note` writes an event of the journal's own, or raises `AuditUnavailable`."""
        self.journal = journal
        self.mode = mode
        self.goes_on = mode is AuditMode.BEST_EFFORT
        self.turn: Turn | None = None
        self.lost_in_all = 0
        self._untold, self._tell_at = 0, 0.0
        self.is_impaired = False  # something is missing, the disk is full, or allows are held
        self._note = note
        self._held: str | None = None
        self._loss: Loss | None = None
        self._room = None if journal.shelf is None else Room(journal.shelf)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._report: Callable[[str], None] | None = None

    @property
    def step(self) -> Step:
        """How full the disk is."""
        return Step.OK if self._room is None else self._room.step

    @property
    def impairment(self) -> str | None:
        """Why no allow can be recorded now, as far as is known."""
        problem = self.journal.problem
        if problem is not None:
            return str(problem)
        self._look_when_full()
        return "the audit disk is full" if self.step is Step.FULL else self._held

    def shown(
        self, watcher: Callable[[Event], None], fill: Callable[[Event], Spelled], event: Event
    ) -> Spelled:
        """Spell an event that somebody watches."""
        try:
            watcher(event)
        except Exception as bug:  # noqa: BLE001 what only counts must not keep a record from the file
            if self._report is not None:
                self._report(f"netproxy: {event.name} was recorded, but not counted: {bug!r}")
        return fill(event)

    def gather(self, loop: asyncio.AbstractEventLoop, report: Callable[[str], None]) -> None:
        """Write by turns from now on."""
        self._loop, self._report = loop, report
        self.turn = Turn(
            self.journal,
            loop,
            lost=self._lost_in_turn,
            report=report,
            needs_sync=self.mode is AuditMode.STRICT,
        )
        self.journal.after_sync = self._look_behind

    def lose(
        self, unavailable: AuditUnavailable, count: int = 1, carried: Loss | None = None
    ) -> None:
        """Count events without a record, and what a lost gap record would have admitted."""
        now_ns = self.journal.now_ns()
        lost = Loss(count, unavailable.error_type, now_ns, now_ns)
        self._loss = together(together(self._loss, carried), lost)
        self.lost_in_all += count
        self.is_impaired = True

    def take_loss(self) -> Loss | None:
        """What is to be admitted now."""
        loss, self._loss = self._loss, None
        self._judge()
        return loss

    def put_back(self, loss: Loss) -> None:
        """It could not be admitted."""
        self._loss = together(loss, self._loss)
        self._judge()

    def wait_for(self, batch: Batch, carried: Loss | None) -> None:
        """Wait a moment for one that is written elsewhere. Raises `AuditUnavailable`."""
        seconds = HANG_SECONDS
        if self.turn is not None:
            is_stuck = self.journal.lane_seconds() > _PATIENCE_SECONDS
            seconds = 0.0 if is_stuck else _PATIENCE_SECONDS
        if not batch.wait(seconds):
            if self.turn is not None:
                self.turn.watch(batch, carried)
            raise OnItsWay("the disk has not taken it yet", error_type="timeout")
        if batch.problem is not None:
            raise batch.problem

    def gave_room(self, unavailable: AuditUnavailable) -> bool:
        """Give up the ballast if the disk is full, and say so. Whether there is room now."""
        if self._room is None or unavailable.error_type not in _FULL or not self._room.fill_up():
            return False
        self._say_step()
        return True

    def refuse_when_full(self) -> None:
        """Raise `AuditUnavailable` for an allow: what room there is, is for last words."""
        self._look_when_full()
        if self.step is Step.FULL:
            refusal = AuditUnavailable("the audit disk is full", error_type="ENOSPC")
            if self.goes_on:  # and happens all the same
                self.lose(refusal)
            raise refusal

        if self._held is not None:
            raise AuditUnavailable(self._held, error_type="unexported")

    def hold(self, why: str | None) -> None:
        """Refuse allows from now on, though the disk has room; None: no longer."""
        self._held = why
        self._judge()

    def _look_when_full(self) -> None:
        room = self._room
        if room is not None and room.step is Step.FULL and room.is_due() and room.look():
            self._say_step()

    def _look_behind(self) -> None:
        """After a sync, in the thread that syncs: the disk may hang."""
        room = self._room
        if room is None or room.step is Step.FULL or not room.is_due() or not room.look():
            return
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._say_step)

    def _say_step(self) -> None:
        room = self._room
        assert room is not None, "there is a step only where there is room"
        self._judge()
        with suppress(AuditUnavailable):
            self._note(AuditSpace(state=room.step, bytes_free=room.free))
        if self._report is not None:
            said = _WITHOUT if self.goes_on and room.step is Step.FULL else _SAID[room.step]
            self._report(said.format(free=f"{room.free / 1024**2:,.1f} MiB"))

    def _lost_in_turn(
        self, count: int, unavailable: AuditUnavailable, carried: Loss | None
    ) -> None:
        self.lose(unavailable, count, carried)
        self.gave_room(unavailable)
        self._untold += count
        # A line for each turn of a busy gateway would fill the next disk.
        if self._report is not None and time.monotonic() >= self._tell_at:
            events = "1 event" if self._untold == 1 else f"{self._untold} events"
            self._report(f"netproxy: {events} could not be recorded: {unavailable}")
            self._untold, self._tell_at = 0, time.monotonic() + _TELL_SECONDS

    def _judge(self) -> None:
        self.is_impaired = (
            self._loss is not None or self.step is Step.FULL or self._held is not None
        )


_SAID = {
    Step.OK: "netproxy: the audit disk has room again: {free}",
    Step.LOW: "netproxy: the audit disk gets full: {free} left",
    Step.CRITICAL: "netproxy: the audit disk is almost full: {free} left; nobody is asked any more",
    Step.FULL: "netproxy: the audit disk is full: what needs a record is refused",
}
_WITHOUT = "netproxy: the audit disk is full: what is allowed goes on without a record"
