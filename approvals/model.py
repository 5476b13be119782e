"""The words of approvals as values: key, question, answer, outcome, grant, record.

Pure and immutable. Text that came from the command is kept as it is; whoever shows it makes it
visible first (`otel.redact.visible`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a reviewer says. No default."""

    ALLOW = "allow"
    DENY = "deny"


class Scope(StrEnum):
    """How far an answer reaches."""

    ONCE = "once"  # this question: the waiters that the reviewer saw
    SESSION = "session"  # remembered until the session ends


class Status(StrEnum):
    """Where an approval stands; `lifecycle` has the table of its steps."""

    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    USED = "used"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a question is about. Two requests with one key share one question and its answer."""

    session: str
    host: str  # canonical
    protocol: str  # http | https | socks5-tcp | socks5-udp | tcp
    port: int

    @property
    def destination(self) -> str:
        """`https://pypi.org:443`, as the rule that would allow it is spelled."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request that needs an answer: for what, from which run, and how to explain it."""

    key: Key
    run: str  # the execution id: who asks, and whom a denial stops
    connection: str  # the id that the request has in all records
    unicode_host: str | None  # None when it reads the same as `key.host`
    command: str
    directory: str
    explanation: str  # one clause: why no rule matched
    hint: str | None  # the smallest rule or flag that would allow it for good
    stops_on_denial: bool  # what a plain denial does to the command


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What reviewers are shown. Times are seconds since the epoch."""

    approval_id: str
    asking: Asking
    created_at: float
    expires_at: float
    widest_scope: Scope = Scope.SESSION  # that a yes may have
    grant_seconds: float | None = None  # that a yes may live; None: as long as its scope

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.asking.key

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What a yes may be given for."""
        every = tuple(Scope)
        return every[: every.index(self.widest_scope) + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one reviewer said, who that was, and what they had in front of them."""

    verdict: Verdict
    scope: Scope
    cancel: bool  # a denial also stops the command
    reviewer: str
    channel: str  # terminal
    seen_join_no: int  # the last waiter on the reviewer's screen: `once` covers up to it
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How a question ended: what the reviewers who did not decide are told."""

    approval_id: str
    status: Status
    answer: Answer | None  # None when nobody answered
    explanation: str  # one clause for people


class Leaving(StrEnum):
    """Why a request no longer waits, while its question goes on to stand."""

    CLIENT_GONE = "client_gone"
    HOLD_TIMEOUT = "hold_timeout"  # a connection is held no longer
    POLICY_CHANGED = "policy_changed"  # and has answered it
    RUN_CANCELLED = "run_cancelled"
    RUN_ENDED = "run_ended"


class GrantEnd(StrEnum):
    """Why the session no longer remembers an answer."""

    USED = "used"
    EXPIRED = "expired"
    SESSION_ENDED = "session_ended"


class Ending(StrEnum):
    """Why a waiter was released."""

    APPROVED = "approved"  # by a reviewer, for this request
    GRANTED = "granted"  # by an answer that the session remembers
    DENIED = "denied"  # by a reviewer, for this request
    DENIED_BY_SESSION = "denied_by_session"  # by a denial that the session remembers
    TIMEOUT = "timeout"  # nobody answered in time
    UNAVAILABLE = "unavailable"  # nobody could be asked
    TOO_MANY = "too_many"  # too many questions of the session are open
    WITHDRAWN = "withdrawn"  # the run or the service ended
    AUDIT_UNAVAILABLE = "audit_unavailable"  # the answer could not be recorded


ALLOWING = frozenset({Ending.APPROVED, Ending.GRANTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a waiter gets. Only a reviewer's own denial may stop the command."""

    ending: Ending
    approval_id: str | None  # None when no question was ever put
    answer: Answer | None
    explanation: str
    retry_after_seconds: int | None = None

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.ending in ALLOWING


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of the store. `version` counts its changes: the compare-and-set token."""

    question: Question
    status: Status
    version: int
    answer: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an answer leaves behind: a yes or a no that later requests with this key meet."""

    grant_id: str
    record: Record
    answer: Answer

    @property
    def key(self) -> Key:
        """The one key that it serves."""
        return self.record.question.key

    @property
    def approval_id(self) -> str:
        """The question that it came from."""
        return self.record.question.approval_id
