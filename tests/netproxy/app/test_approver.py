"""The adapter between the proxy's ports and the approval service."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals import Answer as ReviewerAnswer
from approvals import Config, Scope, Verdict
from approvals.model import Budget, GrantEnd
from netproxy.app.approval_settings import ApprovalSettings
from netproxy.app.approver import Asker, ServiceApprover, holds
from netproxy.model import (
    ApprovalId,
    ConnectionId,
    Destination,
    Judgement,
    OnDenial,
    Protocol,
    Reason,
    Request,
    Source,
)
from netproxy.model import Verdict as PolicyVerdict
from tests.support.approvals import Absent, ListSink, Scripted, Silent, answer, service
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from approvals import ApprovalService, Question
    from approvals.ports import Inquiry, Reviewer
    from netproxy.ports import Answer, Approver, SessionCache

WHERE = Destination(host="pypi.org", port=443, protocol=Protocol.HTTPS)

NOBODY_ANSWERED = (
    "https://pypi.org:443 was not allowed: nobody answered within 120 s; a yes within the next "
    "13 min serves another try."
)


def request(where: Destination = WHERE) -> Request:
    return Request(
        destination=where,
        method="CONNECT",
        connection_id=ConnectionId("c-1"),
        client_address="127.0.0.1:40000",
    )


def judgement(on_denial: OnDenial | None = None) -> Judgement:
    return Judgement(
        verdict=PolicyVerdict.ASK,
        source=Source.BASELINE_POLICY,
        reason=Reason.NOT_ALLOWED,
        explanation="no rule matches pypi.org:443",
        rule=None,
        hint="--allow https://pypi.org:443",
        on_denial=on_denial,
    )


def approver(running: ApprovalService, on_denial: OnDenial = OnDenial.CANCEL) -> ServiceApprover:
    return ServiceApprover(
        running,
        Asker(
            session="s-1",
            run="r-1",
            command="pip install requests",
            directory="/home/anna",
            on_denial=on_denial,
        ),
    )


def asked(*reviewers: Reviewer, sink: ListSink | None = None, times: int = 1) -> Answer:
    """The last of several answers to the same request."""

    async def main() -> Answer:
        async with service(*reviewers, sink=sink) as running:
            port: Approver = approver(running)
            answers = [await port.ask(request(), judgement()) for _ in range(times)]
        return answers[-1]

    return run_virtual(main())


def says(verdict: Verdict, scope: Scope = Scope.ONCE, *, cancel: bool = False) -> Scripted:
    return Scripted(lambda inquiry: answer(verdict, scope, seen=inquiry.joined, cancel=cancel))


@pytest.mark.parametrize(
    ("reviewer", "times", "allowed", "source", "reason", "cancel", "message"),
    [
        (
            says(Verdict.ALLOW), 1, True, Source.REVIEWER, Reason.APPROVED, None,
            "https://pypi.org:443 was allowed by anna (fake).",
        ),
        (
            says(Verdict.ALLOW, Scope.SESSION), 2, True,
            Source.SESSION_CACHE, Reason.ALLOWED_BY_GRANT, None,
            "https://pypi.org:443 was allowed for this session by anna (fake).",
        ),
        (
            says(Verdict.DENY, cancel=True), 1, False,
            Source.REVIEWER, Reason.DENIED_BY_REVIEWER, True,
            "https://pypi.org:443 was denied by anna (fake).",
        ),
        (
            says(Verdict.DENY, cancel=False), 1, False,
            Source.REVIEWER, Reason.DENIED_BY_REVIEWER, False,
            "https://pypi.org:443 was denied by anna (fake).",
        ),
        (
            says(Verdict.DENY, Scope.SESSION, cancel=False), 2, False,
            Source.SESSION_CACHE, Reason.DENIED_BY_SESSION, False,
            "https://pypi.org:443 was denied for this session by anna (fake).",
        ),
        (
            Silent(), 1, False, Source.DECIDER, Reason.APPROVAL_TIMEOUT, None,
            NOBODY_ANSWERED,
        ),
        (
            Absent(), 1, False, Source.DECIDER, Reason.APPROVAL_UNAVAILABLE, None,
            "https://pypi.org:443 was not allowed: no terminal.",
        ),
    ],
    ids=[
        "once", "session", "deny", "deny, continue", "deny session, continue", "timeout", "absent",
    ],
)  # fmt: skip
def test_every_ending_has_its_words(
    *,
    reviewer: Reviewer,
    times: int,
    allowed: bool,
    source: Source,
    reason: Reason,
    cancel: bool | None,
    message: str,
) -> None:
    got = asked(reviewer, times=times)
    assert (got.allowed, got.source, got.reason) == (allowed, source, reason)
    assert (got.cancel, got.message) == (cancel, message)
    assert got.approval_id is not None
    assert (got.retry_after_seconds is not None) is (reason is Reason.APPROVAL_TIMEOUT)


def test_a_yes_that_can_not_be_recorded_is_a_no_of_the_audit() -> None:
    got = asked(says(Verdict.ALLOW), sink=ListSink("netproxy.approval.reviewed"))
    assert (got.allowed, got.source) == (False, Source.PROXY_STATE)
    assert (got.reason, got.cancel) == (Reason.AUDIT_UNAVAILABLE, None)
    assert got.message == (
        "https://pypi.org:443 was not allowed: the answer could not be recorded."
    )


def test_without_any_reviewer_there_is_no_question() -> None:
    got = asked()
    assert (got.reason, got.approval_id) == (Reason.APPROVAL_UNAVAILABLE, None)


def test_a_comment_and_a_reviewer_can_not_break_the_sentence() -> None:
    hostile = Scripted(
        lambda _: ReviewerAnswer(
            verdict=Verdict.DENY,
            scope=Scope.ONCE,
            cancel=True,
            reviewer="an\rna",
            channel="web",
            seen_join_no=1,
            comment="no\r\nSet-Cookie: x",
        )
    )
    message = asked(hostile).message
    assert message.isprintable()
    assert "Set-Cookie" in message


def question_of(where: Destination, on_denial: OnDenial, rule: OnDenial | None) -> Question:
    async def main() -> Question:
        reviewer = Silent()
        async with service(reviewer, config=Config(hold_seconds=1)) as running:
            await approver(running, on_denial).ask(request(where), judgement(rule))
        return reviewer.inquiries[0].question

    return run_virtual(main())


def test_the_reviewer_sees_what_the_run_knows() -> None:
    shown = question_of(WHERE, OnDenial.CANCEL, None).asking
    assert (shown.key.session, shown.key.host, shown.key.port) == ("s-1", "pypi.org", 443)
    assert (shown.key.protocol, shown.run) == ("https", "r-1")
    assert (shown.command, shown.directory) == ("pip install requests", "/home/anna")
    assert shown.explanation == "no rule matches pypi.org:443"
    assert shown.hint == "--allow https://pypi.org:443"
    assert shown.unicode_host is None


def test_an_international_name_is_shown_as_its_owner_writes_it() -> None:
    where = Destination(host="xn--mnchen-3ya.de", port=80, protocol=Protocol.HTTP)
    assert question_of(where, OnDenial.CANCEL, None).asking.unicode_host == "münchen.de"


@pytest.mark.parametrize(
    ("protocol", "seconds"),
    [
        (Protocol.HTTP, 20),
        (Protocol.HTTPS, 20),
        (Protocol.SOCKS5_TCP, 10),
        (Protocol.SOCKS5_UDP, 10),
        (Protocol.TCP, None),
    ],
)
def test_how_long_it_is_held_follows_from_what_the_client_spoke(
    protocol: Protocol, seconds: float | None
) -> None:
    settings = ApprovalSettings(hold_seconds_http=20, hold_seconds_socks=10)
    assert holds(settings).get(protocol) == seconds


def test_a_question_belongs_to_the_owner_of_its_host() -> None:
    where = Destination(host="a.b.example.co.uk", port=443, protocol=Protocol.HTTPS)
    assert question_of(where, OnDenial.CANCEL, None).asking.group == "example.co.uk"
    literal = Destination(host="192.0.2.7", port=443, protocol=Protocol.HTTPS)
    assert question_of(literal, OnDenial.CANCEL, None).asking.group == "192.0.2.7"


@pytest.mark.parametrize(
    ("run", "rule", "stops"),
    [
        (OnDenial.CANCEL, None, True),
        (OnDenial.BLOCK, None, False),
        (OnDenial.CANCEL, OnDenial.BLOCK, False),
        (OnDenial.BLOCK, OnDenial.CANCEL, True),
    ],
)
def test_the_reviewer_is_told_what_a_denial_does(
    run: OnDenial, rule: OnDenial | None, stops: bool
) -> None:
    assert question_of(WHERE, run, rule).asking.stops_on_denial is stops


def test_the_cache_knows_what_the_session_was_told_about_exactly_this_destination() -> None:
    async def main() -> None:
        def reply(inquiry: Inquiry) -> ReviewerAnswer:
            denied = inquiry.question.key.port == 80
            verdict = Verdict.DENY if denied else Verdict.ALLOW
            return answer(verdict, Scope.SESSION, cancel=True)

        plain = Destination(host="pypi.org", port=80, protocol=Protocol.HTTP)
        async with service(Scripted(reply)) as running:
            port = approver(running)
            cache: SessionCache = port
            assert cache.grant(WHERE) is None
            allowed, denied = await asyncio.gather(
                port.ask(request(), judgement()), port.ask(request(plain), judgement())
            )
            assert (cache.grant(WHERE), cache.denial(WHERE)) == (allowed.approval_id, None)
            assert (cache.grant(plain), cache.denial(plain)) == (None, denied.approval_id)
            other = Destination(host="pypi.org", port=444, protocol=Protocol.HTTPS)
            assert (cache.grant(other), cache.denial(other)) == (None, None)

    run_virtual(main())


def test_a_session_denial_that_lets_the_command_continue_does_not_stop_it_later() -> None:
    """The policy's own session denial would cancel; so it isn't offered, and `ask` says no."""

    async def main() -> None:
        async with service(says(Verdict.DENY, Scope.SESSION, cancel=False)) as running:
            port = approver(running)
            await port.ask(request(), judgement())
            assert port.denial(WHERE) is None
            again = await port.ask(request(), judgement())
            assert (again.reason, again.cancel) == (Reason.DENIED_BY_SESSION, False)

    run_virtual(main())


def test_nobody_is_asked_while_the_audit_disk_is_almost_full() -> None:
    async def main() -> Answer:
        async with service(says(Verdict.ALLOW)) as running:
            asker = Asker(
                session="s-1",
                run="r-1",
                command="true",
                directory="/",
                on_denial=OnDenial.CANCEL,
            )
            full = ServiceApprover(running, asker, is_almost_full=lambda: True)
            return await full.ask(request(), judgement())

    found = run_virtual(main())
    assert not found.allowed
    assert (found.source, found.reason) == (Source.PROXY_STATE, Reason.APPROVAL_UNAVAILABLE)
    assert "the audit disk is almost full" in found.message


def remembered(**more: object) -> Scripted:
    """Says yes for the session, with a budget or for a time."""
    return Scripted(
        lambda inquiry: replace(
            answer(Verdict.ALLOW, Scope.SESSION, seen=inquiry.joined),
            **more,  # type: ignore[arg-type]  # fields of an answer
        )
    )


class TestLedger:
    """What a remembered yes is used for, and when it lets nobody through any more."""

    def test_connections_are_counted_as_they_are_let_through(self) -> None:
        async def main() -> None:
            async with service(remembered(budget=Budget(connections=3))) as running:
                port = approver(running)
                first = await port.ask(request(), judgement())
                assert first.approval_id is not None
                assert port.grant(WHERE) == first.approval_id
                assert port.grant(WHERE) == first.approval_id, "looking counts nothing"
                assert port.take(first.approval_id)
                assert port.take(first.approval_id)
                assert port.grant(WHERE) is None
                assert not port.take(first.approval_id)

        run_virtual(main())

    def test_without_a_budget_nothing_is_counted(self) -> None:
        async def main() -> None:
            async with service(remembered()) as running:
                port = approver(running)
                first = await port.ask(request(), judgement())
                assert first.approval_id is not None
                before = running.grants()
                for _ in range(5):
                    assert port.take(first.approval_id)
                assert running.grants() == before
                assert not port.is_metered(first.approval_id)

        run_virtual(main())

    def test_bytes_are_metered_from_the_first_connection_on(self) -> None:
        async def main() -> None:
            ended: list[GrantEnd] = []
            async with service(remembered(budget=Budget(bytes=100))) as running:
                running.on_ended("s-1", lambda _, end: ended.append(end))
                port = approver(running)
                first = await port.ask(request(), judgement())
                assert first.approval_id is not None
                assert port.is_metered(first.approval_id)
                port.spend(first.approval_id, 99)
                assert (ended, port.grant(WHERE)) == ([], first.approval_id)
                port.spend(first.approval_id, 1)
                assert (ended, port.grant(WHERE)) == ([GrantEnd.USED_UP], None)

        run_virtual(main())

    def test_what_ended_lets_nobody_through_whose_yes_is_being_written(self) -> None:
        async def main() -> None:
            async with service(remembered()) as running:
                port = approver(running)
                gone = ApprovalId("a-1")
                assert not port.has_ended(gone)
                port.note_end(gone)
                assert port.has_ended(gone)
                for number in range(1024):
                    port.note_end(ApprovalId(f"a-x{number}"))
                assert not port.has_ended(gone), "it is forgotten when nothing can wait for it"

        run_virtual(main())


@pytest.mark.parametrize("writes", [True, False])
def test_always_is_offered_where_it_can_be_kept(writes: bool) -> None:
    async def main() -> bool:
        reviewer = Silent()
        async with service(reviewer, config=Config(hold_seconds=1)) as running:
            asker = Asker(
                session="s-1",
                run="r-1",
                command="true",
                directory="/",
                on_denial=OnDenial.BLOCK,
                rule_file="/own.toml",
            )
            port = ServiceApprover(running, asker, writes_rules=lambda: writes)
            await port.ask(request(), judgement())
        asking = reviewer.inquiries[0].question.asking
        assert asking.rule_file == "/own.toml"
        return asking.rule_possible

    assert run_virtual(main()) is writes
