"""Fills netproxy's ports for asking and remembering with the approval service.

Only translates: request and judgement into a question, the outcome into an answer with source,
reason and a sentence for people (`verdict_text`). One per run: whose command it is, is known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals import Asking, Ending, Key, Verdict
from netproxy.app.verdict_text import sentence
from netproxy.model import ApprovalId, OnDenial, Protocol, Reason, Source
from netproxy.policy.hosts import unicode_form
from netproxy.policy.suffixes import registrable_domain
from netproxy.ports import Answer
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from approvals import ApprovalService, Grant, Outcome
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
# Nothing waits for its record so long that this many more answers end meanwhile.
_MOST_ENDED = 1024
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
    rule_file: str | None = None  # that its answers for always are written to
    # How long its connections are held, by what the client spoke; elsewhere as the service says.
    hold_seconds: Mapping[Protocol, float | None] = field(default_factory=dict)


class ServiceApprover:
    """`netproxy.ports.Approver`, `SessionCache` and `Ledger` of one run."""

    def __init__(
        self,
        service: ApprovalService,
        asker: Asker,
        *,
        is_almost_full: Callable[[], bool] = lambda: False,
        writes_rules: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_almost_full`: whether the audit disk has no room for what a question leaves.

        `writes_rules`: whether an answer for always could be kept as a rule now.
        """
        self._service = service
        self._asker = asker
        self._is_almost_full = is_almost_full
        self._writes_rules = writes_rules
        self._ended: dict[ApprovalId, None] = {}  # in the order in which that happened
        self._budgeted: set[ApprovalId] = set()
        self._metered: set[ApprovalId] = set()

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
        budget = outcome.answer.budget if outcome.answer is not None else None
        if approval is not None and budget is not None and budget.bytes is not None:
            # Also of a grant that this connection was the last of: what it carries counts.
            self._metered.add(ApprovalId(approval))
        return Answer(
            allowed=outcome.allowed,
            source=source,
            reason=reason,
            approval_id=None if approval is None else ApprovalId(approval),
            message=sentence(where, outcome, self._granted(where)),
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
        """The session's remembered yes, or this run's."""
        found = self._granted(destination)
        return None if found is None else ApprovalId(found.approval_id)

    def take(self, approval_id: ApprovalId) -> bool:
        """Count a connection that a remembered yes lets through; False: it holds no longer."""
        return approval_id not in self._budgeted or self._service.spend(approval_id, connections=1)

    def has_ended(self, approval_id: ApprovalId) -> bool:
        """Whether what an answer left was taken back, or its time is over."""
        return approval_id in self._ended

    def is_metered(self, approval_id: ApprovalId) -> bool:
        """Whether the bytes that it carries count."""
        return approval_id in self._metered

    def spend(self, approval_id: ApprovalId, count: int) -> None:
        """Count so many bytes. When there are none left, the service says so to `note_end`."""
        self._service.spend(approval_id, bytes=count)

    def note_end(self, approval_id: ApprovalId) -> None:
        """Let nothing more through by it: connections wait for their records when it ends."""
        self._ended[approval_id] = None
        self._budgeted.discard(approval_id)
        self._metered.discard(approval_id)
        if len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    def _granted(self, destination: Destination) -> Grant | None:
        """The yes that holds. One with a budget is noted, so that no other costs anything."""
        found = self._service.grant(self._key(destination), self._asker.run)
        if found is not None and found.budget is not None:
            self._budgeted.add(ApprovalId(found.approval_id))
            if found.budget.bytes is not None:
                self._metered.add(ApprovalId(found.approval_id))
        return found

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
            rule_possible=self._writes_rules(),
            rule_file=self._asker.rule_file,
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
