"""The terminal reviewer on a real pseudo-terminal, typed on by the test."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import uvloop

from approvals.clock import SystemClock
from approvals.config import TerminalConfig
from approvals.errors import ReviewerUnavailable
from approvals.model import Answer, Resolution, Scope, Status, Verdict
from approvals.reviewers.terminal import TerminalReviewer
from tests.support.approvals import ASKING, KEY
from tests.support.loops import PATIENCE_SECONDS, until
from tests.support.store_contract import Hands
from tests.support.terminals import HeldInquiry, NotedScreen, Window, window

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from approvals.ports import Clock, Screen

FAST = TerminalConfig(deaf_seconds=0.03, quiet_seconds=0.01, tick_seconds=0.02, poll_seconds=0.01)


def reviewer(
    terminal: Window,
    *,
    screen: Screen | None = None,
    clock: Clock | None = None,
    config: TerminalConfig = FAST,
    in_foreground: Callable[[int], bool] = lambda _: True,
) -> TerminalReviewer:
    return TerminalReviewer(
        reviewer="anna",
        screen=screen or NotedScreen(),
        clock=clock or SystemClock(),
        config=config,
        environment={"TERM": "xterm", "NO_COLOR": "1"},
        path=terminal.path,
        in_foreground=in_foreground,
    )


class CountedHands(Hands):
    """Counts how often it was looked at."""

    looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.now


async def press(terminal: Window, key: str) -> None:
    """Press one key when the question is on the screen and the deaf time is over."""
    await terminal.sees("left to answer")
    await asyncio.sleep(0.06)
    terminal.type(key)


async def answered(key: str, inquiry: HeldInquiry | None = None) -> Answer:
    with window() as terminal:
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
            review = tasks.create_task(reviewer(terminal).review(inquiry or HeldInquiry()))
            await press(terminal, key)
        return review.result()


@pytest.mark.parametrize(
    ("key", "verdict", "scope", "cancel"),
    [
        ("d", Verdict.DENY, Scope.ONCE, True),
        ("D", Verdict.DENY, Scope.SESSION, True),
        ("c", Verdict.DENY, Scope.ONCE, False),
        ("C", Verdict.DENY, Scope.SESSION, False),
        ("o", Verdict.ALLOW, Scope.ONCE, False),
        ("s", Verdict.ALLOW, Scope.SESSION, False),
        ("h", Verdict.ALLOW, Scope.TIME, False),
        ("\x03", Verdict.DENY, Scope.ONCE, True),
    ],
    ids=["d", "D", "c", "C", "o", "s", "h", "Ctrl-C"],
)
def test_each_key_gives_its_answer(key: str, verdict: Verdict, scope: Scope, cancel: bool) -> None:
    assert asyncio.run(answered(key, HeldInquiry(waiting=2, joined=3))) == Answer(
        verdict=verdict,
        scope=scope,
        cancel=cancel,
        reviewer="anna",
        channel="terminal",
        seen_join_no=3,
        seconds=3600.0 if scope is Scope.TIME else None,
    )


def test_it_works_on_uvloop() -> None:
    assert uvloop.run(answered("o")).verdict is Verdict.ALLOW


def dialogue(
    body: Callable[[Window, HeldInquiry, asyncio.Task[Answer]], Coroutine[object, object, None]],
    *,
    inquiry: HeldInquiry | None = None,
    in_foreground: Callable[[int], bool] = lambda _: True,
) -> None:
    """Run a question beside the test's own steps; modes and screen must come back."""

    async def main() -> None:
        screen, asked = NotedScreen(), inquiry or HeldInquiry()
        with window() as terminal:
            before = terminal.modes()
            who = reviewer(terminal, screen=screen, in_foreground=in_foreground)
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
                review = tasks.create_task(who.review(asked))
                await body(terminal, asked, review)
                review.cancel()
            assert terminal.modes() == before
        assert screen.notes.count("held") == screen.notes.count("released")
        assert asked.accepted

    asyncio.run(main())


def test_the_screen_is_held_while_the_question_stands() -> None:
    async def main() -> None:
        screen = NotedScreen()
        with window() as terminal:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(reviewer(terminal, screen=screen).review(HeldInquiry()))
                await terminal.sees("left to answer")
                assert screen.notes == ["held"]
                await press(terminal, "d")
            assert screen.notes == ["held", "released"]
            assert "netproxy: denied: https://pypi.org:443\r\n" in terminal.look()

    asyncio.run(main())


def test_typed_ahead_keys_and_keys_in_the_deaf_time_answer_nothing() -> None:
    async def main() -> None:
        clock = CountedHands()
        with window() as terminal:
            terminal.type("o\n")
            async with asyncio.TaskGroup() as tasks:
                review = tasks.create_task(reviewer(terminal, clock=clock).review(HeldInquiry()))
                await terminal.sees("left to answer")
                looks = clock.looks
                terminal.type("o")
                await until(lambda: clock.looks > looks)
                assert not review.done()
                clock.now += FAST.deaf_seconds
                terminal.type("d")
            assert review.result().verdict is Verdict.DENY

    asyncio.run(main())


