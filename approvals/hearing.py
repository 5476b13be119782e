"""One question from being put to being settled. The only writer of its record.

Everything that can end the question (an answer from any reviewer, the clock, the end of the run)
arrives as a move and is taken one by one, a no before a yes that waits beside it: each race has
one winner inside the process. Between processes the store's compare-and-set decides.

The order of settling must not change: answer on disk, compare-and-set, memory, removal from the
open questions, and only then the waiters wake. A retry can't join a question that is over, and
meets what its answer left behind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, assert_never

from approvals.errors import AlreadyResolved, RuleRefused, StoreUnavailable
from approvals.lifecycle import Step, next_record
from approvals.model import (
    Ending,
    Outcome,
    Record,
    Rejection,
    Resolution,
    Scope,
    Status,
    Verdict,
)
from approvals.moves import Answered, Expired, Move, SettledElsewhere, Unheard, Withdrawn
from approvals.panel import Panel
from approvals.settlement import ALLOWED, covered_by, ending_of, new_grant
from approvals.waiters import Waiters
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from approvals.desk import Desk
    from approvals.model import Answer, Grant, Question

# A timer may fire by so much too early.
_TICK = 0.001


class Hearing:
    """A question, its waiters, and the reviewers that are asked. Also their `Inquiry`."""

    def __init__(self, question: Question, desk: Desk) -> None:
        self.question = question
        self.resolution: Resolution | None = None
        self.waiters = Waiters()
        self._desk = desk
        self._record = Record(question=question, status=Status.PENDING, version=1, answer=None)
        self._inbox: deque[Move] = deque()
        self._arrived = asyncio.Event()
        self._started = desk.clock.monotonic()
        self._ends = self._started + desk.config.answerable_seconds
        self._accepted = False
        self._is_followed = False  # another gateway asks the reviewers

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
        return self._ends - self._desk.clock.monotonic()

    def accept(self) -> None:
        """Note that a reviewer took the question."""
        self._accepted = True

    def submit(self, move: Move) -> None:
        """Have a move taken; an answer to a settled question is told so at once."""
        if self.resolution is None:
            self._inbox.append(move)
            self._arrived.set()
        else:
            self._lost(move, self.resolution)

    async def run(self) -> None:
        """Ask the reviewers until the question is settled."""
        try:
            await self._guarded(self._put())
            if self.resolution is None:
                async with asyncio.TaskGroup() as reviews:
                    await self._settle(reviews)
        except Exception as error:  # noqa: BLE001  # a task's root: a bug of ours must still answer no
            why = f"the approval service failed ({type(error).__name__})"
            self._finish(Status.WITHDRAWN, Ending.UNAVAILABLE, why)
        finally:
            self._finish(Status.WITHDRAWN, Ending.WITHDRAWN, "the approval service stopped")

    async def _put(self) -> None:
        await self._desk.ready()
        stored = await self._desk.store.add(self._record)
        if self._desk.docket.resolution(stored.question.approval_id) is not None:
            # It was settled here while the store could not be told.
            over = replace(next_record(stored, Step.WITHDRAW), ended_at=self._desk.clock.wall())
            await self._desk.store.replace(stored, over)
            stored = await self._desk.store.add(self._record)
        self._desk.changed()
        if stored.question.approval_id != self.question.approval_id:
            self._follow(stored)

    def _follow(self, stored: Record) -> None:
        """Wait for the answer to the same question of another gateway, or give it here."""
        before, clock = self.question, self._desk.clock
        self._desk.trail.resolved(before, Status.WITHDRAWN, self.waiting)
        self.question, self._record = stored.question, stored
        self._ends = clock.monotonic() + stored.question.expires_at - clock.wall()
        self._accepted = self._is_followed = True
        self._desk.docket.rename(self, before.approval_id)

    async def _settle(self, reviews: asyncio.TaskGroup) -> None:
        desk = self._desk
        asked = () if self._is_followed else desk.reviewers
        panel = Panel(asked, self, desk.trail, self.submit)
        tasks = [reviews.create_task(panel.ask(reviewer)) for reviewer in asked]
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
        while not self._inbox:
            delivery = self._started + self._desk.config.delivery_seconds
            until = self._ends if self._accepted else min(delivery, self._ends)
            left = until - self._desk.clock.monotonic()
            if left < _TICK:
                expired = self.seconds_left < _TICK
                why = "no reviewer took the question in time"
                return Expired() if expired else Unheard(why=why)
            self._arrived.clear()
            try:
                async with asyncio.timeout(left):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        return self._pick(Answered.denies) or self._inbox.popleft()

    def _pick(self, wanted: Callable[[Answered], bool]) -> Answered | None:
        """Take the first answer of a kind out of turn."""
        for move in self._inbox:
            if isinstance(move, Answered) and wanted(move):
                self._inbox.remove(move)
                return move
        return None

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
            case SettledElsewhere():
                await self._look_again()
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
            self._reply(move)

    def _reply(self, move: Answered) -> None:
        if move.reply is None or move.reply.done():
            return
        if self.resolution is None:
            move.reply.set_exception(StoreUnavailable("the answer could not be kept"))
        else:
            move.reply.set_result(self.resolution)

    async def _end(self, step: Step, ending: Ending, why: str) -> None:
        if await self._advance(step, None):
            self._finish(self._record.status, ending, why)

    async def _deny(self, answer: Answer) -> None:
        grant = None if answer.scope is Scope.ONCE else self._new_grant(answer)
        try:
            if not await self._advance(Step.DENY, answer, grant):
                return
        except StoreUnavailable:
            # Nor does a no need the store.
            self._record = next_record(self._record, Step.DENY, answer)
        why = "a reviewer denied it"
        if grant is not None:
            why = await self._keep_denial(grant, answer) or why
        self._finish(Status.DENIED, Ending.DENIED, why, answer)

    async def _keep_denial(self, grant: Grant, answer: Answer) -> str | None:
        """Remember a no, even when the record of it fails: forgetting it would be a yes.

        Returns why it is for the session only, where it should have been for always.
        """
        self._desk.trail.granted(grant)
        self._desk.grants.keep(grant)
        if answer.scope is not Scope.ALWAYS:
            return None
        refused = await self._write_rule(answer)
        return refused and f"a reviewer denied it, for this session only: {refused}"

    async def _allow(self, answer: Answer) -> None:
        once = answer.scope is Scope.ONCE and self.waiters.covered(up_to=answer.seen_join_no)
        grant = None if once else self._new_grant(answer)
        if not await self._advance(Step.GRANT, answer, grant) or await self._overruled(grant):
            return
        if answer.scope is Scope.ALWAYS:
            refused = await self._write_rule(answer)
            if refused is not None:
                await self._take_back(grant, Ending.UNAVAILABLE, refused)
            if refused is not None or await self._overruled(grant):
                return
        if grant is None:
            why = "a reviewer allowed it once"
            self._finish(Status.GRANTED, Ending.APPROVED, why, answer)
            await self._advance(Step.USE, None)
        elif not self._desk.trail.granted(grant):
            why = "the grant could not be recorded"
            await self._take_back(grant, Ending.AUDIT_UNAVAILABLE, why)
        else:
            self._desk.grants.keep(grant)
            self._finish(Status.GRANTED, Ending.APPROVED, ALLOWED[answer.scope], answer)

    async def _write_rule(self, answer: Answer) -> str | None:
        """Write an answer for always into the policy; return why that is not possible."""
        if self._desk.rules is None:
            return "no rules can be written here"
        try:
            await self._desk.rules.write(self.question, answer)
        except RuleRefused as error:
            return f"the rule could not be written ({error})"
        return None

    async def _overruled(self, grant: Grant | None) -> bool:
        """Whether a session's no came while the yes was being written: it beats the yes."""
        move = self._pick(Answered.denies_for_long)
        if move is not None:
            self._desk.trail.reviewed(self.question, move.answer)
            await self._keep_denial(self._new_grant(move.answer), move.answer)
        denial = self._desk.memory.denial(self.question.key)
        if denial is None:
            return False
        why = "the session denies it"
        await self._take_back(grant, Ending.DENIED_BY_SESSION, why, denial.answer)
        if move is not None:
            self._reply(move)
        return True

    async def _take_back(
        self, grant: Grant | None, ending: Ending, why: str, answer: Answer | None = None
    ) -> None:
        if grant is None:
            await self._advance(Step.REVOKE, None)
        else:
            await self._desk.grants.withdraw(grant)
        self._finish(Status.REVOKED, ending, why, answer)

    def _new_grant(self, answer: Answer) -> Grant:
        return new_grant(self.question, answer, self._desk.clock.wall(), self._desk.config)

    async def _advance(self, step: Step, answer: Answer | None, grant: Grant | None = None) -> bool:
        """Compare and set. Losing to another process: what it decided is looked up."""
        new = next_record(self._record, step, answer)
        if self._record.status is Status.PENDING:
            new = replace(new, ended_at=self._desk.clock.wall())
        if not await self._desk.store.replace(self._record, new, grant=grant):
            await self._look_again()
            return False
        self._record = new
        self._desk.changed()
        return True

    async def _look_again(self) -> None:
        """Take over how another gateway settled the question."""
        if self.resolution is not None:
            return
        desk, approval_id = self._desk, self.question.approval_id
        record = await desk.store.find(approval_id)
        if record is not None and record.status is Status.PENDING:
            return
        grant = None if record is None else await desk.store.grant_of(approval_id)
        ending = Ending.UNAVAILABLE if record is None else ending_of(record, grant)
        if record is not None:
            self._record = record
        if grant is not None and ending in {Ending.APPROVED, Ending.DENIED}:
            desk.grants.keep(grant)
        status = Status.WITHDRAWN if record is None else record.status
        # An answer for requests that wait elsewhere: those that wait here ask anew.
        again = ending is None
        self._finish(status, ending or Ending.WITHDRAWN, "it was settled elsewhere", again=again)

    def _finish(
        self,
        status: Status,
        ending: Ending,
        why: str,
        answer: Answer | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Settle once; everything after that is too late and changes nothing."""
        if self.resolution is not None:
            return
        question, desk = self.question, self._desk
        said = answer or self._record.answer
        self.resolution = Resolution(
            approval_id=question.approval_id, status=status, answer=said, explanation=why
        )
        desk.docket.close(self)
        desk.trail.resolved(question, status, self.waiting)
        covered = frozenset[int]()
        if not again:
            covered = covered_by(self.waiters, question, ending, said)
        outcome = Outcome(
            ending=ending,
            approval_id=question.approval_id,
            answer=said,
            explanation=why,
            retry_after_seconds=desk.config.retry_after_seconds
            if ending is Ending.TIMEOUT
            else None,
        )
        self.waiters.release(covered, outcome)
        if ending is Ending.APPROVED:
            desk.grants.spend(question.approval_id, connections=len(covered), carried=0)
        overtaken, self._inbox = self._inbox, deque()
        for move in overtaken:
            self.submit(move)

    def _lost(self, move: Move, winner: Resolution) -> None:
        if not isinstance(move, Answered):
            return
        if move.reply is None:
            # A reviewer's own task. Who comes by `decide` is told, and its channel records that.
            expired = winner.status is Status.EXPIRED
            reason = Rejection.EXPIRED if expired else Rejection.ALREADY_RESOLVED
            self._desk.trail.rejected(self.question, reason, move.answer)
        elif not move.reply.done():
            move.reply.set_exception(AlreadyResolved(winner))
