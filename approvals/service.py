"""The one place that answers "may this go there?" when the policy says ask.

It remembers what sessions were told, keeps one open question per key, holds those who wait for as
long as a client can be expected to, and lets `decide` be the only door for answers. Everything
about one question happens in its `Hearing`, everything about what it left in `Grants`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from approvals.desk import Desk
from approvals.docket import Docket
from approvals.errors import (
    AlreadyResolved,
    ApprovalError,
    StoreUnavailable,
    UnknownApproval,
    UnknownGrant,
)
from approvals.feed import Feed
from approvals.flood import Flood
from approvals.grants import Grants, Revoker
from approvals.hearing import Hearing
from approvals.keeper import Keeper
from approvals.memory import SessionMemory
from approvals.model import (
    ChangeKind,
    Ending,
    GrantEnd,
    Leaving,
    Outcome,
    Question,
    Resolution,
    Status,
    Story,
)
from approvals.moves import Answered, Withdrawn
from approvals.opening import Opening
from approvals.outcomes import leaving_of, pending, remembered, timed_out, too_many, unasked
from approvals.panel import check_answer
from approvals.trail import Trail
from otel import AuditUnavailable, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType

    from approvals.config import Config
    from approvals.model import Answer, Asking, Change, Grant, Key, Limit, Pending, Record
    from approvals.ports import Clock, EventSink, Reviewer, RuleWriter, Store

# What a reviewer can compare at a glance.
_EARLIER = 5


class ApprovalService:
    """Asks reviewers, and remembers: also their `Inbox`.

    An async context manager: leaving it ends all sessions; what named ones remember stays stored.
    """

    def __init__(  # noqa: PLR0913  # each is a port that tests replace
        self,
        *,
        reviewers: tuple[Reviewer, ...],
        sink: EventSink,
        clock: Clock,
        store: Store,
        config: Config,
        rules: RuleWriter | None = None,
        sink_of: Callable[[str], EventSink | None] = lambda _: None,
    ) -> None:
        """`sink_of` knows the sink of a run or a session that has one of its own, by its id."""
        self._wanted = asyncio.Event()
        trail, memory = Trail(sink, clock, sink_of=sink_of), SessionMemory()
        self._flood = Flood(config)
        self._feed = Feed(store, clock, self._wanted.set)
        opening = Opening(store, trail, self._feed, clock, sweep_seconds=config.sweep_seconds)
        self._desk = Desk(
            reviewers=reviewers,
            store=store,
            trail=trail,
            memory=memory,
            grants=Grants(memory, store, trail, clock, self._wanted.set),
            docket=Docket(config.remembered_resolutions),
            rules=rules,
            clock=clock,
            config=config,
            ready=opening.ready,
            changed=self._feed.changed,
        )
        self._keeper = Keeper(self._desk, self._feed, self._flood, self._wanted)
        self._tasks = asyncio.TaskGroup()
        self._keeping: asyncio.Task[None] | None = None
        self._running = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._keeping = self._tasks.create_task(self._keeper.run())
        self._running = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        for hearing in self._desk.docket.every():
            hearing.submit(Withdrawn(why="the session ended"))
        assert self._keeping is not None
        self._keeping.cancel()
        try:
            self._desk.grants.end_all()
            self._keeper.tell_storms(everything=True)
        finally:
            # Not given the error: hearings end by themselves now, and it goes on as it is, not
            # wrapped in a group.
            await self._tasks.__aexit__(None, None, None)
            # A hearing may have left something while it ended.
            self._desk.grants.end_all()
            with suppress(StoreUnavailable):
                await self._desk.grants.settle()

    # What every connection asks: plain look-ups.

    def grant(self, key: Key, run: str | None = None) -> Grant | None:
        """The session's yes to this key, or this run's."""
        return self._desk.memory.grant(key, run)

    @property
    def denies(self) -> bool:
        """Whether a session said no to anything at all."""
        return self._desk.memory.denies

    def denial(self, key: Key) -> Grant | None:
        """The session's no to this key."""
        return self._desk.memory.denial(key)

    def spend(self, approval_id: str, *, connections: int = 0, bytes: int = 0) -> bool:  # noqa: A002  # the model's word
        """Count what the grant of an approval is used for. False: it holds no longer.

        For a connection that `grant` allowed, called before it is let through; `ask` counts those
        that it lets through by itself.
        """
        return self._desk.grants.spend(approval_id, connections=connections, carried=bytes)

    def on_ended(
        self, session: str, ended: Callable[[Grant, GrantEnd], None]
    ) -> Callable[[], None]:
        """Call `ended` when connections that a grant of the session carries have to be closed.

        That is when it was revoked or expired, or when its bytes are used up; not when its last
        connection was let through, which goes on. Returns what takes that back.
        """
        return self._desk.grants.on_ended(session, ended)

    async def resume(self, session_name: str) -> str:
        """Open a named session: its id, the same after a restart; what it remembers holds again.

        Raises `StoreUnavailable`.
        """
        await self._desk.ready()
        session, held = await self._desk.store.resume(session_name)
        self._desk.grants.resume(session, held)
        return session

    async def ask(self, asking: Asking) -> Outcome:
        """Wait for an answer, for as long as a connection is held. Every failure is an outcome.

        Cancelling the wait takes this request out of the question and leaves the rest as it is. The
        message it is cancelled with may be a `Leaving`; without one the client has left.
        """
        held = asking.hold_seconds
        patience = self._desk.config.hold_seconds if held is None else held
        deadline = self._desk.clock.monotonic() + patience
        outcome: Outcome | None = None
        while outcome is None:
            outcome = self._known(asking)
            if outcome is None:
                outcome = await self._wait(asking, deadline)
        return outcome

    def end_run(self, run: str) -> None:
        """A command is over: questions that no other run asked are withdrawn, its grants end."""
        for hearing in self._desk.docket.take_run(run):
            if hearing.waiters.end_run(run):
                hearing.submit(Withdrawn(why="the command ended"))
        self._desk.grants.end_run(run)

    def end_session(self, session: str) -> None:
        """A session is over. One with a name keeps in the store what it remembers."""
        self._desk.grants.end_session(session)
        self._flood.forget(session)

    # What channels may see and do: `approvals.ports.Inbox`.

    def pending(self) -> tuple[Pending, ...]:
        """The questions that stand, oldest first."""
        return tuple(pending(each) for each in self._desk.docket.every())

    def find(self, approval_id: str) -> Pending | None:
        """One question that stands."""
        hearing = self._desk.docket.of_id(approval_id)
        return None if hearing is None else pending(hearing)

    async def story(self, approval_id: str) -> Story | None:
        """All that is known of a question, open or ended. Raises `StoreUnavailable`."""
        await self._desk.ready()
        store = self._desk.store
        record = await store.find(approval_id)
        if record is None:
            return None
        stored = await store.grant_of(approval_id)
        held = None if stored is None else self._desk.memory.find(stored.grant_id)
        host = record.question.key.host
        found = await store.of_host(host, limit=_EARLIER + 1)
        earlier = tuple(each for each in found if each.question.approval_id != approval_id)
        return Story(
            record=record, grant=held or stored, earlier=earlier[:_EARLIER], first_seen=not earlier
        )

    async def decide(self, approval_id: str, answer: Answer) -> Resolution:
        """Answer a question from outside its reviewers' own tasks.

        Returns how the question ended by it. Raises `AlreadyResolved` (somebody was faster),
        `StaleAnswer`, `InvalidAnswer`, `UnknownApproval` or `StoreUnavailable`. Cancelling the call
        doesn't take the answer back.
        """
        hearing = self._desk.docket.of_id(approval_id)
        if hearing is None:
            raise await self._too_late(approval_id)
        check_answer(answer, hearing)
        reply: asyncio.Future[Resolution] = asyncio.get_running_loop().create_future()
        hearing.submit(Answered(answer=answer, reply=reply))
        return await reply

    async def decide_all(
        self, answers: Mapping[str, Answer]
    ) -> Mapping[str, Resolution | ApprovalError]:
        """Answer several questions by id, each by itself: how each ended, or why it did not."""
        decided = await asyncio.gather(
            *(self.decide(approval_id, answer) for approval_id, answer in answers.items()),
            return_exceptions=True,
        )
        results: dict[str, Resolution | ApprovalError] = {}
        for approval_id, result in zip(answers, decided, strict=True):
            if not isinstance(result, (Resolution, ApprovalError)):
                raise result
            results[approval_id] = result
        return results

    def grants(self) -> tuple[Grant, ...]:
        """What is remembered now, yes and no, oldest first."""
        return self._desk.memory.every()

    async def revoke(
        self, grant_id: str, *, reviewer: str, channel: str, comment: str | None = None
    ) -> Grant:
        """End a grant, and the connections that it carries; return it with what it was used for.

        It holds no longer when this is called, whether record and store can be written or not: the
        store is told when it can be. Raises `UnknownGrant` where none that holds has this id.
        """
        grant = self._desk.memory.find(grant_id)
        if grant is None:
            raise UnknownGrant(grant_id)
        by = Revoker(reviewer=reviewer, channel=channel, comment=comment)
        self._desk.grants.end(grant_id, GrantEnd.REVOKED, by)
        with suppress(StoreUnavailable):
            await self._desk.grants.settle()
        return grant

    async def recent(self, *, limit: int, before: float | None = None) -> tuple[Record, ...]:
        """Questions that ended (before that time), newest first. Raises `StoreUnavailable`."""
        await self._desk.ready()
        return await self._desk.store.recent(limit=limit, before=before)

    def changes(self, after: int | None = None) -> AsyncIterator[Change]:
        """What changes from now on, or behind that number."""
        return self._feed.read(after)

    def _known(self, asking: Asking) -> Outcome | None:
        memory, key, run = self._desk.memory, asking.key, asking.run
        if (denial := memory.denial(key)) is not None:
            return remembered(denial, Ending.DENIED_BY_SESSION, "the session denies it")
        if (grant := memory.grant(key, run)) is not None:
            self.spend(grant.approval_id, connections=1)
            return remembered(grant, Ending.GRANTED, "the session allows it")
        if (used := self._desk.grants.use_lease(key, run)) is None:
            return None
        lease, is_on_record = used
        if not is_on_record:
            why = "the use of the answer could not be recorded"
            return remembered(lease, Ending.AUDIT_UNAVAILABLE, why)
        return remembered(lease, Ending.APPROVED, "a reviewer allowed this retry")

    async def _wait(self, asking: Asking, deadline: float) -> Outcome | None:
        hearing = self._desk.docket.of_key(asking.key)
        if hearing is None:
            if not (self._running and self._desk.reviewers):
                return unasked(Ending.UNAVAILABLE, "there is nobody to ask")
            session, now = asking.key.session, self._desk.clock.monotonic()
            if (limit := self._flood.admit(session, now)) is not None:
                return self._too_many(session, limit, now)
            try:
                hearing = self._put(asking)
            except AuditUnavailable:
                self._flood.settled(session)
                return unasked(Ending.AUDIT_UNAVAILABLE, "the question could not be recorded")
        return await self._held(hearing, asking, deadline)

    async def _held(self, hearing: Hearing, asking: Asking, deadline: float) -> Outcome | None:
        number, waiter = hearing.waiters.join(asking.run)
        self._desk.docket.asked_by(hearing, asking.run)
        self._feed.tell(ChangeKind.WAITING, hearing.question.approval_id)
        began = self._desk.clock.monotonic()
        leaving = Leaving.HOLD_TIMEOUT
        try:
            await asyncio.wait([waiter], timeout=max(0.0, deadline - began))
        except asyncio.CancelledError as cancelled:
            leaving = leaving_of(cancelled)
            raise
        finally:
            hearing.waiters.leave(number)
            if not waiter.done() and hearing.resolution is None:
                waited = self._desk.clock.monotonic() - began
                self._desk.trail.left(hearing.question, asking, leaving, waited)
                self._feed.tell(ChangeKind.WAITING, hearing.question.approval_id)
                if leaving is Leaving.POLICY_CHANGED and hearing.waiters.were_of(asking.run):
                    hearing.submit(Withdrawn(why="a new rule answers it"))
        if waiter.done():
            return waiter.result()
        held = asking.hold_seconds
        patience = self._desk.config.hold_seconds if held is None else held
        return timed_out(hearing, patience, self._desk.config.retry_after_seconds)

    def _put(self, asking: Asking) -> Hearing:
        """Put a new question: on record first, then to the reviewers."""
        now, config = self._desk.clock.wall(), self._desk.config
        question = Question(
            approval_id=new_id("a"),
            asking=asking,
            created_at=now,
            expires_at=now + config.answerable_seconds,
            widest_scope=config.widest_scope,
            grant_seconds=config.grant_seconds,
            writes_rules=self._desk.rules is not None and asking.rule_possible,
        )
        self._desk.trail.requested(question)
        hearing = Hearing(question, self._desk)
        self._desk.docket.put(hearing)
        self._wanted.set()
        task = self._tasks.create_task(hearing.run())
        task.add_done_callback(lambda _: self._flood.settled(asking.key.session))
        return hearing

    async def _too_late(self, approval_id: str) -> AlreadyResolved | UnknownApproval:
        resolution = self._desk.docket.resolution(approval_id)
        if resolution is None:
            record = await self._desk.store.find(approval_id)
            if record is None or record.status is Status.PENDING:
                return UnknownApproval(approval_id)
            resolution = Resolution(
                approval_id=approval_id,
                status=record.status,
                answer=record.answer,
                explanation="it was settled before",
            )
        return AlreadyResolved(resolution)

    def _too_many(self, session: str, limit: Limit, now: float) -> Outcome:
        if self._flood.refuse(session, limit, now):
            self._feed.tell(ChangeKind.FLOOD, session)
            self._wanted.set()
        wait_seconds = self._flood.wait_seconds(session, limit, now)
        return too_many(limit, max(wait_seconds, self._desk.config.retry_after_seconds))
