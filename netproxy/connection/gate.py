"""The one place where a request becomes a decision: judged, asked about, recorded, obeyed.

Exactly one `PolicyDecision` goes to the audit sink before anything acts on it. What the policy
says is `netproxy.policy`; who is asked is behind `ports.Approver`; nothing here touches a socket.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from netproxy.connection.own_refusals import (
    abandoned,
    nobody_to_ask,
    run_is_over,
    state_refusal,
    taken_back,
    unrecorded,
)
from netproxy.connection.records import (
    decided,
    never_asked,
    never_connected,
    undialled,
)
from netproxy.connection.server_names import host_problem, name_problem
from netproxy.model import (
    CANCELLING,
    Decision,
    Judgement,
    OnDenial,
    Reason,
    Sni,
    Source,
    Verdict,
)
from otel.errors import AuditUnavailable
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netproxy.connection.records import Stray
    from netproxy.model import Destination, Request
    from netproxy.ports import Answer, Approver, AuditSink, Ledger, SessionCache, Token
    from netproxy.protocol.host_field import Asked
    from netproxy.protocol.tls_hello import Hello

# More destinations than most runs have; when it is full it starts anew.
_MOST_YESES: Final = 256


class Judge(Protocol):
    """The policy, as far as the gate knows it: a plain function of the request."""

    def judge(self, destination: Destination, method: str, cache: SessionCache) -> Judgement:
        """Say allow, deny or ask."""
        ...

    @property
    def on_denial(self) -> OnDenial:
        """What a refusal does to the run where neither rule nor reviewer says."""
        ...

    @property
    def sni(self) -> Sni:
        """What becomes of a tunnel whose TLS asks for another name."""
        ...


class Vetted(Protocol):
    """What the policy says of resolved addresses: those that may be dialled, those that may not."""

    @property
    def passed(self) -> tuple[str, ...]:
        """In the resolver's order."""
        ...

    @property
    def refused(self) -> Sequence[tuple[str, str]]:
        """Address and what kind of address it is."""
        ...

    @property
    def explanation(self) -> str:
        """Fit for the client."""
        ...

    @property
    def hint(self) -> str | None:
        """Names an address: for whoever started the command only."""
        ...


# What is entered for as long as somebody is asked. It may end the wait by swallowing its
# cancellation: the policy changed meanwhile, and has answered the question.
type Waiting = Callable[[], AbstractContextManager[object, bool]]


