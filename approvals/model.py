"""The words of approvals as values: key, question, answer, outcome, grant, record.

Pure and immutable. Text that came from the command is kept as it is; whoever shows it makes it
visible first (`otel.redact.visible`).
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property

from approvals.shown import digest
from otel.values import dataclass


class Verdict(StrEnum):
    """What a reviewer says. No default."""

    ALLOW = "allow"
    DENY = "deny"


class Scope(StrEnum):
    """How far an answer reaches, narrowest first."""

    ONCE = "once"  # this question: the waiters that the reviewer saw
    RUN = "run"  # until the run that asked ends
    TIME = "time"  # for so many seconds from the answer on, or until the session ends
    SESSION = "session"  # remembered until the session ends
    ALWAYS = "always"  # a rule of the user's policy


class Status(StrEnum):
    """Where an approval stands; `lifecycle` has the table of its steps."""

    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    USED = "used"
    REVOKED = "revoked"


# Whoever wants to allow something for longer than a day means a rule.
LONGEST_SECONDS = 86_400.0


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
    group: str  # whose host it is: the registrable domain, or the host itself
    hold_seconds: float | None = None  # that this connection is held; None: as the service's config
    session_name: str | None = None  # of a session that several clients have in common
    rule_possible: bool = True  # whether a rule could be written for it, if somebody writes any
    rule_file: str | None = None  # what that would be written to


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a yes may be used for before it ends. None: as much as anybody likes."""

    connections: int | None = None
    bytes: int | None = None  # both directions together


@dataclass(frozen=True, kw_only=True)
class Question:
    """What reviewers are shown. Times are seconds since the epoch."""

    approval_id: str
    asking: Asking
    created_at: float
    expires_at: float
    widest_scope: Scope = Scope.SESSION  # that a yes may have
    grant_seconds: float | None = None  # that a yes may live; None: as long as its scope
    writes_rules: bool = False  # whether "always" can be kept

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.asking.key

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What a yes may be given for. A rule would outlive any time that a yes may have."""
        every = tuple(Scope)
        reached = every[: every.index(self.widest_scope) + 1]
        always = self.writes_rules and self.grant_seconds is None
        return tuple(each for each in reached if each is not Scope.ALWAYS or always)

    @property
    def longest_seconds(self) -> float:
        """The longest time that a yes may be given for."""
        return LONGEST_SECONDS if self.grant_seconds is None else self.grant_seconds

    @property
    def denial_scopes(self) -> tuple[Scope, ...]:
        """What a no may be given for: one that is forgotten early would be a yes in waiting."""
        lasting = (Scope.ONCE, Scope.SESSION, Scope.ALWAYS)
        return lasting if self.writes_rules else lasting[:-1]

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of what reviewers are shown: an answer names the one it means."""
        return digest(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one reviewer said, who that was, and what they had in front of them."""

    verdict: Verdict
    scope: Scope
    cancel: bool  # a denial also stops the command
    reviewer: str
    channel: str  # terminal | web | api | cli | webhook | command | rule
    seen_join_no: int  # the last waiter on the reviewer's screen: `once` covers up to it
    comment: str | None = None
    seconds: float | None = None  # that a yes for a time holds, from the answer on
    budget: Budget | None = None  # of a yes that is remembered
    # What the reviewer had in front of them. None: the question itself, held in this process.
    seen_version: int | None = None
    seen_digest: str | None = None


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
    """Why an answer is no longer remembered."""

    USED = "used"  # by the one retry that it was for
    USED_UP = "used_up"  # its budget is spent
    EXPIRED = "expired"
    REVOKED = "revoked"
    RUN_ENDED = "run_ended"
    SESSION_ENDED = "session_ended"
    GATEWAY_LOST = "gateway_lost"  # whoever kept it died without a word


class Limit(StrEnum):
    """What a session asks too much of."""

    PENDING = "pending"  # questions that are open at once
    RATE = "rate"  # new questions in a window of time


class Rejection(StrEnum):
    """Why an answer, or who gave it, was turned away."""

    ALREADY_RESOLVED = "already_resolved"
    EXPIRED = "expired"
    STALE = "stale"  # given to something else than what is asked
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    INVALID = "invalid"
    REPLAYED = "replayed"
    SCOPE = "scope"  # wider than this reviewer may answer for
    UNKNOWN = "unknown"  # there is no such question or grant
    UNRECORDED = "unrecorded"  # the audit trail could not take it


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
    ended_at: float | None = None  # when it left `pending`, in seconds since the epoch
    gateway: str = ""  # the id of the process that keeps it open


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an answer leaves behind: a yes or a no that later requests with this key meet."""

    grant_id: str
    approval_id: str  # the question that it came from
    key: Key  # the one that it serves
    verdict: Verdict
    scope: Scope
    run: str  # the one that asked: a yes for the run ends with it
    created_at: float
    reviewer: str
    channel: str
    expires_at: float | None = None  # None: with its scope
    budget: Budget | None = None
    used_connections: int = 0
    used_bytes: int = 0
    comment: str | None = None
    cancel: bool = False  # of a no: it also stops the command that runs into it
    rule_file: str | None = None  # for always: where its rule was written; None: not known

    @property
    def answer(self) -> Answer:
        """Who said so, for those that meet it."""
        return Answer(
            verdict=self.verdict,
            scope=self.scope,
            cancel=self.cancel,
            reviewer=self.reviewer,
            channel=self.channel,
            seen_join_no=0,
            comment=self.comment,
            budget=self.budget,
        )

    @property
    def bytes_left(self) -> int | None:
        """What may still flow; None: as much as anybody likes."""
        limit = None if self.budget is None else self.budget.bytes
        return None if limit is None else max(0, limit - self.used_bytes)

    @property
    def is_used_up(self) -> bool:
        """Whether its budget is spent."""
        if self.budget is None:
            return False
        limit = self.budget.connections
        return self.bytes_left == 0 or (limit is not None and self.used_connections >= limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A question that stands, as it is at this moment."""

    question: Question
    version: int
    waiting: int  # requests that are held now
    joined: int  # the number of the last one that joined
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is known of one question."""

    record: Record
    grant: Grant | None  # that it left, ended or not
    earlier: tuple[Record, ...]  # the last ones of the same host, newest first
    first_seen: bool  # nobody was ever asked about this host


class ChangeKind(StrEnum):
    """What changed."""

    ASKED = "asked"
    WAITING = "waiting"  # how many wait; not stored
    RESOLVED = "resolved"
    GRANTED = "granted"
    GRANT_ENDED = "grant_ended"
    FLOOD = "flood"  # a session asks too much; not stored
    RESYNC = "resync"  # this reader was too slow: look at everything anew; not stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the feed. What is not stored has the number of the last that was."""

    number: int
    kind: ChangeKind
    ref: str  # the id of the approval, the grant or (of a flood) the session
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was found of gateways that died: it is ended now."""

    withdrawn: tuple[Record, ...] = ()
    ended: tuple[Grant, ...] = ()
