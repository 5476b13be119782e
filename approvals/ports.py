"""What the approval service needs from the world, as Protocols.

The application fills them; tests fake them. A new store or a new kind of reviewer is one class
more and no change here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from approvals.model import Answer, Question, Record, Resolution
    from otel.events import Event


class EventSink(Protocol):
    """Where events go. Both methods raise `otel.errors.AuditUnavailable`."""

    def record(self, event: Event) -> None:
        """Append one event; it is written when this returns."""

    def record_synced(self, event: Event) -> None:
        """Append one event; it survives a power cut when this returns."""


class Clock(Protocol):
    """Two clocks: one for how long, one for when."""

    def monotonic(self) -> float:
        """Seconds that never jump, from any start."""

    def wall(self) -> float:
        """Seconds since the epoch."""


class Store(Protocol):
    """Keeps records. Every method raises `StoreUnavailable` when it can't."""

    async def add(self, record: Record) -> None:
        """Keep a new pending record."""

    async def replace(self, old: Record, new: Record) -> bool:
        """Put `new` where `old` still is the stored version. False: somebody else was first."""


class Inquiry(Protocol):
    """One question as a reviewer holds it: the text, and what changes while it stands."""

    @property
    def question(self) -> Question:
        """What is asked."""

    @property
    def waiting(self) -> int:
        """How many requests wait for the answer now."""

    @property
    def joined(self) -> int:
        """The number of the last request that joined: an answer carries the one it was given on."""

    @property
    def seconds_left(self) -> float:
        """How long the question stays answerable."""

    @property
    def resolution(self) -> Resolution | None:
        """How it ended; set before a reviewer's task is cancelled, so that it can say so."""

    def accept(self) -> None:
        """Say that the question was taken: shown, queued or delivered."""


class Reviewer(Protocol):
    """Somebody or something that answers questions. Several are asked side by side."""

    @property
    def channel(self) -> str:
        """What kind of reviewer this is, as the audit trail names it."""

    async def review(self, inquiry: Inquiry) -> Answer:
        """Ask, wait, and return the answer.

        Calls `inquiry.accept()` once the question is taken. Raises `ReviewerUnavailable` when
        nobody can be asked. Is cancelled when the question ends without it. Answers that come by
        another way (a web page, a webhook) go to `ApprovalService.decide` instead.
        """


class Screen(Protocol):
    """The user's terminal as the command shares it."""

    def held(self) -> AbstractAsyncContextManager[None]:
        """Inside, the command's output is kept back and nobody else reads the terminal.

        Terminal modes are the holder's to change and to put back. The screen may look different
        afterwards: a full-screen program has to be told to draw itself again.
        """
