"""One timer for one limit: who is late is called, in time and once, and nobody else is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netproxy.transport.deadline import Deadline
from tests.support.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def run(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario())


def test_each_is_called_when_its_own_time_is_over() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        late: list[tuple[str, float]] = []
        deadline = Deadline(loop, 10.0)
        deadline.begin("a", lambda: late.append(("a", loop.time())))
        await asyncio.sleep(4)
        deadline.begin("b", lambda: late.append(("b", loop.time())))
        await asyncio.sleep(1)
        deadline.begin("c", lambda: late.append(("c", loop.time())))
        await asyncio.sleep(30)
        assert late == [("a", 10.0), ("b", 14.0), ("c", 15.0)]

    run(scenario)


def test_who_is_done_is_not_called_and_may_begin_again() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        late: list[float] = []
        deadline = Deadline(loop, 10.0)
        deadline.begin("a", lambda: late.append(-1))
        deadline.end("a")
        deadline.end("a")
        await asyncio.sleep(3)
        deadline.begin("a", lambda: late.append(loop.time()))
        await asyncio.sleep(30)
        assert late == [13.0]

    run(scenario)


def test_who_begins_once_more_keeps_its_time() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        late: list[tuple[str, float]] = []
        deadline = Deadline(loop, 10.0)
        deadline.begin("a", lambda: late.append(("first", loop.time())))
        await asyncio.sleep(4)
        deadline.begin("b", lambda: late.append(("b", loop.time())))
        deadline.begin("a", lambda: late.append(("a", loop.time())))
        await asyncio.sleep(30)
        assert late == [("a", 10.0), ("b", 14.0)]

    run(scenario)


def test_whoever_is_called_may_end_another_that_is_as_late() -> None:
    async def scenario() -> None:
        late: list[str] = []
        deadline = Deadline(asyncio.get_running_loop(), 10.0)

        def first() -> None:
            late.append("a")
            deadline.end("b")

        deadline.begin("a", first)
        deadline.begin("b", lambda: late.append("b"))
        await asyncio.sleep(30)
        assert late == ["a"]

    run(scenario)


def test_a_closed_one_calls_nobody() -> None:
    async def scenario() -> None:
        late: list[str] = []
        deadline = Deadline(asyncio.get_running_loop(), 10.0)
        deadline.close()
        deadline.begin("a", lambda: late.append("a"))
        deadline.close()
        await asyncio.sleep(30)
        assert late == []

    run(scenario)


def test_thousands_share_one_timer() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        deadline = Deadline(loop, 10.0)
        for number in range(5000):
            deadline.begin(number, lambda: None)
            deadline.end(number)
        assert len(loop._scheduled) == 1  # type: ignore[attr-defined]  # what the loop has to do

    run(scenario)
