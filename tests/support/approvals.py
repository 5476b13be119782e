"""Fakes for the approval service: a trail in a list, reviewers that follow a script."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from approvals.config import Config
from approvals.errors import ReviewerUnavailable
from approvals.model import Answer, Asking, Grant, GrantEnd, Key, Record, Scope, Verdict
from approvals.service import ApprovalService
from approvals.store.memory import MemoryStore
from otel.errors import AuditUnavailable
from tests.support.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from approvals.ports import Clock, EventSink, Inquiry, Reviewer, RuleWriter, Store
    from otel.events import Event

KEY = Key(session="s-1", host="pypi.org", protocol="https", port=443)
ASKING = Asking(
    key=KEY,
    run="r-1",
    connection="c-1",
    unicode_host=None,
    command="pip install requests",
    directory="/home/anna/project",
    explanation="no rule matches pypi.org:443",
    hint="--allow https://pypi.org:443",
    stops_on_denial=True,
    group="pypi.org",
)


def asking(host: str = "pypi.org", *, run: str = "r-1", port: int = 443) -> Asking:
    return replace(ASKING, key=replace(KEY, host=host, port=port), run=run)


def answer(
    verdict: Verdict = Verdict.ALLOW,
    scope: Scope = Scope.ONCE,
    *,
    seen: int = 1,
    cancel: bool = False,
    reviewer: str = "anna",
) -> Answer:
    return Answer(
        verdict=verdict,
        scope=scope,
        cancel=cancel,
        reviewer=reviewer,
        channel="fake",
        seen_join_no=seen,
    )


def grant(key: Key = KEY, said: Answer | None = None) -> Grant:
    said = said or answer(Verdict.ALLOW, Scope.SESSION)
    return Grant(
        grant_id="g-1",
        approval_id="a-1",
        key=key,
        verdict=said.verdict,
        scope=said.scope,
        run="r-1",
        created_at=0.0,
        reviewer=said.reviewer,
        channel=said.channel,
        comment=said.comment,
        cancel=said.cancel,
    )


class ListSink:
    """A trail that can break: `broken` holds the names of the events that it can't take."""

    def __init__(self, *broken: str) -> None:
        self.events: list[Event] = []
        self.synced: list[Event] = []
        self.broken = set(broken)

    def record(self, event: Event) -> None:
        if event.name in self.broken or "*" in self.broken:
            raise AuditUnavailable("disk full")
        self.events.append(event)

    def record_synced(self, event: Event) -> None:
        self.record(event)
        self.synced.append(event)

    def write_by_turns(self, *_: object, **_options: object) -> None:
        """It takes everything at once."""

    def write_at_once(self) -> None:
        """As it does anyway."""

    @property
    def names(self) -> list[str]:
        return [event.name.removeprefix("netproxy.") for event in self.events]


class Silent:
    """Takes every question, never answers, and keeps what it saw."""

    channel = "silent"

    def __init__(self) -> None:
        self.inquiries: list[Inquiry] = []
        self.told: list[str] = []

    async def review(self, inquiry: Inquiry) -> Answer:
        self.inquiries.append(inquiry)
        inquiry.accept()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if inquiry.resolution is not None:
                self.told.append(inquiry.resolution.status)
            raise
        raise AssertionError("never")


class Scripted:
    """Answers each question after a while with what a function makes of it."""

    channel = "scripted"

    def __init__(self, reply: Callable[[Inquiry], Answer], *, after: float = 1.0) -> None:
        self.reply = reply
        self.after = after
        self.asked: list[str] = []

    async def review(self, inquiry: Inquiry) -> Answer:
        self.asked.append(inquiry.question.key.destination)
        inquiry.accept()
        await asyncio.sleep(self.after)
        return self.reply(inquiry)


class Absent:
    """Nobody sits there."""

    channel = "absent"

    async def review(self, inquiry: Inquiry) -> Answer:
        raise ReviewerUnavailable("no terminal")


class SlowStore(MemoryStore):
    """Gives way to other tasks before each change, as a database does."""

    async def replace(self, old: Record, new: Record, *, grant: Grant | None = None) -> bool:
        await asyncio.sleep(0)
        return await super().replace(old, new, grant=grant)

    async def end_grant(self, grant: Grant, end: GrantEnd) -> bool:
        await asyncio.sleep(0)
        return await super().end_grant(grant, end)


@asynccontextmanager
async def service(
    *reviewers: Reviewer,
    sink: EventSink | None = None,
    store: Store | None = None,
    config: Config | None = None,
    clock: Clock | None = None,
    rules: RuleWriter | None = None,
) -> AsyncIterator[ApprovalService]:
    async with ApprovalService(
        reviewers=reviewers,
        sink=sink or ListSink(),
        clock=clock or VirtualClock(),
        store=store or SlowStore(),
        config=config or Config(),
        rules=rules,
    ) as running:
        yield running
