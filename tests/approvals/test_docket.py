from __future__ import annotations

from dataclasses import replace

from approvals.model import Ending, Status
from tests.approvals.test_hearing import QUESTION, Bench
from tests.support.virtual_time import run_virtual


def test_a_question_is_found_by_key_id_and_run_until_it_is_closed() -> None:
    async def main() -> None:
        bench = Bench()
        docket, hearing = bench.docket, bench.hearing
        hearing.waiters.join("r-1")
        docket.asked_by(hearing, "r-1")
        assert docket.of_key(QUESTION.key) is docket.of_id("a-1") is hearing
        assert docket.every() == (hearing,)
        assert len(docket) == 1
        hearing._finish(Status.WITHDRAWN, Ending.WITHDRAWN, "over")
        assert docket.of_key(QUESTION.key) is docket.of_id("a-1") is None
        assert (docket.every(), docket.take_run("r-1"), len(docket)) == ((), (), 0)
        assert docket.resolution("a-1") is hearing.resolution

    run_virtual(main())


def test_closing_leaves_a_newer_question_with_the_same_key_alone() -> None:
    async def main() -> None:
        bench = Bench()
        newer = bench.of(replace(QUESTION, approval_id="a-2"))
        bench.hearing._finish(Status.WITHDRAWN, Ending.WITHDRAWN, "over")
        assert bench.docket.of_key(QUESTION.key) is newer

    run_virtual(main())


def test_a_run_is_taken_once_and_an_old_resolution_forgotten() -> None:
    async def main() -> None:
        bench = Bench()
        bench.docket.asked_by(bench.hearing, "r-1")
        assert bench.docket.take_run("r-1") == (bench.hearing,)
        assert bench.docket.take_run("r-1") == ()
        for number in range(1, 10):
            hearing = bench.of(replace(QUESTION, approval_id=f"a-{number}"))
            hearing._finish(Status.WITHDRAWN, Ending.WITHDRAWN, "over")
        assert bench.docket.resolution("a-1") is None
        assert bench.docket.resolution("a-2") is not None

    run_virtual(main())
