"""The questions that wait for one reviewer: one is asked at a time, oldest first.

An answer that was given for a whole group reaches its questions wherever they stand in the line.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from approvals.model import Answer
    from approvals.ports import Inquiry

# More than these can't be shown as a list that somebody reads before they press a key.
MOST_TOGETHER = 20


@dataclass(slots=True, eq=False)
class Place:
    """One question in the line."""

    inquiry: Inquiry
    given: Answer | None = None  # with another question of its group
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Line:
    """First in, first asked."""

    def __init__(self) -> None:
        self._places: list[Place] = []

    def __len__(self) -> int:
        return len(self._places)

    @contextmanager
    def place(self, inquiry: Inquiry) -> Iterator[Place]:
        """Stand in the line as long as the block runs."""
        place = Place(inquiry)
        self._places.append(place)
        try:
            yield place
        finally:
            self._places.remove(place)
            self._move_up()

    async def turn(self, place: Place) -> Answer | None:
        """Wait for this question's turn; return its answer where it was given before that."""
        while place.given is None and self._places[0] is not place:
            place.moved.clear()
            await place.moved.wait()
        return place.given

    def group(self, inquiry: Inquiry) -> tuple[Inquiry, ...]:
        """The other questions that the same run asks about hosts of the same owner, oldest first.

        More than `MOST_TOGETHER` with this one are not answered together.
        """
        asking = inquiry.question.asking
        same = [
            place.inquiry
            for place in self._places
            if place.given is None
            and place.inquiry is not inquiry
            and place.inquiry.resolution is None
            and (place.inquiry.question.asking.group, place.inquiry.question.asking.run)
            == (asking.group, asking.run)
        ]
        return tuple(same)

    def give(self, answers: Iterable[tuple[Inquiry, Answer]]) -> None:
        """Answer questions that stand in the line."""
        for inquiry, answer in answers:
            for place in self._places:
                if place.inquiry is inquiry:
                    place.given = answer
                    place.moved.set()

    def _move_up(self) -> None:
        if self._places:
            self._places[0].moved.set()
