"""Fills netproxy's ports for asking and remembering with the approval service.

Only translates: request and judgement into a question, the outcome into an answer with source,
reason and a sentence for people. One per run: whose command it is, is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from approvals import Asking, Ending, Key, Scope, Verdict
from netproxy.model import ApprovalId, OnDenial, Reason, Source
from netproxy.policy.hosts import unicode_form
from netproxy.policy.suffixes import registrable_domain
from netproxy.ports import Answer
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals import Answer as ReviewerAnswer
    from approvals import ApprovalService, Outcome
    from netproxy.model import Destination, Judgement, Request

# Who decided and why, in the gateway's words.
_WORDS: dict[Ending, tuple[Source, Reason]] = {
    Ending.APPROVED: (Source.REVIEWER, Reason.APPROVED),
    Ending.GRANTED: (Source.SESSION_CACHE, Reason.ALLOWED_BY_GRANT),
    Ending.DENIED: (Source.REVIEWER, Reason.DENIED_BY_REVIEWER),
    Ending.DENIED_BY_SESSION: (Source.SESSION_CACHE, Reason.DENIED_BY_SESSION),
    Ending.TIMEOUT: (Source.DECIDER, Reason.APPROVAL_TIMEOUT),
    Ending.UNAVAILABLE: (Source.DECIDER, Reason.APPROVAL_UNAVAILABLE),
    Ending.TOO_MANY: (Source.PROXY_STATE, Reason.LIMIT_EXCEEDED),
    Ending.WITHDRAWN: (Source.DECIDER, Reason.APPROVAL_UNAVAILABLE),
    Ending.AUDIT_UNAVAILABLE: (Source.PROXY_STATE, Reason.AUDIT_UNAVAILABLE),
}
_OBEYED = frozenset({Ending.DENIED, Ending.DENIED_BY_SESSION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The run on whose behalf is asked, and what a reviewer is shown of it."""

    session: str
    run: str
    command: str
    directory: str
    on_denial: OnDenial
    has_command: bool = True  # that a denial could end


class ServiceApprover:
    """`netproxy.ports.Approver` and `netproxy.ports.SessionCache` of one run."""

    def __init__(
        self,
        service: ApprovalService,
        asker: Asker,
        *,
        is_almost_full: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_almost_full`: whether the audit disk has no room for what a question leaves."""
        self._service = service
        self._asker = asker
        self._is_almost_full = is_almost_full

    async def ask(self, request: Request, judgement: Judgement) -> Answer:
        """Ask, wait, and translate; every failure is an answer."""
        where = request.destination
        if self._is_almost_full():
            return Answer(
                allowed=False,
                source=Source.PROXY_STATE,
                reason=Reason.APPROVAL_UNAVAILABLE,
                approval_id=None,
                message=f"{where} was not allowed: the audit disk is almost full, nobody is asked.",
            )
        outcome = await self._service.ask(self._asking(request, judgement))
        source, reason = _WORDS[outcome.ending]
        approval = outcome.approval_id
        return Answer(
            allowed=outcome.allowed,
            source=source,
            reason=reason,
            approval_id=None if approval is None else ApprovalId(approval),
            message=_sentence(where, outcome),
            cancel=_cancel(outcome),
            retry_after_seconds=outcome.retry_after_seconds,
        )

    def denial(self, destination: Destination) -> ApprovalId | None:
        """The session's remembered no.

        Not the one that lets the command continue: the policy's session denial stops it, so that
        one is answered by `ask`, which remembers as well and says that it doesn't cancel.
        """
        if not self._service.denies:
            return None
        found = self._service.denial(self._key(destination))
        return ApprovalId(found.approval_id) if found is not None and found.cancel else None

    def grant(self, destination: Destination) -> ApprovalId | None:
        """The session's remembered yes."""
        found = self._service.grant(self._key(destination))
        return None if found is None else ApprovalId(found.approval_id)

    def _key(self, destination: Destination) -> Key:
        return Key(
            session=self._asker.session,
            host=destination.host,
            protocol=destination.protocol.value,
            port=destination.port,
        )

    def _asking(self, request: Request, judgement: Judgement) -> Asking:
        destination = request.destination
        shown_as = unicode_form(destination.host)
        on_denial = judgement.on_denial or self._asker.on_denial
        return Asking(
            key=self._key(destination),
            run=self._asker.run,
            connection=request.connection_id,
            unicode_host=None if shown_as == destination.host else shown_as,
            command=self._asker.command,
            directory=self._asker.directory,
            explanation=judgement.explanation,
            hint=judgement.hint,
            stops_on_denial=self._asker.has_command and on_denial is OnDenial.CANCEL,
            group=registrable_domain(destination.host) or destination.host,
        )


def _cancel(outcome: Outcome) -> bool | None:
    """What the reviewer chose for the command; None where no reviewer denied anything."""
    answer = outcome.answer
    if outcome.ending not in _OBEYED or answer is None or answer.verdict is Verdict.ALLOW:
        return None
    return answer.cancel


def _sentence(destination: Destination, outcome: Outcome) -> str:
    answer = outcome.answer
    # An allow that had no effect (it could not be recorded) is not what happened.
    if answer is None or (answer.verdict is Verdict.ALLOW) is not outcome.allowed:
        return f"{destination} was not allowed: {outcome.explanation}."
    return f"{destination} was {_said(answer)}."


def _said(answer: ReviewerAnswer) -> str:
    verb = "allowed" if answer.verdict is Verdict.ALLOW else "denied"
    scope = " for this session" if answer.scope is Scope.SESSION else ""
    comment = f": {visible(answer.comment)}" if answer.comment else ""
    return f"{verb}{scope} by {visible(answer.reviewer)} ({answer.channel}){comment}"