@pytest.mark.parametrize("key", ["\n", "\r", " ", "y", "\x1b", "\x04", "\x1a", "\x1b[A", "oooo"])
def test_every_other_key_gets_help_and_no_answer(key: str) -> None:
    async def body(terminal: Window, _: HeldInquiry, review: asyncio.Task[Answer]) -> None:
        await press(terminal, key)
        await terminal.sees("Press one of d D c C o h s")
        assert not review.done()

    dialogue(body)


def test_details_on_request() -> None:
    async def body(terminal: Window, _: HeldInquiry, review: asyncio.Task[Answer]) -> None:
        await press(terminal, "?")
        await terminal.sees("approval   a-01")
        assert not review.done()

    dialogue(body)


def test_the_answer_carries_the_count_that_was_on_the_screen() -> None:
    async def main() -> None:
        inquiry = HeldInquiry()
        with window() as terminal:
            async with asyncio.TaskGroup() as tasks:
                review = tasks.create_task(reviewer(terminal).review(inquiry))
                await terminal.sees("1 request waits")
                inquiry.waiting, inquiry.joined = 3, 4
                await terminal.sees("3 requests wait")
                await press(terminal, "o")
            assert review.result().seen_join_no == 4

    asyncio.run(main())


def test_a_question_that_ends_elsewhere_says_so_and_gives_the_terminal_back() -> None:
    async def body(terminal: Window, inquiry: HeldInquiry, review: asyncio.Task[Answer]) -> None:
        await terminal.sees("left to answer")
        inquiry.resolution = Resolution(
            approval_id="a-01",
            status=Status.EXPIRED,
            answer=None,
            explanation="nobody answered in time",
        )
        review.cancel()
        await terminal.sees("netproxy: the question expired, nobody answered in time: https://")

    dialogue(body)


def test_questions_are_asked_one_after_the_other() -> None:
    async def main() -> None:
        hosts = ("one.example", "two.example")
        with window() as terminal:
            who = reviewer(terminal)
            async with asyncio.TaskGroup() as tasks:
                reviews = [
                    tasks.create_task(
                        who.review(HeldInquiry(asking=replace(ASKING, key=replace(KEY, host=host))))
                    )
                    for host in hosts
                ]
                await terminal.sees("host       one.example")
                assert "two.example" not in terminal.look()
                await press(terminal, "d")
                await terminal.sees("host       two.example")
                await asyncio.sleep(0.06)
                terminal.type("o")
            verdicts = [review.result().verdict for review in reviews]
            assert verdicts == [Verdict.DENY, Verdict.ALLOW]

    asyncio.run(main())


def test_two_gateways_on_one_terminal_take_turns() -> None:
    """Each has its own descriptors, as two processes have; no key goes to the wrong question."""

    async def main() -> None:
        with window() as terminal:
            async with asyncio.TaskGroup() as tasks:
                one = tasks.create_task(reviewer(terminal).review(HeldInquiry()))
                await terminal.sees("left to answer")
                other_key = replace(KEY, host="other.example")
                other = tasks.create_task(
                    reviewer(terminal).review(HeldInquiry(asking=replace(ASKING, key=other_key)))
                )
                await asyncio.sleep(0.05)
                assert "other.example" not in terminal.look()
                await press(terminal, "d")
                await terminal.sees("host       other.example")
                await asyncio.sleep(0.06)
                terminal.type("s")
            assert one.result().verdict is Verdict.DENY
            assert other.result().scope is Scope.SESSION

    asyncio.run(main())


def test_in_the_background_one_line_is_written_and_nothing_is_read() -> None:
    in_front = [False]

    async def body(terminal: Window, _: HeldInquiry, review: asyncio.Task[Answer]) -> None:
        before = terminal.modes()
        await terminal.sees("a question waits for this job to be in the foreground")
        terminal.type("o")
        await asyncio.sleep(0.05)
        assert terminal.modes() == before
        assert terminal.look().count("a question waits") == 1
        assert "left to answer" not in terminal.text
        in_front[0] = True
        await press(terminal, "d")
        await terminal.sees("netproxy: denied")
        assert (await review).verdict is Verdict.DENY

    dialogue(body, in_foreground=lambda _: in_front[0])


def test_a_job_that_leaves_the_foreground_gives_the_terminal_back_and_asks_again() -> None:
    in_front = [True]

    async def body(terminal: Window, _: HeldInquiry, review: asyncio.Task[Answer]) -> None:
        before = terminal.modes()
        await terminal.sees("left to answer")
        assert terminal.modes() != before or review.done()
        in_front[0] = False
        await terminal.sees("a question waits")
        assert terminal.modes() == before
        in_front[0] = True
        await terminal.sees("netproxy asks", times=2)

    dialogue(body, in_foreground=lambda _: in_front[0])


