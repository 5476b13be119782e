"""Fills netproxy's ports for asking and remembering with the approval service.

Only translates: request and judgement into a question, the outcome into an answer with source,
reason and a sentence for people (`verdict_text`). One per run: whose command it is, is known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from approvals import Asking, Ending, Key, Verdict
from netproxy.app.verdict_text import sentence
from netproxy.model import ApprovalId, OnDenial, Protocol, Reason, Source
from netproxy.policy.hosts import unicode_form
from netproxy.policy.suffixes import registrable_domain
from netproxy.ports import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from approvals import ApprovalService, Outcome
    from netproxy.app.approval_settings import ApprovalSettings
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
    session_name: str | None = None  # of one that several clients have in common
    # How long its connections are held, by what the client spoke; elsewhere as the service says.
    hold_seconds: Mapping[Protocol, float | None] = field(default_factory=dict)


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
        held = self._service.grant(self._key(where), self._asker.run)
        source, reason = _WORDS[outcome.ending]
        approval = outcome.approval_id
        return Answer(
            allowed=outcome.allowed,
            source=source,
            reason=reason,
            approval_id=None if approval is None else ApprovalId(approval),
            message=sentence(where, outcome, held),
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
        found = self._service.grant(self._key(destination), self._asker.run)
        return None if found is None else ApprovalId(found.approval_id)

    def _key(self, destination: Destination) -> Key:
        return Key(
            session=self._asker.session,
            host=destination.host,
            protocol=destination.protocol.value,
            port=destination.port,
        )

    def _asking(self, request: Request, judgement: Judgement) -> Asking:
        destination, asker = request.destination, self._asker
        shown_as = unicode_form(destination.host)
        on_denial = judgement.on_denial or asker.on_denial
        return Asking(
            key=self._key(destination),
            run=asker.run,
            connection=request.connection_id,
            unicode_host=None if shown_as == destination.host else shown_as,
            command=asker.command,
            directory=asker.directory,
            explanation=judgement.explanation,
            hint=judgement.hint,
            stops_on_denial=asker.has_command and on_denial is OnDenial.CANCEL,
            group=registrable_domain(destination.host) or destination.host,
            hold_seconds=asker.hold_seconds.get(destination.protocol),
            session_name=asker.session_name,
        )


def holds(settings: ApprovalSettings) -> Mapping[Protocol, float | None]:
    """How long a connection is held, by what its client speaks. What is captured speaks nothing."""
    http, socks = settings.hold_seconds_http, settings.hold_seconds_socks
    return {
        Protocol.HTTP: http,
        Protocol.HTTPS: http,
        Protocol.SOCKS5_TCP: socks,
        Protocol.SOCKS5_UDP: socks,
    }


def _cancel(outcome: Outcome) -> bool | None:
    """What the reviewer chose for the command; None where no reviewer denied anything."""
    answer = outcome.answer
    if outcome.ending not in _OBEYED or answer is None or answer.verdict is Verdict.ALLOW:
        return None
    return answer.cancel
