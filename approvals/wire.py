"""What machines may say in answer to a question: the one JSON form of webhooks and commands.

Strict: an unknown key is an error, not a wish that is passed over. What it comes to is an `Answer`,
within what this reviewer may say at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from approvals.errors import InvalidAnswer, NoOpinion, TooWide
from approvals.model import Answer, Scope, Verdict
from otel import visible

if TYPE_CHECKING:
    from approvals.model import Question

# Somebody has to read it, in a record of 64 kB at most.
COMMENT_CHARACTERS = 2000
_YEAR_SECONDS = 365 * 86400


class Said(BaseModel):
    """A verdict."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    verdict: Literal["allow", "deny", "abstain"]
    scope: Literal["once", "run", "time", "session", "always"] = "once"
    seconds: Annotated[float, Field(gt=0, le=_YEAR_SECONDS)] | None = None
    # A denial: whether the command ends. Unset: as it would.
    cancel: bool | None = None
    comment: Annotated[str, Field(max_length=COMMENT_CHARACTERS)] | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Said:
        if (self.scope == "time") is not (self.seconds is not None):
            raise ValueError('scope "time" and seconds go together')
        if self.verdict == "allow" and self.cancel is not None:
            raise ValueError("cancel is for a denial")
        return self


def answer_of(  # noqa: PLR0913  # a verdict, and all that it doesn't say itself
    said: Said,
    question: Question,
    *,
    seen_join_no: int,
    widest: Scope,
    reviewer: str,
    channel: str,
) -> Answer:
    """The answer that a verdict comes to.

    Raises `TooWide` where this reviewer may not say that, `NoOpinion` for an abstention.
    """
    if said.verdict == "abstain":
        raise NoOpinion(f"{reviewer} has no opinion")
    verdict, scope = Verdict(said.verdict), Scope(said.scope)
    check_reach(verdict, scope, widest=widest)
    cancel = question.asking.stops_on_denial if said.cancel is None else said.cancel
    return Answer(
        verdict=verdict,
        scope=scope,
        cancel=verdict is Verdict.DENY and cancel,
        reviewer=reviewer,
        channel=channel,
        seen_join_no=seen_join_no,
        comment=None if said.comment is None else visible(said.comment, limit=COMMENT_CHARACTERS),
        seconds=said.seconds,
    )


def check_reach(verdict: Verdict, scope: Scope, *, widest: Scope) -> None:
    """Refuse an answer that reaches further than its reviewer may. Raises `TooWide`.

    A denial may reach as far as the session from anybody; only a rule needs leave to write one.
    """
    order = tuple(Scope)
    reach = widest if verdict is Verdict.ALLOW else max(widest, Scope.SESSION, key=order.index)
    if order.index(scope) > order.index(reach):
        raise TooWide(f"it may say {verdict} for the {reach} at most, not for the {scope}")


def problems_of(error: ValidationError) -> list[dict[str, str]]:
    """What is wrong with a verdict, without its text: a field and a clause each."""
    return [
        {"field": ".".join(map(str, each["loc"])), "detail": each["msg"]}
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def invalid_of(error: ValidationError) -> InvalidAnswer:
    """The same as one error, for those who can't tell the fields."""
    first = problems_of(error)[0]
    return InvalidAnswer(f"{first['field']}: {first['detail']}".removeprefix(": "))
