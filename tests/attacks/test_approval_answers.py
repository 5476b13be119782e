"""A command, or a reviewer who may not, tries to get more out of an answer than was given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.config import Config
from approvals.errors import InvalidAnswer
from approvals.model import Answer, Asking, Budget, Ending, Key, Outcome, Scope, Verdict
from tests.support.approvals import ASKING, KEY, Scripted, Silent, answer, service
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from approvals.service import ApprovalService

HOSTS = ("pypi.org", "pypi.org.", "PYPI.org", "pypi.org\0", "xpypi.org", "org", "p\u0443pi.org")
KEYS = st.builds(
    Key,
    session=st.sampled_from(["s-1", "s-2", ""]),
    host=st.sampled_from(HOSTS),
    protocol=st.sampled_from(["https", "http", "tcp", ""]),
    port=st.sampled_from([443, 80, 0]),
)


def later(approvals: ApprovalService, asked: Asking = ASKING) -> asyncio.Task[Outcome]:
    return asyncio.get_running_loop().create_task(approvals.ask(asked))


@given(st.sampled_from([Scope.RUN, Scope.TIME, Scope.SESSION]), KEYS, st.sampled_from(["r-1", "r"]))
def test_no_other_destination_session_or_run_gets_through_on_a_grant(
    scope: Scope, other: Key, run: str
) -> None:
    async def main() -> None:
        yes = replace(answer(scope=scope), seconds=60.0 if scope is Scope.TIME else None)
        async with service(Scripted(lambda _: yes, after=0.0)) as approvals:
            await approvals.ask(ASKING)
            same = other == KEY and (scope is not Scope.RUN or run == "r-1")
            assert (approvals.grant(other, run) is not None) is same

    run_virtual(main())


def test_a_request_that_comes_while_the_key_is_pressed_is_not_let_through_with_it() -> None:
    """A hundred join behind the one that the reviewer saw."""

    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals:
            seen = later(approvals)
            await asyncio.sleep(1)
            said = answer(seen=reviewer.inquiries[0].joined)
            behind = [later(approvals) for _ in range(100)]
            await asyncio.sleep(0)
            await approvals.decide(reviewer.inquiries[0].question.approval_id, said)
            await asyncio.sleep(1)
            assert (await seen).ending is Ending.APPROVED
            assert not any(each.done() for each in behind)
            for each in behind:
                each.cancel()

    run_virtual(main())


@pytest.mark.parametrize("scope", [Scope.RUN, Scope.TIME, Scope.SESSION, Scope.ALWAYS])
def test_no_way_of_answering_goes_past_what_an_administrator_permits(scope: Scope) -> None:
    async def main() -> None:
        reviewer = Silent()
        narrow = Config(widest_scope=Scope.ONCE, grant_seconds=60.0)
        async with service(reviewer, config=narrow) as approvals:
            held = later(approvals)
            await asyncio.sleep(1)
            wide = replace(answer(scope=scope), seconds=3600.0 if scope is Scope.TIME else None)
            approval_id = reviewer.inquiries[0].question.approval_id
            with pytest.raises(InvalidAnswer):
                await approvals.decide(approval_id, wide)
            (result,) = (await approvals.decide_all({approval_id: wide})).values()
            assert isinstance(result, InvalidAnswer)
            assert not held.done()
            assert approvals.grants() == ()
            held.cancel()

    run_virtual(main())


def test_an_answer_to_what_another_page_showed_lets_nothing_through() -> None:
    """The digest of one question can't be used for another, nor for the same host once more."""

    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals:
            waits = [later(approvals), later(approvals, replace(ASKING, key=replace(KEY, port=80)))]
            await asyncio.sleep(1)
            shown, asked = (each.question for each in reviewer.inquiries)
            stale = replace(answer(), seen_version=1, seen_digest=shown.digest)
            with pytest.raises(InvalidAnswer):
                await approvals.decide(asked.approval_id, stale)
            assert not any(each.done() for each in waits)
            for each in waits:
                each.cancel()

    run_virtual(main())


def test_many_at_once_get_no_more_out_of_a_budget() -> None:
    async def main() -> None:
        yes = replace(answer(scope=Scope.SESSION, seen=50), budget=Budget(connections=10))
        reviewer = Silent()
        async with service(reviewer) as approvals:
            waits = [later(approvals) for _ in range(50)]
            await asyncio.sleep(1)
            await approvals.decide(reviewer.inquiries[0].question.approval_id, yes)
            waits += [later(approvals) for _ in range(50)]
            await asyncio.sleep(1)
            assert sum(each.done() for each in waits) == 10
            for each in waits:
                each.cancel()

    run_virtual(main())


def test_a_command_that_makes_up_names_leaves_other_sessions_alone() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer, config=Config(max_new=100)) as approvals:
            made_up = [replace(KEY, host=f"x{number}.example") for number in range(1000)]
            storm = [later(approvals, replace(ASKING, key=key)) for key in made_up]
            await asyncio.sleep(1)
            assert len(reviewer.inquiries) == Config().max_pending
            quiet = later(approvals, replace(ASKING, key=replace(KEY, session="s-2")))
            await asyncio.sleep(1)
            assert not quiet.done()
            assert reviewer.inquiries[-1].question.key.session == "s-2"
            for each in (*storm, quiet):
                each.cancel()

    run_virtual(main())


def test_nothing_that_is_not_an_answer_is_taken_for_a_yes() -> None:
    class Forged(Answer):
        verdict = "allow"  # type: ignore[assignment]  # a word is not a verdict

    async def main() -> None:
        forged = object.__new__(Forged)
        async with service(Scripted(lambda _: forged)) as approvals:
            assert (await approvals.ask(ASKING)).ending is Ending.UNAVAILABLE
        for wrong in (True, "allow", Verdict.ALLOW, None):
            async with service(Scripted(lambda _, said=wrong: said)) as approvals:  # type: ignore[misc]  # on purpose
                assert (await approvals.ask(ASKING)).ending is Ending.UNAVAILABLE

    run_virtual(main())
