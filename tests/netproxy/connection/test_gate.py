"""Exactly one decision on record before anything acts; what can't be recorded does not happen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.gate import Gate
from netproxy.connection.records import Stray
from netproxy.model import (
    CANCELLING,
    ApprovalId,
    ConnectionId,
    Decision,
    Destination,
    Judgement,
    OnDenial,
    Protocol,
    Reason,
    Request,
    Sni,
    Source,
    Verdict,
)
from netproxy.policy.addresses import AddressClass
from netproxy.protocol.host_field import Asked
from netproxy.protocol.tls_hello import Hello
from otel.events import ConnectionFailed, DialRefused, Event, PolicyDecision
from tests.support.fakes import (
    FakeApprover,
    FakeAudit,
    FakeCache,
    FakeLedger,
    FakePolicy,
    FakeToken,
    FakeVetted,
    LateAudit,
    answer,
    judgement,
)

if TYPE_CHECKING:
    from types import TracebackType

    from netproxy.ports import Answer

WHERE = Destination(host="a.test", port=443, protocol=Protocol.HTTPS)
REQUEST = Request(
    destination=WHERE,
    method="CONNECT",
    connection_id=ConnectionId("c-1"),
    client_address="127.0.0.1:1",
)


@dataclass(kw_only=True)
class Bench:
    policy: FakePolicy
    approver: FakeApprover = field(default_factory=FakeApprover)
    audit: FakeAudit = field(default_factory=FakeAudit)
    token: FakeToken = field(default_factory=FakeToken)
    cache: FakeCache = field(default_factory=FakeCache)
    ledger: FakeLedger = field(default_factory=FakeLedger)

    def gate(self) -> Gate:
        return Gate(
            policy=self.policy,
            cache=self.cache,
            approver=self.approver,
            audit=self.audit,
            token=self.token,
            ledger=self.ledger,
        )

    def admit(self) -> Decision:
        return asyncio.run(self.gate().admit(REQUEST))


class Waiting:
    """Notes when somebody is asked; `ends` tells that the policy changed."""

    def __init__(self, *, ends: bool = False) -> None:
        self.entered: list[str] = []
        self._ends = ends

    def __enter__(self) -> None:
        self.entered.append("in")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.entered.append("out")
        return self._ends


def test_an_allow_is_decided_and_recorded_without_a_suspension() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    coroutine = bench.gate().admit(REQUEST)
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value.allowed
    assert bench.audit.decisions == [("allow", "allowed_by_rule")]
    assert bench.approver.asked == []


def test_the_record_holds_what_was_asked_and_decided() -> None:
    bench = Bench(policy=FakePolicy(Verdict.DENY))
    bench.admit()
    assert bench.audit.events == [
        PolicyDecision(
            connection_id="c-1",
            client_address="127.0.0.1:1",
            server_address="a.test",
            server_port=443,
            protocol="https",
            method="CONNECT",
            scope="domain",
            decision="deny",
            source="baseline_policy",
            reason="denied_by_rule",
            override=False,
            explanation="a test said so",
        )
    ]


def test_a_reviewers_yes_overrides_a_baseline_miss() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ASK), approver=FakeApprover(answer(Reason.APPROVED)))
    decision = bench.admit()
    assert decision.allowed
    assert decision.approval_id == "a-1"
    (event,) = bench.audit.of(PolicyDecision)
    assert (event.override, event.approval_id, event.source) == (True, "a-1", "reviewer")
    assert not bench.token.is_cancelled


@pytest.mark.parametrize("allowed", [True, False])
def test_what_the_session_remembers_names_its_approval(allowed: bool) -> None:
    policy = FakePolicy(Verdict.DENY)
    policy.default = (
        judgement(Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE)
        if allowed
        else judgement(Verdict.DENY, Reason.DENIED_BY_SESSION, source=Source.SESSION_CACHE)
    )
    bench = Bench(policy=policy)
    bench.cache.grants[WHERE] = ApprovalId("a-yes")
    bench.cache.denials[WHERE] = ApprovalId("a-no")
    assert bench.admit().approval_id == ("a-yes" if allowed else "a-no")


@pytest.mark.parametrize("reason", [reason for reason in Reason if "allowed_by" not in reason])
def test_exactly_the_denials_that_are_somebodys_no_cancel(reason: Reason) -> None:
    policy = FakePolicy(Verdict.DENY)
    policy.default = judgement(Verdict.DENY, reason)
    bench = Bench(policy=policy)
    decision = bench.admit()
    assert not decision.allowed
    assert bench.token.is_cancelled is (reason in CANCELLING)
    if bench.token.is_cancelled:
        ((request, cause),) = bench.token.causes
        assert (request.destination, cause) == (WHERE, decision)


@pytest.mark.parametrize(
    ("run", "rule", "reviewer", "cancels"),
    [
        pytest.param("cancel", None, None, True, id="run"),
        pytest.param("block", None, None, False, id="run-blocks"),
        pytest.param("cancel", "block", None, False, id="rule-over-run"),
        pytest.param("block", "cancel", None, True, id="rule-cancels"),
        pytest.param("block", "block", True, True, id="reviewer-over-both"),
        pytest.param("cancel", "cancel", False, False, id="let-it-go-on"),
    ],
)
def test_whose_word_on_cancelling_counts(
    run: str, rule: str | None, reviewer: bool | None, cancels: bool
) -> None:
    policy = FakePolicy(Verdict.ASK)
    policy.default = judgement(Verdict.ASK, on_denial=OnDenial(rule) if rule else None)
    said = answer(Reason.DENIED_BY_REVIEWER, cancel=reviewer)
    bench = Bench(policy=policy, approver=FakeApprover(said))
    policy.on_denial = OnDenial(run)
    assert bench.admit().cancels is cancels
    assert bench.token.is_cancelled is cancels


def test_a_timeout_never_cancels_whatever_the_answer_says() -> None:
    said = answer(
        Reason.APPROVAL_TIMEOUT, source=Source.DECIDER, cancel=True, retry_after_seconds=9
    )
    bench = Bench(policy=FakePolicy(Verdict.ASK), approver=FakeApprover(said))
    decision = bench.admit()
    assert (decision.cancels, decision.retry_after_seconds) == (False, 9)


def test_a_yes_that_cannot_be_recorded_is_a_no() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW), audit=FakeAudit(lambda _: True))
    decision = bench.admit()
    assert (decision.allowed, decision.reason) == (False, Reason.AUDIT_UNAVAILABLE)
    assert decision.source is Source.PROXY_STATE
    assert not bench.token.is_cancelled


def test_that_no_is_recorded_when_the_journal_is_back() -> None:
    def only_allows(event: Event) -> bool:
        return isinstance(event, PolicyDecision) and event.decision == "allow"

    bench = Bench(policy=FakePolicy(Verdict.ALLOW), audit=FakeAudit(only_allows))
    bench.admit()
    assert bench.audit.decisions == [("deny", "audit_unavailable")]


def test_a_no_is_given_and_obeyed_even_when_the_journal_is_broken() -> None:
    bench = Bench(policy=FakePolicy(Verdict.DENY), audit=FakeAudit(lambda _: True))
    decision = bench.admit()
    assert decision.reason is Reason.DENIED_BY_RULE
    assert bench.token.is_cancelled


def test_the_record_comes_before_the_cancellation() -> None:
    bench = Bench(policy=FakePolicy(Verdict.DENY))
    seen: list[int] = []
    bench.token.on_cancel = lambda: seen.append(len(bench.audit.events))
    bench.admit()
    assert seen == [1]


def test_after_a_cancellation_nothing_is_judged_or_asked() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW), token=FakeToken(is_cancelled=True))
    decision = bench.admit()
    assert (decision.allowed, decision.reason) == (False, Reason.PROXY_DISABLED)
    assert bench.policy.judged == []
    assert bench.token.causes == []
    assert bench.audit.decisions == [("deny", "proxy_disabled")]


def test_a_yes_after_the_cancellation_is_a_no() -> None:
    async def inside() -> Decision:
        asked = asyncio.create_task(bench.gate().admit(REQUEST))
        await asyncio.sleep(0)
        bench.token.is_cancelled = True
        bench.approver.pending[0].set_result(answer(Reason.APPROVED))
        return await asked

    bench = Bench(policy=FakePolicy(Verdict.ASK))
    assert asyncio.run(inside()).reason is Reason.PROXY_DISABLED


def test_a_cancellation_while_the_yes_is_written_is_a_no() -> None:
    """Another connection was refused in the same turn of the loop."""
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))

    class Cancelling(FakeAudit):
        async def written(self, event: Event) -> None:
            self.record(event)
            bench.token.is_cancelled = True

    bench.audit = Cancelling()
    assert bench.admit().reason is Reason.PROXY_DISABLED
    assert bench.audit.decisions == [("allow", "allowed_by_rule"), ("deny", "proxy_disabled")]


def test_an_allow_goes_on_when_its_record_is_written_and_not_before() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW), audit=(audit := LateAudit()))
    said: list[Decision] = []
    assert bench.gate().admit_now(REQUEST, said.append)
    assert said == []
    audit.end_turn()
    assert [decision.allowed for decision in said] == [True]
    assert bench.audit.decisions == [("allow", "allowed_by_rule")]


def test_a_no_is_recorded_obeyed_and_said_at_once() -> None:
    bench = Bench(policy=FakePolicy(Verdict.DENY))
    said: list[Decision] = []
    seen: list[int] = []
    bench.token.on_cancel = lambda: seen.append(len(bench.audit.events) - len(said))
    assert bench.gate().admit_now(REQUEST, said.append)
    assert [decision.reason for decision in said] == [Reason.DENIED_BY_RULE]
    assert bench.audit.decisions == [("deny", "denied_by_rule")]
    assert seen == [1]


def test_where_somebody_has_to_be_asked_nothing_is_done() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ASK))
    said: list[Decision] = []
    assert not bench.gate().admit_now(REQUEST, said.append)
    assert (said, bench.audit.events, bench.approver.asked) == ([], [], [])


def test_a_late_record_that_fails_is_a_no() -> None:
    def only_allows(event: Event) -> bool:
        return isinstance(event, PolicyDecision) and event.decision == "allow"

    bench = Bench(policy=FakePolicy(Verdict.ALLOW), audit=(audit := LateAudit(only_allows)))
    said: list[Decision] = []
    assert bench.gate().admit_now(REQUEST, said.append)
    audit.end_turn()
    assert [decision.reason for decision in said] == [Reason.AUDIT_UNAVAILABLE]
    assert bench.audit.decisions == [("deny", "audit_unavailable")]
    assert not bench.token.is_cancelled


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_cancelled_run_is_let_out_no_more_wherever_its_record_stands(when: str) -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW), audit=(audit := LateAudit()))
    bench.token.is_cancelled = when == "before"
    said: list[Decision] = []
    assert bench.gate().admit_now(REQUEST, said.append)
    bench.token.is_cancelled = True
    audit.end_turn()
    assert [decision.reason for decision in said] == [Reason.PROXY_DISABLED]
    allowed = [("allow", "allowed_by_rule")] if when == "meanwhile" else []
    assert bench.audit.decisions == [*allowed, ("deny", "proxy_disabled")]


@pytest.mark.parametrize("instead", [None, ApprovalId("a-2")])
def test_a_grant_that_is_taken_back_while_its_yes_is_written_lets_nobody_through(
    instead: ApprovalId | None,
) -> None:
    policy = FakePolicy(Verdict.ALLOW)
    policy.default = judgement(Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE)
    bench = Bench(policy=policy, audit=(audit := LateAudit()))
    bench.cache.grants[WHERE] = ApprovalId("a-1")
    said: list[Decision] = []
    assert bench.gate().admit_now(REQUEST, said.append)
    bench.cache.grants.pop(WHERE)
    if instead is not None:
        bench.cache.grants[WHERE] = instead
    audit.end_turn()
    assert [(decision.allowed, decision.cancels) for decision in said] == [(False, False)]
    assert bench.audit.decisions == [("allow", "allowed_by_grant"), ("deny", "not_allowed")]


def by_grant(audit: FakeAudit) -> Bench:
    policy = FakePolicy(Verdict.ALLOW)
    policy.default = judgement(Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE)
    bench = Bench(policy=policy, audit=audit)
    bench.cache.grants[WHERE] = ApprovalId("a-1")
    return bench


def test_a_grant_lets_as_many_through_as_its_budget_has() -> None:
    """Three were decided in one turn of the loop, when there were two left."""
    bench = by_grant(audit := LateAudit())
    bench.ledger.connections[ApprovalId("a-1")] = 2
    said: list[Decision] = []
    gate = bench.gate()
    for _ in range(3):
        assert gate.admit_now(REQUEST, said.append)
    audit.end_turn()
    assert [(each.allowed, each.reason) for each in said] == [
        (True, Reason.ALLOWED_BY_GRANT),
        (True, Reason.ALLOWED_BY_GRANT),
        (False, Reason.NOT_ALLOWED),
    ]
    assert not bench.token.is_cancelled


def test_a_yes_that_is_revoked_while_it_is_written_lets_nobody_through() -> None:
    """Also not whom it was given to: their connection did not show yet that it carries it."""
    approver = FakeApprover(answer(Reason.APPROVED))
    bench = Bench(policy=FakePolicy(Verdict.ASK), approver=approver)
    bench.ledger.ended.add(ApprovalId("a-1"))
    decision = bench.admit()
    assert (decision.allowed, decision.reason) == (False, Reason.NOT_ALLOWED)
    assert bench.audit.decisions == [("allow", "approved"), ("deny", "not_allowed")]


def test_a_broken_reviewer_is_a_no() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ASK), approver=FakeApprover(ValueError("bug")))
    decision = bench.admit()
    assert decision.reason is Reason.APPROVAL_UNAVAILABLE
    assert bench.audit.decisions == [("deny", "approval_unavailable")]


@pytest.mark.parametrize(
    ("is_cancelled", "reason"), [(False, "approval_timeout"), (True, "proxy_disabled")]
)
def test_a_wait_that_is_given_up_is_on_record(is_cancelled: bool, reason: str) -> None:
    waiting = Waiting()

    async def inside() -> None:
        asked = asyncio.create_task(bench.gate().admit(REQUEST, waiting=lambda: waiting))
        await asyncio.sleep(0)
        bench.token.is_cancelled = is_cancelled
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    bench = Bench(policy=FakePolicy(Verdict.ASK))
    asyncio.run(inside())
    assert bench.audit.decisions == [("deny", reason)]
    assert waiting.entered == ["in", "out"]
    assert bench.approver.abandoned == [REQUEST]


def test_refused_addresses_are_recorded_and_cancel_but_are_not_told_to_the_client() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    vetted = FakeVetted(passed=(), refused=(("10.0.0.1", AddressClass.PRIVATE),))
    decision = bench.gate().refuse_addresses(REQUEST, vetted)
    assert decision.reason is Reason.NOT_ALLOWED_LOCAL
    (event,) = bench.audit.of(DialRefused)
    assert (event.connection_id, event.addresses) == ("c-1", ("10.0.0.1 (private)",))
    ((_, cause),) = bench.token.causes
    assert cause.hint == "--allow-private 10.0.0.1"
    assert decision.hint is None
    assert "10.0.0.1" not in decision.message


def test_what_never_became_a_request_is_recorded() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    stray = Stray(
        connection_id=ConnectionId("c-2"), client_address="unknown", protocol=Protocol.HTTP
    )
    decision = bench.gate().refuse_malformed(stray, "bare LF")
    assert (decision.allowed, decision.message) == (False, "bare LF")
    (event,) = bench.audit.of(PolicyDecision)
    assert (event.scope, event.reason, event.server_address, event.server_port) == (
        "non_domain", "invalid_destination", "unknown", 0,
    )  # fmt: skip
    assert not bench.token.is_cancelled


def interrupted(bench: Bench, then: Verdict) -> Decision:
    """A question that a new policy has answered before any reviewer did."""

    async def inside() -> Decision:
        waiting = Waiting(ends=True)
        asked = asyncio.create_task(bench.gate().admit(REQUEST, waiting=lambda: waiting))
        await asyncio.sleep(0)
        bench.policy.default = judgement(then)
        asked.cancel()
        return await asked

    return asyncio.run(inside())


def test_a_question_that_a_new_policy_answers_with_no_is_one_refusal_that_cancels_nothing() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ASK))
    decision = interrupted(bench, Verdict.DENY)
    assert (decision.allowed, decision.reason) == (False, Reason.DENIED_BY_RULE)
    assert decision.message == "the policy changed: a test said so"
    assert bench.audit.decisions == [("deny", "denied_by_rule")]
    assert not bench.token.is_cancelled


def test_a_question_that_a_new_policy_answers_with_yes_is_one_yes_of_the_rules() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ASK))
    assert not bench.gate().allows(REQUEST)
    decision = interrupted(bench, Verdict.ALLOW)
    assert bench.gate().allows(REQUEST)
    assert (decision.allowed, decision.override) == (True, False)
    assert bench.audit.decisions == [("allow", "allowed_by_rule")]


def test_a_policy_that_changed_back_meanwhile_still_refuses() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    decision = bench.gate().overrule(REQUEST)
    assert (decision.allowed, decision.reason) == (False, Reason.NOT_ALLOWED)
    assert bench.audit.decisions == [("deny", "not_allowed")]


def test_a_reviewer_is_shown_what_a_denial_does_now() -> None:
    shown: list[OnDenial | None] = []

    class Approver(FakeApprover):
        async def ask(self, request: Request, judgement: Judgement) -> Answer:
            shown.append(judgement.on_denial)
            return answer(Reason.APPROVED)

    bench = Bench(policy=FakePolicy(Verdict.ASK, on_denial=OnDenial.BLOCK), approver=Approver())
    bench.admit()
    bench.policy.default = judgement(Verdict.ASK, on_denial=OnDenial.CANCEL)
    bench.admit()
    assert shown == [OnDenial.BLOCK, OnDenial.CANCEL]


@pytest.mark.parametrize(
    ("verdict", "asked", "goes_on"),
    [
        (Verdict.ALLOW, False, True),
        (Verdict.ALLOW, True, True),
        (Verdict.ASK, False, False),
        (Verdict.ASK, True, True),
        (Verdict.DENY, False, False),
        (Verdict.DENY, True, False),
    ],
)
def test_what_a_reviewer_allowed_stays_where_a_policy_only_asks(
    verdict: Verdict, asked: bool, goes_on: bool
) -> None:
    bench = Bench(policy=FakePolicy(verdict))
    assert bench.gate().still_allows(REQUEST, asked=asked) is goes_on
    assert bench.audit.events == []


def test_an_overruled_request_gets_a_second_decision_with_the_same_id() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    gate = bench.gate()
    assert asyncio.run(gate.admit(REQUEST)).allowed
    bench.policy.default = judgement(Verdict.DENY)
    decision = gate.overrule(REQUEST)
    assert (decision.allowed, decision.cancels) == (False, False)
    assert bench.audit.decisions == [("allow", "allowed_by_rule"), ("deny", "denied_by_rule")]
    assert {event.connection_id for event in bench.audit.of(PolicyDecision)} == {"c-1"}
    assert not bench.token.is_cancelled


def test_addresses_that_a_new_policy_refuses_cancel_nothing() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    vetted = FakeVetted(passed=(), refused=(("10.0.0.1", AddressClass.PRIVATE),))
    decision = bench.gate().refuse_addresses(REQUEST, vetted, policy_changed=True)
    assert decision.reason is Reason.NOT_ALLOWED_LOCAL
    assert len(bench.audit.of(DialRefused)) == 1
    assert not bench.token.is_cancelled


def asking(name: bytes) -> Hello:
    return Hello(server_names=(name,), alpn=(), has_ech=False, is_whole=True)


@pytest.mark.parametrize("journal_broken", [False, True])
def test_tls_for_another_name_is_a_second_decision_that_cancels(journal_broken: bool) -> None:
    bench = Bench(
        policy=FakePolicy(Verdict.ALLOW), audit=FakeAudit(refuses=lambda _: journal_broken)
    )
    decision = bench.gate().refuse_hello(REQUEST, asking(b"b.test"))
    assert decision is not None
    assert (decision.allowed, decision.reason) == (False, Reason.SNI_MISMATCH)
    assert bench.audit.decisions == ([] if journal_broken else [("deny", "sni_mismatch")])
    assert bench.token.is_cancelled


@pytest.mark.parametrize(("run", "rule"), [("block", None), ("cancel", "block")])
def test_it_cancels_nothing_where_that_was_said(run: str, rule: str | None) -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW, on_denial=OnDenial(run)))
    chosen = OnDenial(rule) if rule else None
    bench.policy.default = judgement(Verdict.ALLOW, on_denial=chosen)
    assert bench.gate().refuse_hello(REQUEST, asking(b"b.test")) is not None
    assert not bench.token.is_cancelled


def test_the_right_name_or_a_policy_that_only_records_is_no_refusal() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    assert bench.gate().refuse_hello(REQUEST, asking(b"A.test.")) is None
    bench.policy.sni = Sni.RECORD
    assert bench.gate().refuse_hello(REQUEST, asking(b"b.test")) is None
    assert bench.audit.events == []


def test_a_plain_request_for_another_host_is_a_second_decision_that_cancels() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    own = Asked((REQUEST.destination.host.encode(),), is_whole=True)
    assert bench.gate().refuse_asked(REQUEST, own) is None
    decision = bench.gate().refuse_asked(REQUEST, Asked((b"b.test",), is_whole=True))
    assert decision is not None
    assert (decision.allowed, decision.reason) == (False, Reason.HOST_MISMATCH)
    assert bench.token.is_cancelled


def test_a_yes_of_the_rules_is_worded_once_and_a_new_judgement_anew() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    gate = bench.gate()
    first = asyncio.run(gate.admit(REQUEST))
    assert asyncio.run(gate.admit(REQUEST)) is first
    bench.policy.default = replace(judgement(Verdict.ALLOW), rule="another")
    assert asyncio.run(gate.admit(REQUEST)).rule == "another"


def test_what_a_session_remembers_is_looked_up_each_time() -> None:
    policy = FakePolicy(Verdict.ALLOW)
    policy.default = judgement(Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE)
    bench = Bench(policy=policy)
    gate = bench.gate()
    seen = []
    for approval in ("a-1", "a-2"):
        bench.cache.grants[WHERE] = ApprovalId(approval)
        seen.append(asyncio.run(gate.admit(REQUEST)).approval_id)
    assert seen == ["a-1", "a-2"]


def test_worded_yeses_are_bounded() -> None:
    """Only the bound is left of a thousand destinations, and each still has its own answer."""
    policy = FakePolicy(Verdict.ALLOW)
    bench = Bench(policy=policy)
    gate = bench.gate()
    for number in range(1000):
        policy.default = replace(judgement(Verdict.ALLOW), rule=str(number))
        assert asyncio.run(gate.admit(REQUEST)).rule == str(number)
    assert len(gate._yeses) <= 256


class SlowAudit(FakeAudit):
    """Has taken the event, and does not say so."""

    async def written(self, event: Event) -> None:
        self.record(event)
        await asyncio.Event().wait()


def test_a_yes_that_is_given_up_while_it_is_written_has_an_end_on_record() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW), audit=SlowAudit())

    async def main() -> None:
        admitting = asyncio.create_task(bench.gate().admit(REQUEST))
        await asyncio.sleep(0)
        admitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await admitting

    asyncio.run(main())
    decision, end = bench.audit.events
    assert isinstance(decision, PolicyDecision)
    assert isinstance(end, ConnectionFailed)
    assert (end.connection_id, end.error_type) == (decision.connection_id, "abandoned")


def test_what_was_opened_off_the_record_is_refused_and_cancels_nothing() -> None:
    bench = Bench(policy=FakePolicy(Verdict.ALLOW))
    decision = bench.gate().refuse_unrecorded(REQUEST)
    assert (decision.allowed, decision.reason) == (False, Reason.AUDIT_UNAVAILABLE)
    assert not decision.cancels
