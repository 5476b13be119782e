"""The one place that answers "may this go there?" when the policy says ask.

It remembers what sessions were told, keeps one open question per key, holds those who wait for as
long as a client can be expected to, and lets `decide` be the only door for answers. Everything
about one question happens in its `Hearing`. No sockets, no policy.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from approvals.errors import AlreadyResolved, StoreUnavailable, UnknownApproval
from approvals.hearing import Desk, Hearing
from approvals.memory import SessionMemory
from approvals.model import Ending, GrantEnd, Leaving, Outcome, Question
from approvals.moves import Answered, Withdrawn
from approvals.panel import check_answer
from approvals.trail import Trail
from otel import AuditUnavailable, new_id

if TYPE_CHECKING:
    from types import TracebackType

    from approvals.config import Config
    from approvals.model import Answer, Asking, Grant, Key, Resolution
    from approvals.ports import Clock, EventSink, Reviewer, Store


class ApprovalService:
    """Asks reviewers, and remembers. An async context manager: leaving it ends all sessions."""

    def __init__(
        self,
        *,
        reviewers: tuple[Reviewer, ...],
        sink: EventSink,
        clock: Clock,
        store: Store,
        config: Config,
    ) -> None:
        self._desk = Desk(
            reviewers=reviewers,
            store=store,
            trail=Trail(sink, clock),
            memory=SessionMemory(),
            clock=clock,
            config=config,
        )
        self._open: dict[Key, Hearing] = {}
        self._by_id: dict[str, Hearing] = {}
        self._settled: dict[str, Resolution] = {}
        self._hearings = asyncio.TaskGroup()
        self._running = False

    async def __aenter__(self) -> Self:
        await self._hearings.__aenter__()
        self._running = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        for hearing in self._by_id.values():
            hearing.submit(Withdrawn(why="the session ended"))
        try:
            await self._end_grants()
        finally:
            # Not given the error: hearings end by themselves now, and it goes on as it is, not
            # wrapped in a group.
            await self._hearings.__aexit__(None, None, None)

    def grant(self, key: Key) -> Grant | None:
        """The session's yes to this key. A plain look-up: every connection asks."""
        return self._desk.memory.grant(key)

    @property
    def denies(self) -> bool:
        """Whether the session said no to anything at all."""
        return self._desk.memory.denies

    def denial(self, key: Key) -> Grant | None:
        """The session's no to this key."""
        return self._desk.memory.denial(key)

    async def ask(self, asking: Asking) -> Outcome:
        """Wait for an answer, for as long as a connection is held. Every failure is an outcome.

        Cancelling the wait takes this request out of the question and leaves the rest as it is. The
        message it is cancelled with may be a `Leaving`; without one the client has left.
        """
        deadline = self._desk.clock.monotonic() + self._desk.config.hold_seconds
        outcome: Outcome | None = None
        while outcome is None:
            outcome = self._known(asking.key)
            if outcome is None:
                outcome = await self._wait(asking, deadline)
        return outcome

    async def decide(self, approval_id: str, answer: Answer) -> Resolution:
        """Answer a question from outside its reviewers' own tasks.

        Returns how the question ended by it. Raises `AlreadyResolved` (somebody was faster),
        `InvalidAnswer`, `UnknownApproval` or `StoreUnavailable`. Cancelling the call doesn't take
        the answer back.
        """
        hearing = self._by_id.get(approval_id)
        if hearing is None or hearing.resolution is not None:
            raise self._too_late(approval_id)
        check_answer(answer, hearing)
        reply: asyncio.Future[Resolution] = asyncio.get_running_loop().create_future()
        hearing.submit(Answered(answer=answer, reply=reply))
        return await reply

    def end_run(self, run: str) -> None:
        """A command is over: questions that no other run asked are withdrawn."""
        for hearing in list(self._open.values()):
            if hearing.waiters.end_run(run):
                hearing.submit(Withdrawn(why="the command ended"))

    def _known(self, key: Key) -> Outcome | None:
        memory = self._desk.memory
        if (denial := memory.denial(key)) is not None:
            return _remembered(denial, Ending.DENIED_BY_SESSION, "the session denies it")
        if (grant := memory.grant(key)) is not None:
            return _remembered(grant, Ending.GRANTED, "the session allows it")
        if (lease := memory.take_lease(key)) is not None:
            return self._use(lease)
        return None

    def _use(self, lease: Grant) -> Outcome:
        hearing = self._by_id.get(lease.approval_id)
        if hearing is not None:
            hearing.submit(Withdrawn(why="the lease was used"))
        if not self._desk.trail.grant_ended(lease, GrantEnd.USED):
            why = "the use of the answer could not be recorded"
            return _remembered(lease, Ending.AUDIT_UNAVAILABLE, why)
        return _remembered(lease, Ending.APPROVED, "a reviewer allowed this retry")

    async def _wait(self, asking: Asking, deadline: float) -> Outcome | None:
        hearing = self._open.get(asking.key)
        if hearing is None:
            if not (self._running and self._desk.reviewers):
                return _unasked(Ending.UNAVAILABLE, "there is nobody to ask")
            if self._is_full(asking.key.session):
                return self._too_many()
            try:
                hearing = self._put(asking)
            except AuditUnavailable:
                return _unasked(Ending.AUDIT_UNAVAILABLE, "the question could not be recorded")
        number, waiter = hearing.waiters.join(asking.run)
        began = self._desk.clock.monotonic()
        leaving = Leaving.HOLD_TIMEOUT
        try:
            await asyncio.wait([waiter], timeout=max(0.0, deadline - began))
        except asyncio.CancelledError as cancelled:
            leaving = _leaving(cancelled)
            raise
        finally:
            hearing.waiters.leave(number)
            if not waiter.done() and hearing.resolution is None:
                waited = self._desk.clock.monotonic() - began
                self._desk.trail.left(hearing.question, asking, leaving, waited)
        return waiter.result() if waiter.done() else self._timed_out(hearing)

    def _put(self, asking: Asking) -> Hearing:
        """Put a new question: on record first, then to the reviewers."""
        now = self._desk.clock.wall()
        question = Question(
            approval_id=new_id("a"),
            asking=asking,
            created_at=now,
            expires_at=now + self._desk.config.answerable_seconds,
            widest_scope=self._desk.config.widest_scope,
            grant_seconds=self._desk.config.grant_seconds,
        )
        self._desk.trail.requested(question)
        hearing = Hearing(question, self._desk, self._close)
        self._open[asking.key] = self._by_id[question.approval_id] = hearing
        task = self._hearings.create_task(hearing.run())
        task.add_done_callback(lambda _: self._by_id.pop(question.approval_id, None))
        return hearing

    def _close(self, hearing: Hearing) -> None:
        """Take a settled question away; a newer one with the same key is left alone."""
        question = hearing.question
        if self._open.get(question.key) is hearing:
            del self._open[question.key]
        assert hearing.resolution is not None
        self._settled[question.approval_id] = hearing.resolution
        if len(self._settled) > self._desk.config.remembered_resolutions:
            del self._settled[next(iter(self._settled))]

    def _too_late(self, approval_id: str) -> AlreadyResolved | UnknownApproval:
        if (resolution := self._settled.get(approval_id)) is not None:
            return AlreadyResolved(resolution)
        return UnknownApproval(approval_id)

    def _is_full(self, session: str) -> bool:
        asked = sum(key.session == session for key in self._open)
        return asked >= self._desk.config.max_pending

    def _too_many(self) -> Outcome:
        return Outcome(
            ending=Ending.TOO_MANY,
            approval_id=None,
            answer=None,
            explanation="too many questions wait for an answer already",
            retry_after_seconds=self._desk.config.retry_after_seconds,
        )

    def _timed_out(self, hearing: Hearing) -> Outcome:
        return Outcome(
            ending=Ending.TIMEOUT,
            approval_id=hearing.question.approval_id,
            answer=None,
            explanation="nobody answered in time",
            retry_after_seconds=self._desk.config.retry_after_seconds,
        )

    async def _end_grants(self) -> None:
        for grant in self._desk.memory.forget_all():
            self._desk.trail.grant_ended(grant, GrantEnd.SESSION_ENDED)
            with suppress(StoreUnavailable):
                await self._desk.store.end_grant(grant, GrantEnd.SESSION_ENDED)


def _leaving(cancelled: asyncio.CancelledError) -> Leaving:
    try:
        return Leaving(str(cancelled))
    except ValueError:
        return Leaving.CLIENT_GONE


def _remembered(grant: Grant, ending: Ending, why: str) -> Outcome:
    return Outcome(
        ending=ending, approval_id=grant.approval_id, answer=grant.answer, explanation=why
    )


def _unasked(ending: Ending, why: str) -> Outcome:
    return Outcome(ending=ending, approval_id=None, answer=None, explanation=why)