async def two_in_turn(
    key: str, run: str, config: TerminalConfig, *, patience: float = PATIENCE_SECONDS
) -> bool:
    """Answer the first question with a key; whether the second comes on the screen then."""
    with window() as terminal:
        who = reviewer(terminal, config=config)
        async with asyncio.timeout(3 * PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
            first, second = (
                tasks.create_task(who.review(HeldInquiry(asking=replace(ASKING, run=each))))
                for each in (ASKING.run, run)
            )
            await press(terminal, key)
            await first
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await until(lambda: terminal.look().count("netproxy asks") == 2)
            second.cancel()
        return terminal.look().count("netproxy asks") == 2


def test_what_a_run_that_is_to_stop_asks_as_well_does_not_flash_by() -> None:
    config = replace(FAST, stopping_seconds=300.0)
    assert not asyncio.run(two_in_turn("d", ASKING.run, config, patience=0.2))


@pytest.mark.parametrize(
    ("key", "run", "seconds"),
    [
        pytest.param("d", "r-2", 300.0, id="another run's"),
        pytest.param("c", ASKING.run, 300.0, id="a run that goes on"),
        pytest.param("d", ASKING.run, 0.0, id="a run that did not stop"),
    ],
)
def test_any_other_question_has_its_turn(key: str, run: str, seconds: float) -> None:
    config = replace(FAST, stopping_seconds=seconds)
    assert asyncio.run(two_in_turn(key, run, config))


def test_a_run_that_goes_on_all_the_same_is_held_up_once() -> None:
    """Long after its "stop" its questions are shown as they come."""

    async def main() -> None:
        with window() as terminal:
            who = reviewer(terminal, config=replace(FAST, stopping_seconds=300.0))
            who._stopped = ASKING.run, SystemClock().monotonic() - 301
            review = asyncio.create_task(who.review(HeldInquiry()))
            await terminal.sees("netproxy asks")
            review.cancel()
            await asyncio.wait([review])

    asyncio.run(main())


def test_without_a_terminal_the_reviewer_is_unavailable_and_nothing_is_accepted() -> None:
    async def main() -> None:
        inquiry = HeldInquiry()
        with window() as terminal:
            terminal.path = "/nowhere/tty"
            with pytest.raises(ReviewerUnavailable):
                await reviewer(terminal).review(inquiry)
        assert not inquiry.accepted

    asyncio.run(main())


def test_one_key_shows_the_group_and_the_next_answers_all_of_it() -> None:
    """Another run's question about the same owner, and another owner's, stay."""

    async def main() -> None:
        hosts = ("a.pythonhosted.org", "b.pythonhosted.org", "c.pythonhosted.org")
        keys = (replace(KEY, host=host) for host in hosts)
        group = [HeldInquiry(asking=replace(ASKING, key=key, group="owner")) for key in keys]
        strangers = [HeldInquiry(), HeldInquiry(asking=replace(group[0].asking, run="r-2"))]
        with window() as terminal:
            who = reviewer(terminal)
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
                asked = (group[0], strangers[0], *group[1:], strangers[1])
                reviews = [tasks.create_task(who.review(each)) for each in asked]
                await press(terminal, "g")
                await terminal.sees("YOUR ANSWER IS FOR THESE 2, TOO")
                assert "https://c.pythonhosted.org:443" in terminal.look()
                group[2].joined = 9
                await asyncio.sleep(0.06)
                terminal.type("o")
                done = [reviews[each] for each in (0, 2, 3)]
                await asyncio.wait(done)
                assert "and 2 more of owner" in terminal.look()
                assert not reviews[1].done()
                assert not reviews[4].done()
                # What joined after the list was shown was not seen.
                assert [each.result().seen_join_no for each in done] == [1, 1, 1]
                for each in (reviews[1], reviews[4]):
                    each.cancel()

    asyncio.run(main())


def test_of_a_group_that_nobody_could_read_the_first_are_listed_and_answered() -> None:
    async def main() -> None:
        keys = [replace(KEY, host=f"h{number}.pythonhosted.org") for number in range(25)]
        group = [HeldInquiry(asking=replace(ASKING, key=key, group="owner")) for key in keys]
        with window() as terminal:
            who = reviewer(terminal)
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
                reviews = [tasks.create_task(who.review(each)) for each in group]
                await press(terminal, "g")
                await terminal.sees("and not for 5 more of them that wait")
                assert "YOUR ANSWER IS FOR THESE 19, TOO" in terminal.look()
                assert "https://h19.pythonhosted.org:443" in terminal.look()
                assert "https://h20.pythonhosted.org:443" not in terminal.look()
                terminal.type("o")
                await asyncio.wait(reviews[:20])
                assert "and 19 more of owner" in terminal.look()
                await terminal.sees("4 more of owner wait; g answers all of them together")
                for each in reviews[20:]:
                    assert not each.done()
                    each.cancel()

    asyncio.run(main())
