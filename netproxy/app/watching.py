"""`netproxy approvals watch`: follows every gateway that lives, and puts their questions.

One feed a gateway, read in a thread; at each change its questions are looked at anew, so nothing
depends on having seen every change. Gateways come and go; who watches stays.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Protocol

from approvals.model import (
    LONGEST_SECONDS,
    Asking,
    Key,
    Question,
    Resolution,
    Scope,
    Status,
    Verdict,
)
from netproxy.app.cli.approvals_words import moment
from netproxy.app.cli.gateways import CliFailed, Feed, Gateway, Gone
from netproxy.app.control_socket import ControlRefused, control_sockets
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from approvals.model import Answer
    from approvals.ports import Clock
    from netproxy.app.cli.gateways import Document

# How soon a gateway that started is seen, and one that is there but does not answer asked again.
_LOOK_SECONDS = 0.5
# In a storm of changes the questions are looked at so seldom; nobody reads faster.
_REST_SECONDS = 0.1


class Desk(Protocol):
    """Whoever watches: a person at a terminal, or a program that reads lines."""

    async def put(self, inquiry: RemoteInquiry) -> Answer | None:
        """Put a question; its answer. None: it is answered elsewhere. Cancelled when it ends."""

    def told(self, line: str) -> None:
        """Tell of something that happened."""


@dataclass(slots=True)
class RemoteInquiry:
    """A question of a gateway, as `approvals.ports.Inquiry`; changes as the gateway tells."""

    gateway: Gateway
    document: Document
    question: Question
    clock: Clock
    resolution: Resolution | None = None
    _told_at: float = field(default=0.0)

    def renew(self, document: Document) -> None:
        """Take what the gateway says now."""
        self.document, self._told_at = document, self.clock.monotonic()

    @property
    def version(self) -> int:
        """Of the record, as it was told last."""
        return int(self.document["version"])

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return int(self.document["waiting"])

    @property
    def joined(self) -> int:
        """The number of the last request that joined."""
        return int(self.document["join_no"])

    @property
    def seconds_left(self) -> float:
        """How long it stays answerable."""
        gone = self.clock.monotonic() - self._told_at
        return max(0.0, float(self.document["seconds_left"]) - gone)

    def accept(self) -> None:
        """Who reads the feed has accepted it already."""

    def answered(self, answer: Answer) -> Document:
        """What is posted for an answer. `joined` may have grown since it was shown."""
        seen = {
            "version": self.document["version"],
            "digest": self.document["digest"],
            "join_no": answer.seen_join_no,
        }
        body: Document = {"verdict": answer.verdict, "scope": answer.scope, "seen": seen}
        if answer.seconds is not None:
            body["seconds"] = answer.seconds
        if answer.verdict is Verdict.DENY:
            body["cancel"] = answer.cancel
        return body


def inquiry_of(gateway: Gateway, document: Document, clock: Clock) -> RemoteInquiry:
    """The question that a document of the API tells of."""
    request = document["request"]
    allowed = [Scope(each) for each in request["allow_scopes"]]
    longest = float(request["longest_seconds"])
    question = Question(
        approval_id=request["approval_id"],
        asking=Asking(
            key=Key(
                session=request["session"],
                host=request["host"],
                protocol=request["protocol"],
                port=int(request["port"]),
            ),
            run=request["run"],
            connection="",
            unicode_host=request["host_unicode"],
            command=request["command"],
            directory=request["directory"],
            explanation=request["explanation"],
            hint=request["hint"],
            stops_on_denial=bool(request["stops_on_denial"]),
            group=request["group"],
            session_name=request["session_name"],
        ),
        created_at=moment(request["created_at"]).timestamp(),
        expires_at=moment(request["expires_at"]).timestamp(),
        widest_scope=max(allowed, key=list(Scope).index),
        grant_seconds=None if longest >= LONGEST_SECONDS else longest,
        writes_rules=Scope.ALWAYS in request["deny_scopes"],
    )
    inquiry = RemoteInquiry(gateway, document, question, clock)
    inquiry.renew(document)
    return inquiry


class Watch:
    """Follows gateways until it is cancelled."""

    def __init__(self, folder: Path, desk: Desk, clock: Clock) -> None:
        self._folder = folder
        self._desk = desk
        self._clock = clock
        self._followed: set[str] = set()

    async def run(self) -> None:
        """Raises `CliFailed` where the folder is not ours."""
        told = False
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    names = control_sockets(self._folder)
                except ControlRefused as refused:
                    raise CliFailed(str(refused), 69) from None
                for name in names:
                    if name not in self._followed:
                        self._followed.add(name)
                        group.create_task(self._follow(Gateway(self._folder, name)))
                if not (names or told):
                    told = True
                    self._desk.told("no gateway of yours runs here yet; waiting for one")
                await asyncio.sleep(_LOOK_SECONDS)

    async def _follow(self, gateway: Gateway) -> None:
        try:
            feed = await asyncio.to_thread(gateway.feed)
        except Gone:
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            try:
                async with asyncio.TaskGroup() as group:
                    await _Following(gateway, feed, self._desk, self._clock, group).run()
            finally:
                feed.close()
        finally:
            self._followed.discard(gateway.name)


class _Following:
    """One gateway while it lives."""

    def __init__(
        self,
        gateway: Gateway,
        feed: Feed,
        desk: Desk,
        clock: Clock,
        group: asyncio.TaskGroup,
    ) -> None:
        self._gateway = gateway
        self._feed = feed
        self._desk = desk
        self._clock = clock
        self._group = group
        self._asked: dict[str, tuple[RemoteInquiry, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._ended = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()

        def notice(*, ended: bool) -> None:
            self._ended = self._ended or ended
            self._changed.set()

        def read() -> None:
            # A daemon: a read that nobody wants any more must not keep the program from ending.
            for change in self._feed.lines():
                if change is not None:
                    loop.call_soon_threadsafe(lambda: notice(ended=False))
            loop.call_soon_threadsafe(lambda: notice(ended=True))

        threading.Thread(target=_unless_closed(read), daemon=True).start()
        self._changed.set()
        try:
            while not self._ended:
                await self._changed.wait()
                self._changed.clear()
                await self._look()
                await asyncio.sleep(_REST_SECONDS)
        except (Gone, CliFailed):
            pass
        finally:
            for inquiry, task in self._asked.values():
                inquiry.resolution = inquiry.resolution or _over(inquiry, "its gateway has ended")
                task.cancel()

    async def _look(self) -> None:
        """Put what is new, renew what stands, end what is over."""
        told = await asyncio.to_thread(self._gateway.ask, "GET", "/v1/approvals")
        standing = {each["approval_id"]: each for each in told["approvals"]}
        for approval_id, document in standing.items():
            if approval_id in self._asked:
                self._asked[approval_id][0].renew(document)
            else:
                inquiry = inquiry_of(self._gateway, document, self._clock)
                task = self._group.create_task(self._put(inquiry))
                self._asked[approval_id] = (inquiry, task)
        for approval_id in self._asked.keys() - standing.keys():
            inquiry, task = self._asked.pop(approval_id)
            if not task.done():
                inquiry.resolution = await self._ending(inquiry)
                task.cancel()

    async def _put(self, inquiry: RemoteInquiry) -> None:
        answer = await self._desk.put(inquiry)
        if answer is None:
            return
        path = f"/v1/approvals/{inquiry.question.approval_id}/answers"
        where = inquiry.question.key.destination
        try:
            body = inquiry.answered(answer)
            resolution = await asyncio.to_thread(self._gateway.ask, "POST", path, body)
        except (Gone, CliFailed) as failed:
            self._desk.told(f"not answered: {where}: {failed}")
            return
        came = "allow" if resolution["status"] in {"granted", "used"} else "deny"
        if came != answer.verdict:
            self._desk.told(f"not allowed: {where}: {resolution['explanation']}")

    async def _ending(self, inquiry: RemoteInquiry) -> Resolution:
        path = f"/v1/approvals/{inquiry.question.approval_id}"
        try:
            story = await asyncio.to_thread(self._gateway.ask, "GET", path)
        except (Gone, CliFailed):
            return _over(inquiry, "it is over")
        return _resolution(inquiry, story["approval"])


def _unless_closed(read: Callable[[], None]) -> Callable[[], None]:
    """What a thread does that may outlive the loop that it reports to."""

    def run() -> None:
        try:
            read()
        except RuntimeError:
            return  # the loop is closed: nobody listens any more

    return run


def _over(inquiry: RemoteInquiry, why: str) -> Resolution:
    return Resolution(
        approval_id=inquiry.question.approval_id,
        status=Status.WITHDRAWN,
        answer=None,
        explanation=why,
    )


def _resolution(inquiry: RemoteInquiry, decision: Document) -> Resolution:
    from approvals.model import Answer

    said = decision["answer"]
    answer = None
    if said is not None:
        answer = Answer(
            verdict=Verdict(said["verdict"]),
            scope=Scope(said["scope"]),
            cancel=bool(said["cancel"]),
            reviewer=said["reviewer"],
            channel=said["channel"],
            seen_join_no=0,
            comment=said["comment"],
            seconds=said["seconds"],
        )
    return Resolution(
        approval_id=inquiry.question.approval_id,
        status=Status(decision["status"]),
        answer=answer,
        explanation="nobody answered" if answer is None else "a reviewer answered",
    )
