"""Delivers what the outbox holds, until it arrived or is of no use any more.

It sleeps until the first question: a gateway that asks nobody opens no store. From then on it looks
at the store whenever something happened, and sends what is due: what this gateway put there, and
what one left that died. How questions and grants ended is read from the store as well, so nothing
that a receiver was told of goes on to stand there because somebody was killed.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Self

from approvals.errors import ReviewerUnavailable, StoreUnavailable
from approvals.model import ChangeKind
from approvals.store.webhooks import Message, place_of
from approvals.webhook import payloads
from approvals.webhook.schedule import next_attempt
from approvals.webhook.signing import signed_headers
from approvals.webhook.transport import Problem
from otel import AuditUnavailable, new_id
from otel.events import ApprovalNotified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from approvals.config import WebhookSettings
    from approvals.ports import Clock, EventSink, Inbox, Store
    from approvals.store.webhooks import WebhookStore
    from approvals.webhook.transport import Attempt, Transport

# Longer than any attempt may take: whoever holds a message past that has died over it.
_CLAIM_SECONDS: Final = 20.0
# How soon somebody else's work is noticed where nothing wakes us, and a store that came back.
_IDLE_SECONDS: Final = 15.0
_BROKEN_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 1.0
# The end of a question is of use while somebody may still have it on screen.
_END_SECONDS: Final = 3600.0
# At the end of a gateway: for one more attempt at a receiver that answers, and no longer.
_FAREWELL_SECONDS: Final = 1.0
_AT_ONCE: Final = 8
# What may be somebody's end; after a resync anything may.
_ENDS: Final = frozenset({ChangeKind.RESOLVED, ChangeKind.GRANT_ENDED, ChangeKind.RESYNC})


class Courier:
    """All endpoints of one gateway. Entered as long as the gateway asks anybody anything."""

    def __init__(  # noqa: PLR0913  # each is a different thing that tests replace
        self,
        endpoints: Iterable[WebhookSettings],
        *,
        store: WebhookStore,
        records: Store,
        transport: Transport,
        sink: EventSink,
        clock: Clock,
        report: Callable[[str], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`report`: one line for whoever looks after the gateway."""
        self._endpoints = {place_of(each.name, each.url): each for each in endpoints}
        self._store = store
        self._records = records
        self._transport = transport
        self._sink = sink
        self._clock = clock
        self._report = report
        self._chance = chance
        self._wake = asyncio.Event()
        self._room = {place: asyncio.Semaphore(_AT_ONCE) for place in self._endpoints}
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._gone: set[str] = set()
        self._told_failed: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._worker: asyncio.Task[None] | None = None
        self._began = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Say how everything ended that ended with the gateway, if that is quickly said."""
        if self._worker is None:
            return
        self._worker.cancel()
        await asyncio.wait([self._worker])
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._look()
                while self._under_way:
                    await asyncio.wait(self._under_way)
        except (TimeoutError, StoreUnavailable):
            pass  # the next gateway says the rest
        except Exception as error:  # noqa: BLE001  # nobody's end waits for a word about it
            self._failed(error)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    @asynccontextmanager
    async def following(self, inbox: Inbox) -> AsyncIterator[None]:
        """Notice ends at once, as long as the block lasts; not before there was a question."""

        async def follow() -> None:
            await self._began.wait()
            with suppress(StoreUnavailable):  # then ends are noticed a little later
                async for change in inbox.changes():
                    if change.kind in _ENDS:
                        self.look()

        following = asyncio.get_running_loop().create_task(follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.wait([following])

    def look(self) -> None:
        """Something ended: find out what, and tell."""
        self._wake.set()

    async def deliver(self, message: Message) -> None:
        """Keep a question's message, and return when it has arrived.

        Raises `ReviewerUnavailable` where it never will.
        """
        if message.endpoint in self._gone:
            raise ReviewerUnavailable(f"{self._name(message)} answered 410: it wants no more")
        arrived = asyncio.get_running_loop().create_future()
        self._waiting[message.webhook_id] = arrived
        try:
            await self._store.put(message)
            if self._worker is None:
                self._worker = asyncio.get_running_loop().create_task(self._work())
                self._began.set()
            self._wake.set()
            while not await self._is_there(message, arrived):
                pass
        except StoreUnavailable as error:
            raise ReviewerUnavailable(str(error)) from error
        finally:
            del self._waiting[message.webhook_id]
            arrived.cancel()

    async def _is_there(self, message: Message, arrived: asyncio.Future[None]) -> bool:
        """Wait a little; another gateway that has the same question may be the one that sends."""
        await asyncio.wait([arrived], timeout=_POLL_SECONDS)
        if arrived.done():
            arrived.result()
            return True
        state = await self._store.is_delivered(message.endpoint, message.kind, message.ref)
        if state is False:
            raise ReviewerUnavailable(f"{self._name(message)} could not be reached")
        return bool(state)

    async def _work(self) -> None:
        with suppress(StoreUnavailable):
            await self._store.forget(now=self._clock.wall())
        while True:
            self._wake.clear()
            try:
                due = await self._look()
                patience = _IDLE_SECONDS if due is None else due - self._clock.wall()
            except StoreUnavailable:
                patience = _BROKEN_SECONDS
            except Exception as error:  # noqa: BLE001  # a task's root: questions go on to be sent
                self._failed(error)
                patience = _BROKEN_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(patience, 0.0), _IDLE_SECONDS)):
                    await self._wake.wait()

    async def _look(self) -> float | None:
        """Begin all that is due; when the next will be."""
        for place in self._endpoints:
            await self._tell_ends(place)
        now = self._clock.wall()
        places = [place for place in self._endpoints if place not in self._gone]
        loop = asyncio.get_running_loop()
        for message in await self._store.claim(places, now=now, until=now + self._claim_seconds):
            task = loop.create_task(self._attempt(message))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return await self._store.next_due(places)

    @property
    def _claim_seconds(self) -> float:
        longest = max(each.timeout_seconds for each in self._endpoints.values())
        return max(_CLAIM_SECONDS, longest + 5)

    async def _tell_ends(self, place: str) -> None:
        for approval_id, has_arrived in await self._store.ended(place):
            record = await self._records.find(approval_id) if has_arrived else None
            if record is None:
                await self._store.told(place, approval_id, of="ended")
                continue
            body = payloads.resolved(record, at=self._clock.wall())
            await self._put(place, payloads.RESOLVED, approval_id, approval_id, body)
            left = await self._records.grant_of(approval_id)
            await self._store.told(place, approval_id, of="resolved" if left else "ended")
        for grant in await self._store.ended_grants(place):
            record = await self._records.find(grant.approval_id)
            if record is not None:
                body = payloads.grant_ended(record, grant)
                await self._put(
                    place, payloads.GRANT_ENDED, grant.grant_id, grant.approval_id, body
                )
            await self._store.told(place, grant.approval_id, of="ended")

    async def _put(self, place: str, kind: str, ref: str, approval_id: str, body: str) -> None:
        now = self._clock.wall()
        await self._store.put(
            Message(
                webhook_id=new_id("w"),
                endpoint=place,
                kind=kind,
                ref=ref,
                approval_id=approval_id,
                body=body,
                created_at=now,
                expires_at=now + _END_SECONDS,
            )
        )

    async def _attempt(self, message: Message) -> None:
        """Try once. A task of its own: what fails here is due again when the claim is over."""
        try:
            await self._try(message)
        except StoreUnavailable:
            pass
        except Exception as error:  # noqa: BLE001  # a task's root: one message is not the others'
            self._failed(error)

    async def _try(self, message: Message) -> None:
        settings = self._endpoints[message.endpoint]
        if message.kind == payloads.REQUESTED and not await self._is_of_use(message):
            await self._store.done(message, next_at=None, delivered_at=None)
            self.look()
            return
        async with self._room[message.endpoint]:
            body, now = message.body.encode(), self._clock.wall()
            headers = signed_headers(message.webhook_id, int(now), body, settings.secrets)
            attempt = await self._transport.post(settings, headers, body)
        await self._note(message, attempt)

    def _failed(self, error: Exception) -> None:
        """Tell of a bug of ours."""
        self._report(f"netproxy: webhooks failed: {type(error).__name__}: {error}")

    async def _is_of_use(self, message: Message) -> bool:
        stands = await self._store.stands(message.approval_id)
        return stands and self._clock.wall() < message.expires_at

    async def _note(self, message: Message, attempt: Attempt) -> None:
        now = self._clock.wall()
        delivered_at = next_at = None
        if attempt.problem is None:
            delivered_at = now
        elif attempt.problem is Problem.GONE:
            self._disable(message)
        else:
            made, tried = message.created_at, message.attempts
            next_at = next_attempt(made, tried, now=now, chance=self._chance())
            next_at = next_at if next_at < message.expires_at else None
        try:
            await self._store.done(message, next_at=next_at, delivered_at=delivered_at)
        finally:
            self._tell(message, attempt, is_over=next_at is None)
        if message.kind == payloads.REQUESTED:
            self.look()  # it may have ended meanwhile

    def _tell(self, message: Message, attempt: Attempt, *, is_over: bool) -> None:
        waiting = self._waiting.get(message.webhook_id)
        if waiting is not None and not waiting.done():
            if attempt.problem is None:
                waiting.set_result(None)
            elif is_over:
                why = f"{self._name(message)}: {attempt.explanation}"
                waiting.set_exception(ReviewerUnavailable(why))
        if message.kind != payloads.REQUESTED:
            return
        if attempt.problem is not None and not is_over:
            if message.webhook_id in self._told_failed:
                return  # one record of it, not one for each attempt
            self._told_failed.add(message.webhook_id)
        else:
            self._told_failed.discard(message.webhook_id)
        event = ApprovalNotified(
            approval_id=message.approval_id,
            channel="webhook",
            reviewer=self._name(message),
            delivered=attempt.problem is None,
            error_type=attempt.problem,
        )
        with suppress(AuditUnavailable):
            self._sink.record(event)

    def _disable(self, message: Message) -> None:
        """410: nothing more is sent there as long as this gateway lives."""
        if message.endpoint not in self._gone:
            self._gone.add(message.endpoint)
            self._report(
                f"netproxy: webhook {self._name(message)}: 410, nothing more is sent there"
            )

    def _name(self, message: Message) -> str:
        return self._endpoints[message.endpoint].name
