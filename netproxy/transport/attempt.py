"""One request on its way: decided, connected, cut, or judged again when the policy changes.

What a client's connection and a flow of datagrams have in common. Who asked, how it is told and
what is relayed is theirs.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from netproxy.connection.overload import Overload, turned_away
from netproxy.connection.records import never_connected
from netproxy.model import CloseReason
from netproxy.transport.upstream import Passage, Upstream, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from netproxy.errors import DestinationUnreachable
    from netproxy.model import ApprovalId, Decision, Request
    from netproxy.ports import Dialer
    from netproxy.transport.services import Services


class Attempt(ABC):
    """The part of a request's life that waits: for an answer, for a lookup, for a peer."""

    __slots__ = (
        "_awaits_record",
        "_cut_for",
        "_is_judged",
        "_is_waiting",
        "_overload",
        "_passage",
        "_services",
        "_task",
        "approval_id",
    )

    def __init__(self, services: Services, *, overload: Overload | None) -> None:
        """Over a limit it is answered no, and counted."""
        self._services = services
        self._overload = overload
        self._task: asyncio.Task[None] | None = None
        self._cut_for: CloseReason | None = None
        self._passage: Passage | None = None  # of the request that is let through or asked about
        self._awaits_record = False  # of a yes, without a task
        self._is_judged = False  # right now: a no that ends the run cuts this one, too
        self._is_waiting = False  # for whoever is asked
        self.approval_id: ApprovalId | None = None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The set-up while it runs; None once the connection is a tunnel or gone."""
        return self._task

    @property
    def is_under_way(self) -> bool:
        """It is not decided or not connected yet, so a change of the policy comes before that."""
        return self._task is not None

    @property
    def is_turned_away(self) -> bool:
        """It came over a limit, and is only here to be told so."""
        return self._overload is not None

    @property
    def in_flight(self) -> int:
        """Bytes that moved, both ways, and are not on record as closed yet."""
        return 0

    def carried(self) -> Iterable[tuple[ApprovalId | None, int]]:
        """By which approval bytes are in flight, and how many."""
        return ((self.approval_id, self.in_flight),)

    @property
    def _dialer(self) -> Dialer:
        """What connects it."""
        return self._services.dialer

    @abstractmethod
    def cut(self, reason: CloseReason) -> None:
        """End it now, wherever it stands."""

    def close_approved(self, approval_id: ApprovalId, reason: CloseReason) -> None:
        """Cut it if this approval carries it: what it left is gone."""
        if self.approval_id == approval_id:
            self.cut(reason)

    def judge_again(self) -> None:
        """Cut it if the policy in force no longer lets its request through.

        One that it lets through without a question, which is asked just now, waits no longer.
        """
        passage = self._passage
        if passage is None or self._cut_for is not None:
            return
        is_answered = self._is_waiting and self._services.gate.allows(passage.request)
        if is_answered or not passage.is_open(self._services):
            self.cut(CloseReason.POLICY_CHANGED)

    def was_overruled(self) -> bool:
        """Whether it is the policy that cancelled the wait; then the task goes on to answer."""
        if self._cut_for is not CloseReason.POLICY_CHANGED or self._task is None:
            return False
        self._cut_for = None
        self._task.uncancel()
        return True

    def note_wait(self, *, begins: bool) -> None:
        """Somebody is asked from now on, or no longer."""
        self._is_waiting = begins

    @property
    def _broken_off(self) -> CloseReason:
        """Why it ends when it does not end well."""
        return self._cut_for or CloseReason.RESET

    async def _admitted(self, request: Request) -> Decision:
        """Have it decided; whoever is asked may take their time."""
        excess = self._excess(request)
        if excess is not None:
            return excess
        try:
            decision = await self._services.gate.admit(request, waiting=self._waiting)
        except asyncio.CancelledError:
            if not self.was_overruled():
                raise
            decision = self._services.gate.overrule(request)
        return self._noted(decision)

    def _admit_now(self, request: Request, then: Callable[[Decision], None]) -> bool:
        """Have it decided without a task; False: somebody has to be asked, and nothing was done.

        `then` is called by the end of the loop's turn, unless the attempt was cut before. Where the
        policy changed meanwhile it gets the refusal: the client has to be told. So has one whose
        own refusal ends the run, and with it all of its connections.
        """
        excess = self._excess(request)
        if excess is not None:
            then(excess)
            return True

        def decided(decision: Decision) -> None:
            if not self._awaits_record:
                if decision.allowed:  # it was cut
                    self._services.note(never_connected(request))
                return
            self._is_judged = False
            is_overruled = self._cut_for is CloseReason.POLICY_CHANGED
            try:
                if is_overruled and decision.allowed:
                    decision = self._services.gate.overrule(request)
            except Exception:
                self.cut(CloseReason.RESET)  # there is no task that would end it
                raise
            if is_overruled:
                self._cut_for = None
            self._awaits_record = False
            then(self._noted(decision))

        self._awaits_record = self._is_judged = True
        try:
            is_decided = self._services.gate.admit_now(request, decided)
        finally:
            self._is_judged = False
        if not is_decided:
            self._awaits_record = False
        return is_decided

    def _excess(self, request: Request) -> Decision | None:
        """Refuse what comes over a limit; else the request is on its way from here on."""
        overload = self._overload
        if overload is None and self._services.allowance.is_spent:
            overload = Overload.BYTES
        if overload is not None:
            return self._turned_away(overload, request.client_address)
        self._passage = Passage(request, self._unrecorded)
        self.approval_id = None  # of the request before, on the same connection
        return None

    def _noted(self, decision: Decision) -> Decision:
        """Keep in mind who said yes; after a no nothing is on its way any more."""
        self.approval_id = decision.approval_id
        if not decision.allowed:
            self._passage = None
        elif self._passage is not None:
            self._passage.is_asked = decision.approval_id is not None
            if decision.approval_id is not None:
                self._passage.approval_id = decision.approval_id
                self._services.meter.begin(decision.approval_id)
        return decision

    def _turned_away(self, cause: Overload, client_address: str) -> Decision:
        """Count it instead of recording it."""
        self._services.refusals.add(cause, client_address)
        return turned_away(cause)

    def _waiting(self) -> AbstractContextManager[object, bool]:
        if self._passage is not None:
            self._passage.is_asked = True
        return self._asking()

    def _asking(self) -> AbstractContextManager[object, bool]:
        """While somebody is asked."""
        return Wait(self)

    async def _reach(self, request: Request) -> Upstream | Decision | DestinationUnreachable:
        """Connect, unless the policy changes before that is done."""
        passage = self._passage
        if passage is None or passage.request is not request:
            raise AssertionError("only what was admitted is dialled")
        try:
            found = await reach(self._services, passage, self._dialer)
        except asyncio.CancelledError:
            if not self.was_overruled():
                self._services.note(never_connected(request))
                raise
            found = passage.overruled(self._services)
        if not isinstance(found, Upstream):
            self._passage = None
        return found

    def _unrecorded(self) -> None:
        """Nothing flows that is not on record."""
        self.cut(CloseReason.RESET)


class Wait:
    """A wait that a change of the policy ends without ending the task: it still has to answer."""

    __slots__ = ("_attempt", "_watch")

    def __init__(
        self, attempt: Attempt, watch: AbstractContextManager[object] | None = None
    ) -> None:
        self._attempt = attempt
        self._watch = watch

    def __enter__(self) -> None:
        self._attempt.note_wait(begins=True)
        if self._watch is not None:
            self._watch.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._attempt.note_wait(begins=False)
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
        return kind is asyncio.CancelledError and self._attempt.was_overruled()
