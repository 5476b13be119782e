"""The documents of the API, v1: what is not written here is refused in, and not told out.

Names and values are those of the audit trail. Times are RFC 3339 UTC, durations seconds. Texts that
came from the command or from other reviewers are visible already (`otel.visible`).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from approvals.http.identity import Permission  # noqa: TC001  # pydantic reads it when it runs
from approvals.model import ChangeKind, Scope, Status, Verdict  # noqa: TC001  # the same

# What fits the audit trail's own limit; longer ones are a mistake or an attack.
_COMMENT_CHARACTERS = 2000
# A group is at most as many questions as a session may have open.
_MOST_ANSWERS = 64
_LONGEST_PAGE = 200
# 2**53 - 1: what every JSON reader can hold (RFC 8259 section 6).
_LARGEST = 9_007_199_254_740_991
_LONGEST_SECONDS = 365 * 86_400.0

Comment = Annotated[str, StringConstraints(max_length=_COMMENT_CHARACTERS)]
Seconds = Annotated[float, Field(gt=0, le=_LONGEST_SECONDS, allow_inf_nan=False)]


def _integral(value: object) -> object:
    """2.0 is an integer to JSON Schema, and the same number to JavaScript."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=1, le=_LARGEST), BeforeValidator(_integral)]
Ordinal = Annotated[int, Field(ge=0, le=_LARGEST), BeforeValidator(_integral)]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]-[0-9A-Za-z]{1,64}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _In(BaseModel):
    """What clients send: nothing is converted, nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Out(BaseModel):
    """What clients are told."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BudgetBody(_In):
    """How much a yes is good for. At least one of them."""

    connections: Count | None = None
    bytes: Count | None = None


class SeenBody(_In):
    """What the reviewer had on screen; `GET /v1/approvals/{id}` says it."""

    version: Ordinal
    digest: Digest
    join_no: Ordinal


class AnswerBody(_In):
    """One answer to one question."""

    verdict: Annotated[Verdict, Field(strict=False)]
    scope: Annotated[Scope, Field(strict=False)]
    seen: SeenBody
    seconds: Seconds | None = None
    budget: BudgetBody | None = None
    cancel: bool | None = Field(
        default=None, description="Whether a no stops the command. Null: as its run was told."
    )
    comment: Comment | None = None


class GroupAnswerBody(AnswerBody):
    """An answer of a group, with the question that it is for."""

    approval_id: Id


class GroupBody(_In):
    """Answers to several questions, each good or bad for itself."""

    answers: Annotated[list[GroupAnswerBody], Field(min_length=1, max_length=_MOST_ANSWERS)]


class RevocationBody(_In):
    """Why a grant is taken back."""

    comment: Comment | None = None


class PageQuery(BaseModel):
    """One page of a list, newest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=_LONGEST_PAGE)] = 50
    before: Annotated[float, Field(ge=0, le=_LARGEST, allow_inf_nan=False)] | None = Field(
        default=None, description="Seconds since the epoch: the `next` of the page before."
    )


class TokenBody(_In):
    """A token to be made."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    permissions: Annotated[
        list[Annotated[Permission, Field(strict=False)]], Field(min_length=1, max_length=4)
    ]
    seconds: Seconds


class Budget(_Out):
    """How much a yes is good for. Null: any amount."""

    connections: int | None
    bytes: int | None


class Answer(_Out):
    """What a reviewer said."""

    verdict: Verdict
    scope: Scope
    seconds: float | None
    budget: Budget | None
    cancel: bool
    reviewer: str
    channel: str
    comment: str | None


class Request(_Out):
    """What a reviewer is shown of a question (`approvals.shown`); `digest` is taken over it."""

    approval_id: str
    session: str
    session_name: str | None
    run: str
    host: str
    host_unicode: str | None
    group: str
    protocol: str
    port: int
    destination: str
    command: str
    directory: str
    explanation: str
    hint: str | None
    stops_on_denial: bool
    allow_scopes: list[Scope]
    deny_scopes: list[Scope]
    longest_seconds: int | None
    created_at: str
    expires_at: str


class Pending(_Out):
    """A question that stands. An answer repeats `version`, `digest` and `join_no`."""

    approval_id: str
    version: int
    digest: str
    join_no: int
    waiting: int
    seconds_left: float
    request: Request


class PendingList(_Out):
    """Every question that stands, oldest first."""

    approvals: list[Pending]


class Decision(_Out):
    """A question and how it ended, or that it stands."""

    approval_id: str
    status: Status
    version: int
    request: Request
    ended_at: str | None
    answer: Answer | None


class DecisionList(_Out):
    """Newest first. `next` is the `before` of the next page; null: there is none."""

    decisions: list[Decision]
    next: float | None


class Grant(_Out):
    """A yes or a no that holds now."""

    grant_id: str
    approval_id: str
    destination: str
    host: str
    protocol: str
    port: int
    session: str
    run: str
    verdict: Verdict
    scope: Scope
    created_at: str
    expires_at: str | None
    budget: Budget | None
    used_connections: int
    used_bytes: int
    reviewer: str
    channel: str
    comment: str | None


class GrantList(_Out):
    """Every yes and no that holds now."""

    grants: list[Grant]


class Story(_Out):
    """One approval with what is known around it."""

    approval: Decision
    pending: Pending | None = Field(description="Null when it is over.")
    grant: Grant | None
    earlier: list[Decision] = Field(description="The last ones of the same host, newest first.")
    first_seen: bool


class Resolution(_Out):
    """How a question ended by an answer."""

    approval_id: str
    status: Status
    explanation: str
    answer: Answer | None


class GroupResult(_Out):
    """One of a group: how it ended, or the problem with it."""

    approval_id: str
    resolution: Resolution | None
    problem: dict[str, Any] | None


class GroupResults(_Out):
    """In the order of the answers."""

    results: list[GroupResult]


class SessionList(_Out):
    """Who is served now."""

    sessions: list[dict[str, Any]]


class Policy(_Out):
    """What decides before anybody is asked, as lines."""

    lines: list[str]


class Health(_Out):
    """How the gateway is."""

    reviewers: bool = Field(description="Whether somebody is there who reads this inbox.")
    parts: dict[str, Any]


class Change(_Out):
    """Something happened. `number` continues a stream: as `after`, or as `Last-Event-ID`."""

    number: int
    kind: ChangeKind
    ref: str = Field(description="The id of the approval, of the grant, or of the session.")
    at: str


class Token(_Out):
    """A token, without its secret."""

    token_id: str
    name: str
    permissions: list[Permission]
    created_at: str
    created_by: str
    expires_at: str
    used_at: str | None


class NewToken(Token):
    """The one time that its secret is told."""

    token: str


class TokenList(_Out):
    """Those that are good now."""

    tokens: list[Token]


class LoginLink(_Out):
    """One way into the web inbox, for one browser."""

    url: str
    expires_at: str


class FieldProblem(_Out):
    """One field that is wrong."""

    field: str
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = None
