"""One question from being put to being settled. The only writer of its record.

Everything that can end the question (an answer from any reviewer, the clock, the end of the run)
arrives as a move in one inbox and is taken in order, so each race has one winner inside the
process; the store's compare-and-set decides between processes.

The order of settling must not change: answer on disk, compare-and-set, memory, removal from the
open questions, and only then the waiters wake. A retry can't join a question that is over, and
meets what its answer left behind.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from approvals.errors import AlreadyResolved, StoreUnavailable
from approvals.lifecycle import Step, next_record
from approvals.model import (
    Ending,
    Grant,
    GrantEnd,
    Outcome,
    Record,
    Resolution,
    Scope,
    Status,
    Verdict,
)
from approvals.moves import Answered, Expired, Move, Unheard, Withdrawn
from approvals.panel import Panel
from approvals.waiters import Waiters
from otel import new_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from approvals.config import Config
    from approvals.memory import SessionMemory
    from approvals.model import Answer, Question
    from approvals.ports import Clock, Reviewer, Store
    from approvals.trail import Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all hearings of a service share."""

    reviewers: tuple[Reviewer, ...]
    store: Store
    trail: Trail
    memory: SessionMemory
    clock: Clock
    config: Config


class Hearing:
    """A question, its waiters, and the reviewers that are asked. Also their `Inquiry`."""

    def __init__(
        self, question: Question, desk: Desk, on_settled: Callable[[Hearing], None]
    ) -> None:
        self.question = question
        self.resolution: Resolution | None = None
        self.waiters = Waiters()
        self._desk = desk
        self._on_settled = on_settled
        self._record = Record(question=question, status=Status.PENDING, version=1, answer=None)
        self._inbox: asyncio.Queue[Move] = asyncio.Queue()
        self._started = desk.clock.monotonic()
        self._accepted = False
        self._lease: Grant | None = None
        self._timed: Grant | None = None  # what the session remembers, and not for ever

    @property
    def version(self) -> int:
        """Of the record as it is kept."""
        return self._record.version

    @property
    def waiting(self) -> int:
        """How many requests wait now."""
        return len(self.waiters)

    @property
    def joined(self) -> int:
        """The number of the last request that joined."""
        return self.waiters.joined

    @property
    def seconds_left(self) -> float:
        """How long the question stays answerable."""
        return self._left_of(self._desk.config.answerable_seconds)

    def accept(self) -> None:
        """Note that a reviewer took the question."""
        self._accepted = True

    def submit(self, move: Move) -> None:
        """Put a move in the inbox; an answer to a settled question is told so at once.

        Withdrawing a settled question ends the wait for its retry.
        """
        if self.resolution is None or isinstance(move, Withdrawn):
            self._inbox.put_nowait(move)
        else:
            self._lost(move, self.resolution)

    async def run(self) -> None:
        """Ask the reviewers until the question is settled, then see its lease off."""
        try:
            await self._guarded(self._put())
            if self.resolution is None:
                async with asyncio.TaskGroup() as reviews:
                    await self._settle(reviews)
            if self._lease is not None:
                await self._guarded(self._serve_lease(self._lease))
            if self._timed is not None:
                await self._guarded(self._outlive(self._timed))
        except Exception as error:  # noqa: BLE001  # a task's root: a bug of ours must still answer no
            why = f"the approval service failed ({type(error).__name__})"
            self._finish(Status.WITHDRAWN, Ending.UNAVAILABLE, why)
        finally:
            self._finish(Status.WITHDRAWN, Ending.WITHDRAWN, "the approval service stopped")

    async def _put(self) -> None:
        stored = await self._desk.store.add(self._record)
        if stored.question.approval_id != self.question.approval_id:
            why = "another gateway asks the same already"
            self._finish(Status.WITHDRAWN, Ending.UNAVAILABLE, why)

    async def _settle(self, reviews: asyncio.TaskGroup) -> None:
        desk = self._desk
        panel = Panel(desk.reviewers, self, desk.trail, self.submit)
        tasks = [reviews.create_task(panel.ask(reviewer)) for reviewer in desk.reviewers]
        try:
            while self.resolution is None:
                await self._guarded(self._take(await self._next_move()))
        finally:
            # `resolution` is set by now: a cancelled reviewer reads there who was faster.
            for task in tasks:
                task.cancel()

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Do something with the store; without the store the answer is no."""
        try:
            await work
        except StoreUnavailable as error:
            why = f"the approval store failed ({error})"
            self._finish(Status.WITHDRAWN, Ending.UNAVAILABLE, why)

    async def _next_move(self) -> Move:
        while True:
            delivery = self._left_of(self._desk.config.delivery_seconds)
            patience = self.seconds_left if self._accepted else min(delivery, self.seconds_left)
            try:
                async with asyncio.timeout(patience):
                    return await self._inbox.get()
            except TimeoutError:
                if self.seconds_left <= 0:
                    return Expired()
                if not self._accepted:
                    return Unheard(why="no reviewer took the question in time")

    def _left_of(self, seconds: float) -> float:
        return self._started + seconds - self._desk.clock.monotonic()

    async def _take(self, move: Move) -> None:
        match move:
            case Answered():
                await self._answered(move)
            case Expired():
                await self._end(Step.EXPIRE, Ending.TIMEOUT, "nobody answered in time")
            case Unheard(why=why):
                await self._end(Step.WITHDRAW, Ending.UNAVAILABLE, why)
            case Withdrawn(why=why):
                await self._end(Step.WITHDRAW, Ending.WITHDRAWN, why)
            case _ as impossible:
                assert_never(impossible)

    async def _answered(self, move: Answered) -> None:
        answer = move.answer
        try:
            on_record = self._desk.trail.reviewed(self.question, answer)
            if answer.verdict is not Verdict.ALLOW:
                # A no needs no record to hold: the command is refused even with a full disk.
                await self._deny(answer)
            elif on_record:
                await self._allow(answer)
            else:
                why = "the answer could not be recorded"
                await self._end(Step.DENY, Ending.AUDIT_UNAVAILABLE, why)
        finally:
            if move.reply is not None and not move.reply.done():
                self._reply(move.reply)

    def _reply(self, reply: asyncio.Future[Resolution]) -> None:
        if self.resolution is None:
            reply.set_exception(StoreUnavailable("the answer could not be kept"))
        else:
            reply.set_result(self.resolution)

    async def _end(self, step: Step, ending: Ending, why: str) -> None:
        if await self._advance(step, None):
            self._finish(self._record.status, ending, why)

    async def _deny(self, answer: Answer) -> None:
        try:
            if not await self._advance(Step.DENY, answer):
                return
        except StoreUnavailable:
            # Nor does a no need the store.
            self._record = next_record(self._record, Step.DENY, answer)
        if answer.scope is Scope.SESSION:
            # Remembered even when the record of it fails: forgetting a no would be a yes.
            grant = self._new_grant(answer)
            self._desk.trail.granted(grant)
            self._desk.memory.remember(grant)
        self._finish(Status.DENIED, Ending.DENIED, "a reviewer denied it")

    async def _allow(self, answer: Answer) -> None:
        if not await self._advance(Step.GRANT, answer):
            return
        if self._desk.memory.denial(self.question.key) is not None:
            # A denial for the session that came by another way while this question stood.
            await self._take_back(Ending.DENIED_BY_SESSION, "the session denies it")
        elif answer.scope is Scope.ONCE and self.waiters.any_up_to(answer.seen_join_no):
            self._finish(Status.GRANTED, Ending.APPROVED, "a reviewer allowed it once")
            await self._advance(Step.USE, None)
        else:
            await self._leave_grant(answer)

    async def _leave_grant(self, answer: Answer) -> None:
        """Leave the session's yes, or a lease for the retry of somebody who waited too long."""
        grant = self._new_grant(answer)
        if not self._desk.trail.granted(grant):
            why = "the grant could not be recorded"
            await self._take_back(Ending.AUDIT_UNAVAILABLE, why)
        elif answer.scope is Scope.SESSION:
            self._desk.memory.remember(grant)
            if self._desk.config.grant_seconds is not None:
                self._timed = grant
            why = "a reviewer allowed it for this session"
            self._finish(Status.GRANTED, Ending.APPROVED, why)
        else:
            self._desk.memory.lease(grant)
            self._lease = grant
            self._finish(Status.GRANTED, Ending.APPROVED, "a reviewer allowed the next try")

    async def _take_back(self, ending: Ending, why: str) -> None:
        await self._advance(Step.REVOKE, None)
        self._finish(Status.REVOKED, ending, why)

    def _new_grant(self, answer: Answer) -> Grant:
        return Grant(
            grant_id=new_id("g"),
            approval_id=self.question.approval_id,
            key=self.question.key,
            verdict=answer.verdict,
            scope=answer.scope,
            run=self.question.asking.run,
            created_at=self._desk.clock.wall(),
            reviewer=answer.reviewer,
            channel=answer.channel,
            comment=answer.comment,
            cancel=answer.cancel,
        )

    async def _advance(self, step: Step, answer: Answer | None) -> bool:
        """Compare and set. Losing to another process settles the question: with no."""
        new = next_record(self._record, step, answer)
        if not await self._desk.store.replace(self._record, new):
            why = "it was settled elsewhere"
            self._finish(Status.WITHDRAWN, Ending.UNAVAILABLE, why)
            return False
        self._record = new
        return True

    async def _serve_lease(self, lease: Grant) -> None:
        try:
            async with asyncio.timeout(self._desk.config.longest_lease):
                await self._inbox.get()
        except TimeoutError:
            pass
        if self._desk.memory.drop_lease(lease):
            self._desk.trail.grant_ended(lease, GrantEnd.EXPIRED)
            await self._advance(Step.EXPIRE, None)
        else:
            await self._advance(Step.USE, None)

    async def _outlive(self, grant: Grant) -> None:
        """End a yes when its time is over, unless the session ends before."""
        try:
            async with asyncio.timeout(self._desk.config.grant_seconds):
                await self._inbox.get()
        except TimeoutError:
            if self._desk.memory.forget(grant):
                self._desk.trail.grant_ended(grant, GrantEnd.EXPIRED)
                await self._advance(Step.EXPIRE, None)

    def _finish(self, status: Status, ending: Ending, why: str) -> None:
        """Settle once; everything after that is too late and changes nothing."""
        if self.resolution is not None:
            return
        question, answer = self.question, self._record.answer
        self.resolution = Resolution(
            approval_id=question.approval_id, status=status, answer=answer, explanation=why
        )
        self._on_settled(self)
        self._desk.trail.resolved(question, status, self.waiting)
        self.waiters.release(self._covered(ending), self._outcome(ending, why))
        overtaken = [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        for move in overtaken:
            self.submit(move)

    def _covered(self, ending: Ending) -> int:
        answer = self._record.answer
        if ending is Ending.APPROVED and answer is not None and answer.scope is Scope.ONCE:
            return answer.seen_join_no
        return self.joined

    def _outcome(self, ending: Ending, why: str) -> Outcome:
        retry = self._desk.config.retry_after_seconds if ending is Ending.TIMEOUT else None
        return Outcome(
            ending=ending,
            approval_id=self.question.approval_id,
            answer=self._record.answer,
            explanation=why,
            retry_after_seconds=retry,
        )

    @staticmethod
    def _lost(move: Move, winner: Resolution) -> None:
        if isinstance(move, Answered) and move.reply is not None and not move.reply.done():
            move.reply.set_exception(AlreadyResolved(winner))
