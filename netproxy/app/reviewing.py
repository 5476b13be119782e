"""Who reviews: opens the approval service with every way by which reviewers are reached.

A way is what answers questions (`reviewers`) and what has to run for that (`hosted`): a page, an
outbox, a socket. Each is built by its own module, imported only where the settings ask for it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from approvals import ApprovalService, SystemClock
from netproxy.app.settings import Ask
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from approvals.ports import Clock, Reviewer, Screen, Surroundings
    from approvals.presence import Presence
    from approvals.store.memory import MemoryStore
    from approvals.store.sqlite import SqliteStore
    from netproxy.app.control_socket import ControlSocket
    from netproxy.app.inbox import OpenInbox
    from netproxy.app.rule_writer import RuleWriter
    from netproxy.app.settings import Settings
    from otel import AuditTrail


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the ways of one gateway are built from."""

    settings: Settings
    trail: AuditTrail
    user: str  # who sits at the terminal, for the record
    screen: Screen
    environ: Mapping[str, str]
    report: Callable[[str], None]  # one line for whoever looks after the gateway
    clock: Clock
    rules: RuleWriter
    trails: dict[str, AuditTrail] = field(default_factory=dict)  # of runs and sessions, by id
    store: SqliteStore | MemoryStore  # closed with the service; the file is opened when it is used
    presence: Presence  # of those who answer by page, API or `approvals watch`
    surroundings: Surroundings
    control: ControlSocket | None = None  # None: there is none
    inbox: OpenInbox | None = None  # None: no pages
    # Whether a process is of a run that a launcher handed over.
    is_own: Callable[[int], bool] = lambda _: False
    detail: Callable[[str], None] = lambda _: None  # what only those want who look for a mistake

    @property
    def is_asking(self) -> bool:
        """Whether anybody is asked at all."""
        return self.settings.ask is not Ask.NEVER


def _nothing(_: ApprovalService) -> AbstractAsyncContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way by which reviewers are reached."""

    reviewers: tuple[Reviewer, ...] = ()
    # What is open before the service is, and still when its questions end with it.
    around: AbstractAsyncContextManager[object] = field(default_factory=nullcontext)
    # What runs as long as the service does. It raises what keeps the gateway from opening.
    hosted: Callable[[ApprovalService], AbstractAsyncContextManager[object]] = _nothing


@asynccontextmanager
async def reviewed(
    room: Room, ways: Sequence[Way], *, opens_store: bool = False
) -> AsyncIterator[ApprovalService]:
    """Open the service of one gateway, by its first session's settings, and all ways to it.

    Sessions never share an answer. `opens_store`: find out now whether it can be used, and raise
    `StoreUnavailable`; else the first question does.
    """
    service = ApprovalService(
        reviewers=tuple(reviewer for way in ways for reviewer in way.reviewers),
        sink=room.trail,
        clock=room.clock,
        store=room.store,
        config=room.settings.approvals.config(),
        rules=room.rules,
        sink_of=room.trails.get,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(room.store.close)
        if opens_store and ways:
            await room.store.open()
        for way in ways:
            await stack.enter_async_context(way.around)
        await stack.enter_async_context(service)
        for way in ways:
            await stack.enter_async_context(way.hosted(service))
        yield service


def ways_of(room: Room) -> tuple[Way, ...]:
    """Every way that the settings ask for; none where nobody is to be asked."""
    return tuple(_ways(room)) if room.is_asking else ()


def _ways(room: Room) -> Iterator[Way]:
    settings = room.settings.approvals
    yield _terminal(room)
    if room.control is not None:
        yield _control(room, room.control)
    if room.inbox is not None:
        yield _inbox(room, room.inbox)
    if room.control is not None or room.inbox is not None:
        yield _readers(room)
    if settings.rules:
        yield _rules(room)
    if settings.commands:
        yield _commands(room)
    if settings.webhooks:
        yield _webhooks(room)


def _terminal(room: Room) -> Way:
    from approvals.config import TerminalConfig
    from approvals.reviewers.terminal import TerminalReviewer

    reviewer = TerminalReviewer(
        reviewer=room.user,
        screen=room.screen,
        clock=SystemClock(),
        config=TerminalConfig(),
        environment=room.environ,
    )
    return Way(reviewers=(reviewer,))


def _control(room: Room, control: ControlSocket) -> Way:
    from netproxy.app.control import controlled

    return Way(hosted=lambda service: controlled(room, control, service))


def _inbox(room: Room, opened: OpenInbox) -> Way:
    from netproxy.app.inbox import inbox_served

    return Way(hosted=lambda service: inbox_served(room, opened, service))


def _readers(room: Room) -> Way:
    """Everybody who reads the inbox, wherever: together they are one reviewer."""
    from approvals.reviewers.inbox import InboxReviewer

    has_pages = room.inbox is not None
    return Way(reviewers=(InboxReviewer(room.presence, awaits_arrival=has_pages),))


def _rules(room: Room) -> Way:
    from approvals.reviewers.rules import RuleReviewer

    return Way(reviewers=(RuleReviewer(room.settings.approvals.rules, room.clock),))


def _commands(room: Room) -> Way:
    from approvals.reviewers.command import CommandReviewer

    programs = room.settings.approvals.commands
    return Way(reviewers=tuple(CommandReviewer(each, room.environ) for each in programs))


def _webhooks(room: Room) -> Way:
    from approvals.reviewers.webhook import WebhookReviewer
    from netproxy.app.webhooks import courier_of

    courier = courier_of(room)
    base = None if room.inbox is None else room.inbox.links.base_url
    return Way(
        reviewers=tuple(
            WebhookReviewer(each, courier, base_url=base)
            for each in room.settings.approvals.webhooks
        ),
        around=courier,
        hosted=courier.following,
    )
