"""One request on its way: decided, connected, cut, or judged again when the policy changes.

What a client's connection and a flow of datagrams have in common. Who asked, how it is told and
what is relayed is theirs.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from netproxy.connection.overload import Overload, turned_away
from netproxy.model import CloseReason
from netproxy.transport.upstream import Passage, Upstream, reach

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

    from netproxy.errors import DestinationUnreachable
    from netproxy.model import ApprovalId, Decision, Request
    from netproxy.ports import Dialer
    from netproxy.transport.services import Services


class Attempt(ABC):
    """The part of a request's life that waits: for an answer, for a lookup, for a peer."""

    __slots__ = ("_cut_for", "_overload", "_passage", "_services", "_task", "approval_id")

    def __init__(self, services: Services, *, overload: Overload | None) -> None:
        """Over a limit it is answered no, and counted."""
        self._services = services
        self._overload = overload
        self._task: asyncio.Task[None] | None = None
        self._cut_for: CloseReason | None = None
        self._passage: Passage | None = None  # of the request that is let through or asked about
        self.approval_id: ApprovalId | None = None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The set-up while it runs; None once the connection is a tunnel or gone."""
        return self._task

    @property
    def is_turned_away(self) -> bool:
        """It came over a limit, and is only here to be told so."""
        return self._overload is not None

    @property
    def in_flight(self) -> int:
        """Bytes that moved, both ways, and are not on record as closed yet."""
        return 0

    @property
    def _dialer(self) -> Dialer:
        """What connects it."""
        return self._services.dialer

    @abstractmethod
    def cut(self, reason: CloseReason) -> None:
        """End it now, wherever it stands."""

    def close_approved(self, approval_id: ApprovalId) -> None:
        """Cut it if this approval carries it: the grant was revoked."""
        if self.approval_id == approval_id:
            self.cut(CloseReason.REVOKED)

    def judge_again(self) -> None:
        """Cut it if the policy in force no longer lets its request through."""
        passage = self._passage
        if passage is None or self._cut_for is not None or passage.is_open(self._services):
            return
        self.cut(CloseReason.POLICY_CHANGED)

    def was_overruled(self) -> bool:
        """Whether it is the policy that cancelled the wait; then the task goes on to answer."""
        if self._cut_for is not CloseReason.POLICY_CHANGED or self._task is None:
            return False
        self._cut_for = None
        self._task.uncancel()
        return True

    @property
    def _broken_off(self) -> CloseReason:
        """Why it ends when it does not end well."""
        return self._cut_for or CloseReason.RESET

    async def _admitted(self, request: Request) -> Decision:
        if self._overload is not None:
            return self._turned_away(self._overload, request.client_address)
        if self._services.allowance.is_spent:
            return self._turned_away(Overload.BYTES, request.client_address)
        self._passage = passage = Passage(request=request, unrecorded=self._unrecorded)
        try:
            decision = await self._services.gate.admit(request, waiting=self._waiting)
        except asyncio.CancelledError:
            if not self.was_overruled():
                raise
            decision = self._services.gate.overrule(request)
        self.approval_id = decision.approval_id
        passage.is_asked = decision.approval_id is not None
        if not decision.allowed:
            self._passage = None
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
        if self._watch is not None:
            self._watch.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
        return kind is asyncio.CancelledError and self._attempt.was_overruled()
