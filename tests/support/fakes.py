"""Stand-ins for the ports of the data plane: each keeps what it was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.model import (
    ApprovalId,
    Decision,
    Destination,
    Judgement,
    OnDenial,
    Reason,
    Request,
    Sni,
    Source,
    Verdict,
)
from netproxy.policy.addresses import AddressClass, classify
from netproxy.ports import Answer
from otel.errors import AuditUnavailable
from otel.events import Event, PolicyDecision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netproxy.ports import SessionCache


def judgement(
    verdict: Verdict,
    reason: Reason | None = None,
    *,
    source: Source = Source.BASELINE_POLICY,
    on_denial: OnDenial | None = None,
) -> Judgement:
    usual = {
        Verdict.ALLOW: Reason.ALLOWED_BY_RULE,
        Verdict.ASK: Reason.NOT_ALLOWED,
        Verdict.DENY: Reason.DENIED_BY_RULE,
    }
    return Judgement(
        verdict=verdict,
        source=source,
        reason=reason or usual[verdict],
        explanation="a test said so",
        rule=None,
        hint="--allow it",
        on_denial=on_denial,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeVetted:
    passed: tuple[str, ...]
    refused: tuple[tuple[str, AddressClass], ...]
    explanation: str = "resolves to addresses that may not be dialled"
    hint: str | None = "--allow-private 10.0.0.1"


class FakePolicy:
    """Judges by a table of hosts; vets by class, with loopback let through where a test listens."""

    def __init__(
        self,
        verdict: Verdict,
        *,
        dialable: frozenset[str] = frozenset(),
        on_denial: OnDenial = OnDenial.CANCEL,
    ) -> None:
        self.default = judgement(verdict)
        self.on_denial = on_denial
        self.sni = Sni.REFUSE
        self.by_host: dict[str, Judgement] = {}
        self.dialable = dialable
        self.judged: list[tuple[Destination, str]] = []

    def judge(self, destination: Destination, method: str, cache: SessionCache) -> Judgement:
        self.judged.append((destination, method))
        return self.by_host.get(destination.host, self.default)

    def vet(self, destination: Destination, addresses: Sequence[str]) -> FakeVetted:
        kinds = [(address, classify(address)) for address in addresses]
        passed = [a for a, k in kinds if k is AddressClass.PUBLIC or a in self.dialable]
        return FakeVetted(
            passed=tuple(passed),
            refused=tuple((a, k) for a, k in kinds if a not in passed),
        )


class FakeCache:
    def __init__(self) -> None:
        self.grants: dict[Destination, ApprovalId] = {}
        self.denials: dict[Destination, ApprovalId] = {}

    def grant(self, destination: Destination) -> ApprovalId | None:
        return self.grants.get(destination)

    def denial(self, destination: Destination) -> ApprovalId | None:
        return self.denials.get(destination)


class FakeLedger:
    """Counts what a yes is used for. With bytes left it is metered; `on_spent` hears of none."""

    def __init__(self) -> None:
        self.connections: dict[ApprovalId, int] = {}
        self.ended: set[ApprovalId] = set()
        self.bytes_left: dict[ApprovalId, int] = {}
        self.on_spent: Callable[[ApprovalId], None] = lambda _: None

    def take(self, approval_id: ApprovalId) -> bool:
        if approval_id not in self.connections:
            return True
        self.connections[approval_id] -= 1
        return self.connections[approval_id] >= 0

    def has_ended(self, approval_id: ApprovalId) -> bool:
        return approval_id in self.ended

    def is_metered(self, approval_id: ApprovalId) -> bool:
        return approval_id in self.bytes_left

    def spend(self, approval_id: ApprovalId, count: int) -> None:
        self.bytes_left[approval_id] -= count
        if self.bytes_left[approval_id] <= 0:
            self.on_spent(approval_id)


def answer(
    reason: Reason,
    *,
    source: Source = Source.REVIEWER,
    cancel: bool | None = None,
    retry_after_seconds: int | None = None,
) -> Answer:
    return Answer(
        allowed=reason is Reason.APPROVED,
        source=source,
        reason=reason,
        approval_id=ApprovalId("a-1"),
        message="somebody said so",
        cancel=cancel,
        retry_after_seconds=retry_after_seconds,
    )


class FakeApprover:
    """Answers with what it is given; with nothing it waits, as a person does."""

    def __init__(self, reply: Answer | Exception | None = None) -> None:
        self.reply = reply
        self.asked: list[Request] = []
        self.abandoned: list[Request] = []
        self.pending: list[asyncio.Future[Answer]] = []

    async def ask(self, request: Request, judgement: Judgement) -> Answer:
        self.asked.append(request)
        if isinstance(self.reply, Exception):
            raise self.reply
        if self.reply is not None:
            return self.reply
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.pending.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            self.abandoned.append(request)
            raise


class FakeAudit:
    """Keeps events; `refuses` says which ones the journal can't take."""

    def __init__(self, refuses: Callable[[Event], bool] = lambda _: False) -> None:
        self.events: list[Event] = []
        self.refuses = refuses

    def record(self, event: Event) -> None:
        if self.refuses(event):
            raise AuditUnavailable("the disk is full")
        self.events.append(event)

    async def written(self, event: Event) -> None:
        self.record(event)

    def record_then(self, event: Event, then: Callable[[AuditUnavailable | None], None], /) -> None:
        problem: AuditUnavailable | None = None
        try:
            self.record(event)
        except AuditUnavailable as unavailable:
            problem = unavailable
        then(problem)

    def record_soon(self, event: Event, *, lost: Callable[[], None] | None = None) -> None:
        self.record(event)

    def of[E: Event](self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def decisions(self) -> list[tuple[str, str]]:
        return [(event.decision, event.reason) for event in self.of(PolicyDecision)]


class LateAudit(FakeAudit):
    """Says whether an event is written when the turn ends, and not before."""

    def __init__(self, refuses: Callable[[Event], bool] = lambda _: False) -> None:
        super().__init__(refuses)
        self.turn: list[Callable[[], None]] = []

    def record_then(self, event: Event, then: Callable[[AuditUnavailable | None], None], /) -> None:
        self.turn.append(lambda: super(LateAudit, self).record_then(event, then))

    def end_turn(self) -> None:
        steps, self.turn = self.turn, []
        for step in steps:
            step()


@dataclass
class FakeToken:
    is_cancelled: bool = False
    causes: list[tuple[Request, Decision]] = field(default_factory=list)
    on_cancel: Callable[[], None] = lambda: None

    def cancel(self, request: Request, decision: Decision) -> None:
        self.is_cancelled = True
        self.causes.append((request, decision))
        self.on_cancel()


class FakeResolver:
    """Names from a table, each with one answer for each time it is asked; the last one stays."""

    def __init__(self, **answers: list[tuple[str, ...]]) -> None:
        self.answers = {name.replace("__", "."): list(rows) for name, rows in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        rows = self.answers.get(host)
        if not rows:
            raise DestinationUnreachable(Failure.DNS_ERROR, f"{host} is unknown here")
        return rows.pop(0) if len(rows) > 1 else rows[0]