class Gate:
    """Admits or refuses the requests of one run."""

    def __init__(  # noqa: PLR0913 what decides, and what it tells
        self,
        *,
        policy: Judge,
        cache: SessionCache,
        approver: Approver,
        audit: AuditSink,
        token: Token,
        ledger: Ledger | None = None,
    ) -> None:
        """Without a `ledger` nothing that is remembered has a budget, and nothing is revoked."""
        self._policy = policy
        self._cache = cache
        self._approver = approver
        self._audit = audit
        self._token = token
        self._ledger = ledger
        self._yeses: dict[int, tuple[Judgement, Decision]] = {}  # by the judgement's id()

    async def admit(self, request: Request, *, waiting: Waiting = suppress) -> Decision:
        """Decide and record. A yes is in the file when this returns; else it is a no.

        `waiting` is entered for as long as somebody is asked.
        """
        found = self._decided(request)
        if isinstance(found, Judgement):
            found = await self._ask(request, found, waiting)
        if not found.allowed:
            return self._settle(request, found)
        problem = None
        try:
            await self._audit.written(decided(request, found))
        except AuditUnavailable as unavailable:
            problem = unavailable
        except BaseException:
            self._give_up(request)
            raise
        return self._let_through(request, found, problem)

    def admit_now(self, request: Request, then: Callable[[Decision], None], /) -> bool:
        """Do what `admit` does where nobody has to be asked; False: nothing was done.

        A no is settled, and `then` called with it, before this returns. With a yes it is called by
        the end of this turn of the loop, when that is in the file or turned out to be a no. It is
        always called, once: whether anybody still wants to go on is for it to say.
        """
        found = self._decided(request)
        if isinstance(found, Judgement):
            return False
        if found.allowed:
            self._audit.record_then(
                decided(request, found),
                lambda problem: then(self._let_through(request, found, problem)),
            )
        else:
            then(self._settle(request, found))
        return True

    def _give_up(self, request: Request) -> None:
        """Put on record that a yes was written, and nothing came of it."""
        with suppress(AuditUnavailable):
            self._audit.record_soon(never_connected(request))

    def _decided(self, request: Request) -> Decision | Judgement:
        """Decide; a judgement is what somebody has to be asked about."""
        if self._token.is_cancelled:
            return run_is_over()
        judgement = self._policy.judge(request.destination, request.method, self._cache)
        if judgement.verdict is Verdict.ASK:
            return judgement
        known = self._yeses.get(id(judgement))
        if known is not None:
            return known[1]
        decision = self._judged(request, judgement, allowed=judgement.verdict is Verdict.ALLOW)
        if decision.allowed and judgement.source is not Source.SESSION_CACHE:
            self._remember(judgement, decision)
        return decision

    def _remember(self, judgement: Judgement, decision: Decision) -> None:
        """A yes of the rules says nothing of the request: the same judgement gives the same one.

        The policy keeps its judgements (`policy.engine`); as long as one is kept here, its id() is
        nobody else's.
        """
        if len(self._yeses) >= _MOST_YESES:
            self._yeses.clear()
        self._yeses[id(judgement)] = judgement, decision

    def _let_through(
        self, request: Request, decision: Decision, problem: AuditUnavailable | None
    ) -> Decision:
        """Say what became of a yes while it was written."""
        if problem is not None:
            return self._settle(request, unrecorded(request))
        if self._token.is_cancelled:  # by another refusal meanwhile
            return self._settle(request, run_is_over())
        if self._is_taken_back(request, decision):
            return self._settle(request, taken_back(request))
        return decision

    def _is_taken_back(self, request: Request, decision: Decision) -> bool:
        """Whether what carries it is gone, or used up: no connection showed yet that one did."""
        approval_id = decision.approval_id
        if approval_id is None:
            return False
        where = request.destination
        if decision.override:  # somebody was asked, and it is counted already
            return self._ledger is not None and self._ledger.has_ended(approval_id)
        if self._cache.grant(where) != approval_id:
            return True
        return self._ledger is not None and not self._ledger.take(approval_id)

    def still_allows(self, request: Request, *, asked: bool) -> bool:
        """Whether the policy in force goes on with what an earlier one let through.

        `asked`: somebody was asked, or is being asked, so a policy that would ask changes nothing.
        """
        verdict = self._policy.judge(request.destination, request.method, self._cache).verdict
        return verdict is Verdict.ALLOW or (asked and verdict is Verdict.ASK)

    def allows(self, request: Request) -> bool:
        """Whether the policy in force lets it through without anybody being asked."""
        judgement = self._policy.judge(request.destination, request.method, self._cache)
        return judgement.verdict is Verdict.ALLOW

    def overrule(self, request: Request) -> Decision:
        """Refuse what an earlier policy allowed, before it was acted on.

        A second decision on record: the last one of a connection.id is what was done. The command
        did nothing wrong when it asked, so it is not cancelled for it.
        """
        return self._settle(request, self._overruled(request))

    def refuse_addresses(
        self, request: Request, vetted: Vetted, *, policy_changed: bool = False
    ) -> Decision:
        """Refuse after the lookup: no address of an allowed name may be dialled.

        `policy_changed`: they could be when the command asked, so it is not cancelled for it.
        """
        where = request.destination
        with suppress(AuditUnavailable):  # a refusal is answered even when the journal is broken
            self._audit.record(undialled(request, vetted.refused))
        # The name's own rule may say what its denial does; judging is pure, so ask it again.
        rule = self._policy.judge(where, request.method, self._cache)
        decision = Decision(
            allowed=False,
            source=Source.BASELINE_POLICY,
            reason=Reason.NOT_ALLOWED_LOCAL,
            message=vetted.explanation,
            rule=rule.rule,
            hint=vetted.hint,
            cancels=not policy_changed and self._cancels(Reason.NOT_ALLOWED_LOCAL, rule.on_denial),
        )
        # The hint names an internal address: for whoever started the command, not for the client.
        return replace(self._obeyed(request, decision), hint=None)

    def refuse_hello(self, request: Request, hello: Hello) -> Decision | None:
        """Refuse a tunnel whose TLS asks for another name, where the policy says so.

        A second decision on record: the last one of a connection.id is what was done.
        """
        problem = name_problem(request.destination.host, hello)
        return self._refuse_name(request, problem, Reason.SNI_MISMATCH)

    def refuse_asked(self, request: Request, asked: Asked) -> Decision | None:
        """Refuse a connection whose plain request is for another host, where the policy says so."""
        problem = host_problem(request.destination.host, asked)
        return self._refuse_name(request, problem, Reason.HOST_MISMATCH)

    def _refuse_name(
        self, request: Request, problem: str | None, reason: Reason
    ) -> Decision | None:
        if problem is None or self._policy.sni is Sni.RECORD:
            return None
        rule = self._policy.judge(request.destination, request.method, self._cache)
        decision = Decision(
            allowed=False,
            source=Source.BASELINE_POLICY,
            reason=reason,
            message=problem,
            rule=rule.rule,
            cancels=self._cancels(reason, rule.on_denial),
        )
        return self._settle(request, decision)

    def refuse_unrecorded(self, request: Request) -> Decision:
        """Refuse an allowed request whose opening could not be recorded."""
        return unrecorded(request)

    def refuse_malformed(self, stray: Stray, message: str) -> Decision:
        """Record what never became a request."""
        decision = state_refusal(Reason.INVALID_DESTINATION, message)
        with suppress(AuditUnavailable):
            self._audit.record(never_asked(stray, decision))
        return decision

    def _judged(self, request: Request, judgement: Judgement, *, allowed: bool) -> Decision:
        where = request.destination
        approval = None
        if judgement.source is Source.SESSION_CACHE:
            look_up = self._cache.grant if allowed else self._cache.denial
            approval = look_up(where)
        return Decision(
            allowed=allowed,
            source=judgement.source,
            reason=judgement.reason,
            message=judgement.explanation,
            rule=judgement.rule,
            hint=judgement.hint,
            approval_id=approval,
            cancels=not allowed and self._cancels(judgement.reason, judgement.on_denial),
        )

    def _overruled(self, request: Request) -> Decision:
        judgement = self._policy.judge(request.destination, request.method, self._cache)
        if judgement.verdict is Verdict.ALLOW:
            return state_refusal(
                Reason.NOT_ALLOWED, "the policy changed twice meanwhile; try again"
            )
        decision = self._judged(request, judgement, allowed=False)
        message = f"the policy changed: {judgement.explanation}"
        return replace(decision, message=message, cancels=False)

    async def _ask(self, request: Request, judgement: Judgement, waiting: Waiting) -> Decision:
        answer: Answer | None = None
        # The run's own choice may change while a person reads: what is shown is what holds now.
        shown = replace(judgement, on_denial=judgement.on_denial or self._policy.on_denial)
        try:
            with waiting():
                answer = await self._approver.ask(request, shown)
        except Exception as broken:  # noqa: BLE001 whatever breaks in a reviewer, the answer is no
            return nobody_to_ask(request, broken)
        except BaseException:
            # The wait was cancelled: the client left, or the run is over. It was asked for, so it
            # is on record, and whatever comes now is nobody's to act on.
            self._settle(request, abandoned(request, is_over=self._token.is_cancelled))
            raise
        if self._token.is_cancelled:
            return run_is_over()
        if answer is None:
            return self._answered_by_policy(request)
        return self._answered(judgement, answer)

    def _answered_by_policy(self, request: Request) -> Decision:
        judgement = self._policy.judge(request.destination, request.method, self._cache)
        if judgement.verdict is Verdict.ALLOW:
            return self._judged(request, judgement, allowed=True)
        return self._overruled(request)

    def _answered(self, judgement: Judgement, answer: Answer) -> Decision:
        allowed = answer.allowed
        chosen = judgement.on_denial
        if answer.cancel is not None:
            chosen = OnDenial.CANCEL if answer.cancel else OnDenial.BLOCK
        return Decision(
            allowed=allowed,
            source=answer.source,
            reason=answer.reason,
            message=answer.message,
            rule=judgement.rule,
            hint=None if allowed else judgement.hint,
            approval_id=answer.approval_id,
            override=allowed,
            cancels=not allowed and self._cancels(answer.reason, chosen),
            retry_after_seconds=answer.retry_after_seconds,
        )

    def _cancels(self, reason: Reason, chosen: OnDenial | None) -> bool:
        return reason in CANCELLING and (chosen or self._policy.on_denial) is OnDenial.CANCEL

    def _settle(self, request: Request, decision: Decision) -> Decision:
        """Record a no, then obey. It is one even when the journal is broken."""
        with suppress(AuditUnavailable):
            self._audit.record(decided(request, decision))
        return self._obeyed(request, decision)

    def _obeyed(self, request: Request, decision: Decision) -> Decision:
        if decision.cancels:
            self._token.cancel(request, decision)
        return decision
