"""What became of a request, as one sentence for whoever waits for it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from approvals import Scope, Verdict
from netproxy.app.amounts import duration
from otel import visible

if TYPE_CHECKING:
    from approvals import Answer, Grant, Outcome
    from netproxy.model import Destination

_MS = 1000
_REACH = {
    Scope.ONCE: "",
    Scope.RUN: " for this run",
    Scope.TIME: "",
    Scope.SESSION: " for this session",
    Scope.ALWAYS: " for good",
}


def sentence(destination: Destination, outcome: Outcome, grant: Grant | None) -> str:
    """Say `https://a.test:443 was allowed for 1 h, until 18:40, by anna (web): as discussed`.

    `grant` is the yes that holds for the destination now, if there is one.
    """
    answer = outcome.answer
    # An allow that had no effect (it could not be recorded) is not what happened.
    if answer is None or (answer.verdict is Verdict.ALLOW) is not outcome.allowed:
        return f"{destination} was not allowed: {outcome.explanation}."
    is_its = grant is not None and outcome.allowed and grant.approval_id == outcome.approval_id
    return f"{destination} was {_said(answer, grant if is_its else None)}."


def _said(answer: Answer, grant: Grant | None) -> str:
    verb = "allowed" if answer.verdict is Verdict.ALLOW else "denied"
    comment = f": {visible(answer.comment)}" if answer.comment else ""
    reach = f"{_REACH[answer.scope]}{_until(grant)}"
    return f"{verb}{reach} by {visible(answer.reviewer)} ({answer.channel}){comment}"


def _until(grant: Grant | None) -> str:
    """`, until 18:40,`, in the time zone of this host; the day where it is another one."""
    if grant is None or grant.expires_at is None:
        return ""
    lasts = ""
    if grant.scope is Scope.TIME:
        lasts = f" for {duration((grant.expires_at - grant.created_at) * _MS)}"
    end = datetime.fromtimestamp(grant.expires_at).astimezone()
    begin = datetime.fromtimestamp(grant.created_at).astimezone()
    spelled = "%H:%M" if end.date() == begin.date() else "%Y-%m-%d %H:%M"
    return f"{lasts}, until {end.strftime(spelled)},"
