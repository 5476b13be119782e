"""An inbox without a service: for whoever shows questions and takes answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from approvals.errors import (
    AlreadyResolved,
    ApprovalError,
    StaleAnswer,
    UnknownApproval,
    UnknownGrant,
)
from approvals.model import (
    Answer,
    Change,
    ChangeKind,
    Grant,
    Pending,
    Question,
    Record,
    Resolution,
    Status,
    Story,
    Verdict,
)
from tests.support.approvals import ASKING
from tests.support.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from approvals.model import Asking
    from approvals.ports import Inbox


def question(
    approval_id: str = "a-1", asking: Asking = ASKING, *, created_at: float = VirtualClock.STARTED
) -> Question:
    return Question(
        approval_id=approval_id,
        asking=asking,
        created_at=created_at,
        expires_at=created_at + 900,
        writes_rules=True,
    )


class FakeInbox:
    """Holds what a test puts there, and notes what was decided and revoked."""

    def __init__(self, *questions: Question) -> None:
        self.standing: dict[str, Pending] = {}
        self.ended: list[Record] = []  # oldest first
        self.held: dict[str, Grant] = {}
        self.resolutions: dict[str, Resolution] = {}
        self.decided: list[tuple[str, Answer]] = []
        self.revoked: list[tuple[str, str, str, str | None]] = []  # id, reviewer, channel, comment
        self.feed: list[Change] = []
        self.broken: ApprovalError | None = None  # that everything raises from here on
        self._wake = asyncio.Event()
        for each in questions:
            self.put(each)

    def put(self, asked: Question, *, waiting: int = 1, joined: int = 1) -> Pending:
        """Add a question, or change how many wait for it."""
        pending = Pending(
            question=asked, version=1, waiting=waiting, joined=joined, seconds_left=900.0
        )
        kind = ChangeKind.WAITING if asked.approval_id in self.standing else ChangeKind.ASKED
        self.standing[asked.approval_id] = pending
        self.emit(kind, asked.approval_id)
        return pending

    def hold(self, grant: Grant) -> Grant:
        self.held[grant.grant_id] = grant
        self.emit(ChangeKind.GRANTED, grant.grant_id)
        return grant

    def resolve(self, approval_id: str, status: Status, answer: Answer | None = None) -> Resolution:
        """End a question as somebody else, or the clock, would."""
        asked = self.standing.pop(approval_id).question
        resolution = Resolution(
            approval_id=approval_id, status=status, answer=answer, explanation=f"it is {status}"
        )
        self.resolutions[approval_id] = resolution
        self.ended.append(
            Record(
                question=asked,
                status=status,
                version=2,
                answer=answer,
                ended_at=asked.created_at + 10 + len(self.ended),
                gateway="fake",
            )
        )
        self.emit(ChangeKind.RESOLVED, approval_id)
        return resolution

    def emit(self, kind: ChangeKind, ref: str) -> None:
        number = len(self.feed) + 1
        self.feed.append(
            Change(number=number, kind=kind, ref=ref, at=VirtualClock.STARTED + number)
        )
        self._wake.set()
        self._wake = asyncio.Event()

    # What `approvals.ports.Inbox` asks for.

    def pending(self) -> tuple[Pending, ...]:
        return tuple(self.standing.values())

    def find(self, approval_id: str) -> Pending | None:
        return self.standing.get(approval_id)

    async def story(self, approval_id: str) -> Story | None:
        self._check()
        if (pending := self.standing.get(approval_id)) is not None:
            record = Record(
                question=pending.question, status=Status.PENDING, version=1, answer=None
            )
        else:
            ended = {each.question.approval_id: each for each in self.ended}
            if approval_id not in ended:
                return None
            record = ended[approval_id]
        host = record.question.key.host
        others = (each for each in reversed(self.ended) if each is not record)
        earlier = tuple(each for each in others if each.question.key.host == host)[:5]
        grants = {each.approval_id: each for each in self.held.values()}
        return Story(
            record=record,
            grant=grants.get(approval_id),
            earlier=earlier,
            first_seen=not earlier,
        )

    async def decide(self, approval_id: str, answer: Answer) -> Resolution:
        self._check()
        if (winner := self.resolutions.get(approval_id)) is not None:
            raise AlreadyResolved(winner)
        if (pending := self.standing.get(approval_id)) is None:
            raise UnknownApproval(approval_id)
        if answer.seen_version not in {None, pending.version}:
            raise StaleAnswer("it was given on another version")
        if answer.seen_digest not in {None, pending.question.digest}:
            raise StaleAnswer("it was given to something else")
        self.decided.append((approval_id, answer))
        allowed = answer.verdict is Verdict.ALLOW
        return self.resolve(approval_id, Status.GRANTED if allowed else Status.DENIED, answer)

    async def decide_all(
        self, answers: Mapping[str, Answer]
    ) -> Mapping[str, Resolution | ApprovalError]:
        results: dict[str, Resolution | ApprovalError] = {}
        for approval_id, answer in answers.items():
            try:
                results[approval_id] = await self.decide(approval_id, answer)
            except ApprovalError as error:
                results[approval_id] = error
        return results

    def grants(self) -> tuple[Grant, ...]:
        return tuple(self.held.values())

    async def revoke(
        self, grant_id: str, *, reviewer: str, channel: str, comment: str | None = None
    ) -> Grant:
        self._check()
        if grant_id not in self.held:
            raise UnknownGrant(grant_id)
        self.revoked.append((grant_id, reviewer, channel, comment))
        self.emit(ChangeKind.GRANT_ENDED, grant_id)
        return replace(self.held.pop(grant_id))

    async def recent(self, *, limit: int, before: float | None = None) -> tuple[Record, ...]:
        self._check()
        newest = reversed(self.ended)
        found = [each for each in newest if before is None or (each.ended_at or 0.0) < before]
        return tuple(found[:limit])

    async def changes(self, after: int | None = None) -> AsyncIterator[Change]:
        number = len(self.feed) if after is None else after
        while True:
            wake = self._wake
            while number < len(self.feed):
                number += 1
                yield self.feed[number - 1]
            await wake.wait()

    def _check(self) -> None:
        if self.broken is not None:
            raise self.broken


def _fills(inbox: FakeInbox) -> Inbox:
    """Checked by the type checker."""
    return inbox
