"""What the approval service needs from the world, as Protocols.

The application fills them; tests fake them. A new store or a new kind of reviewer is one class
more and no change here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from approvals.errors import ApprovalError
    from approvals.model import (
        Answer,
        Change,
        Grant,
        GrantEnd,
        Pending,
        Question,
        Record,
        Resolution,
        Story,
        Swept,
    )
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
    """Keeps records and grants. Every method raises `StoreUnavailable` when it can't.

    A change of a record or a grant leaves one `Change` in the same transaction; their numbers only
    grow, and one that can be read has none below it that can't.
    """

    async def add(self, record: Record) -> Record:
        """The pending record of this key: this one, or the one that another gateway put first."""

    async def replace(self, old: Record, new: Record, *, grant: Grant | None = None) -> bool:
        """Put `new` where `old` still is the stored version, and the grant with it, or neither.

        False: somebody else was first.
        """

    async def end_grant(self, grant: Grant, end: GrantEnd) -> bool:
        """End a grant that holds, and its record with it (`lifecycle.after_grant`).

        False: somebody else was first.
        """

    async def spend(self, grant: Grant) -> None:
        """Keep what the grant was used for by now."""

    async def resume(self, session_name: str) -> tuple[str, tuple[Grant, ...]]:
        """The id of a named session, the same after a restart, and its grants that hold."""

    async def sweep(self) -> Swept:
        """End what gateways that died left: open questions, grants of sessions without a name."""

    async def find(self, approval_id: str) -> Record | None:
        """One record, open or ended."""

    async def grant_of(self, approval_id: str) -> Grant | None:
        """The grant that an approval left, ended or not."""

    async def held(self) -> tuple[Grant, ...]:
        """All grants that hold now, those of other gateways too."""

    async def recent(self, *, limit: int, before: float | None = None) -> tuple[Record, ...]:
        """Records that ended (before that time), newest first."""

    async def of_host(self, host: str, *, limit: int) -> tuple[Record, ...]:
        """Records about a host, ended or not, newest first."""

    async def changes(self, after: int, *, limit: int) -> tuple[Change, ...]:
        """The first changes behind that number."""

    async def last_change(self) -> int:
        """The number of the newest change; 0 when there is none."""


class RuleWriter(Protocol):
    """Keeps an answer for always as a rule of the user's policy."""

    async def write(self, question: Question, answer: Answer) -> None:
        """Return when the rule is on disk, and on record (`RuleWritten`). Raises `RuleRefused`."""


class Inbox(Protocol):
    """What a channel (pages, API, webhook, terminal tools) may see and do."""

    def pending(self) -> tuple[Pending, ...]:
        """The questions that stand, oldest first."""

    def find(self, approval_id: str) -> Pending | None:
        """One question that stands."""

    async def story(self, approval_id: str) -> Story | None:
        """All that is known of a question, open or ended. Raises `StoreUnavailable`."""

    async def decide(self, approval_id: str, answer: Answer) -> Resolution:
        """Answer a question; return how it ended by that.

        Raises `AlreadyResolved` (somebody was faster), `StaleAnswer`, `InvalidAnswer`,
        `UnknownApproval` or `StoreUnavailable`. Cancelling the call doesn't take the answer back.
        """

    async def decide_all(
        self, answers: Mapping[str, Answer]
    ) -> Mapping[str, Resolution | ApprovalError]:
        """Answer several questions by id, each by itself: how each ended, or why it did not."""

    def grants(self) -> tuple[Grant, ...]:
        """What is remembered now, yes and no, oldest first."""

    async def revoke(
        self, grant_id: str, *, reviewer: str, channel: str, comment: str | None = None
    ) -> Grant:
        """End a grant, and the connections that it carries; return it.

        Raises `UnknownGrant` where none that holds has this id.
        """

    async def recent(self, *, limit: int, before: float | None = None) -> tuple[Record, ...]:
        """Questions that ended (before that time), newest first. Raises `StoreUnavailable`."""

    def changes(self, after: int | None = None) -> AsyncIterator[Change]:
        """What changes from now on, or behind that number, replayed from the store.

        The queue of each reader is bounded: one that is too slow gets `ChangeKind.RESYNC` and goes
        on from there. Close it (`contextlib.aclosing`) to leave.
        """


class Surroundings(Protocol):
    """What reviewers are shown beside the questions."""

    def policy(self) -> tuple[str, ...]:
        """The rules in force, as lines for people."""

    def health(self) -> Mapping[str, object]:
        """How audit trail, store and reviewers are, as JSON's types."""

    def sessions(self) -> tuple[Mapping[str, object], ...]:
        """Who is served, as JSON's types."""


class Inquiry(Protocol):
    """One question as a reviewer holds it: the text, and what changes while it stands."""

    @property
    def question(self) -> Question:
        """What is asked."""

    @property
    def version(self) -> int:
        """Of the record: an answer from elsewhere carries the one that it was given on."""

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
