from __future__ import annotations

from approvals.model import Ending, Outcome
from approvals.waiters import Waiters
from tests.support.virtual_time import run_virtual

YES = Outcome(ending=Ending.APPROVED, approval_id="a-1", answer=None, explanation="yes")


def test_a_number_is_never_used_twice_and_who_is_not_covered_asks_again() -> None:
    async def main() -> None:
        waiters = Waiters()
        first, second, third = (waiters.join("r-1") for _ in range(3))
        waiters.leave(second[0])
        fourth = waiters.join("r-1")
        assert [number for number, _ in (first, second, third, fourth)] == [1, 2, 3, 4]
        assert (len(waiters), waiters.joined) == (3, 4)
        waiters.release(waiters.covered(up_to=3), YES)
        assert (first[1].result(), third[1].result()) == (YES, YES)
        assert fourth[1].result() is None
        assert not second[1].done()
        assert len(waiters) == 0
        assert waiters.covered() == frozenset()

    run_virtual(main())


def test_an_answer_covers_the_first_the_run_or_so_many() -> None:
    async def main() -> None:
        waiters = Waiters()
        for run in ("r-1", "r-2", "r-1", "r-2"):
            waiters.join(run)
        assert waiters.covered() == {1, 2, 3, 4}
        assert waiters.covered(up_to=2) == {1, 2}
        assert waiters.covered(run="r-2") == {2, 4}
        assert waiters.covered(most=3) == {1, 2, 3}
        assert waiters.covered(run="r-2", most=1) == {2}

    run_virtual(main())


def test_a_waiter_that_was_given_up_is_left_alone() -> None:
    async def main() -> None:
        waiters = Waiters()
        _, waiter = waiters.join("r-1")
        waiter.cancel()
        waiters.release(waiters.covered(), YES)
        assert waiter.cancelled()

    run_virtual(main())


def test_a_question_is_a_runs_alone_when_no_other_asked_and_nobody_waits() -> None:
    async def main() -> None:
        waiters = Waiters()
        number, _ = waiters.join("r-1")
        assert not waiters.were_of("r-1")
        waiters.leave(number)
        assert waiters.were_of("r-1")
        waiters.leave(waiters.join("r-2")[0])
        assert not waiters.were_of("r-1")

    run_virtual(main())


def test_the_last_run_to_end_is_told_apart() -> None:
    async def main() -> None:
        waiters = Waiters()
        waiters.join("r-1")
        waiters.join("r-2")
        assert not waiters.end_run("r-3")
        assert not waiters.end_run("r-1")
        assert waiters.end_run("r-2")
        assert not waiters.end_run("r-2")

    run_virtual(main())
