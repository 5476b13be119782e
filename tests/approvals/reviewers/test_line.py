from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from approvals.model import Asking, Resolution, Status
from approvals.reviewers.line import Line
from tests.support.approvals import ASKING, answer, asking
from tests.support.terminals import HeldInquiry
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from approvals.model import Answer


def held(asked: Asking = ASKING) -> HeldInquiry:
    return HeldInquiry(asking=asked)


def test_one_is_asked_at_a_time_oldest_first() -> None:
    async def main() -> None:
        line, order = Line(), []

        async def stand(name: str) -> None:
            with line.place(held()) as place:
                assert await line.turn(place) is None
                order.append(name)
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as tasks:
            stood = [tasks.create_task(stand(name)) for name in "abcd"]
            await asyncio.sleep(0.5)
            assert (order, len(line)) == (["a"], 4)
            stood[1].cancel()
        assert order == ["a", "c", "d"]
        assert len(line) == 0

    run_virtual(main())


def test_an_answer_for_the_group_reaches_it_past_others_in_the_line() -> None:
    async def main() -> None:
        line, got = Line(), []
        group = [held(asking(f"{name}.example")) for name in "abc"]
        for each in group:
            each.asking = replace(each.asking, group="example")
        stranger = held(asking("other.org"))

        async def stand(inquiry: HeldInquiry) -> Answer | None:
            with line.place(inquiry) as place:
                given = await line.turn(place)
                got.append((inquiry.asking.key.host, given))
                await asyncio.sleep(10)
                return given

        async with asyncio.TaskGroup() as tasks:
            for each in (group[0], stranger, *group[1:]):
                tasks.create_task(stand(each))
            await asyncio.sleep(1)
            others = line.group(group[0])
            assert others == (group[1], group[2])
            line.give((each, answer()) for each in others)
            assert line.group(group[0]) == ()
            await asyncio.sleep(1)
            assert got == [("a.example", None), ("b.example", answer()), ("c.example", answer())]
        assert got[-1] == ("other.org", None)

    run_virtual(main())


def test_a_group_is_of_one_run_and_stands() -> None:
    async def main() -> None:
        line = Line()
        first = held()
        over = held()
        over.resolution = Resolution(
            approval_id="a", status=Status.EXPIRED, answer=None, explanation=""
        )
        others = [held(replace(ASKING, run="r-2")), over, *(held() for _ in range(50))]

        with line.place(first):
            places = [line.place(each) for each in others]
            for place in places:
                place.__enter__()
            assert len(line.group(first)) == 50
            assert others[0] not in line.group(first)
            assert not any(each is over for each in line.group(first))

    run_virtual(main())
