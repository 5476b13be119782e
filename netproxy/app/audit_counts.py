"""Counting what may be of any number in memory that is not. Pure.

A journal holds whatever clients asked for, and a client may ask for a million names.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Protocol

from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable

# More destinations than a period has that a person reads about; some 10 MB.
MOST_KEPT = 20_000
# More bars than that are a blur.
_MOST_STEPS = 150
_HOUR, _DAY = 3600, 86_400
# Each is a multiple of the one before, so that steps can be joined. The last ones are for clocks
# that were wrong: years of four digits fit.
_STEPS_SECONDS = (
    60, 300, 900, _HOUR, 3 * _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 9100 * _DAY,
)  # fmt: skip


class Weighed(Protocol):
    """What is counted about one thing."""

    @property
    def weight(self) -> int:
        """How much it matters: what matters least is let go of first."""
        ...


class Most[K, V: Weighed]:
    """What matters most of any number of things.

    Exact up to the bound. Beyond it, what weighed least is let go of, half of all at a time: a
    thing that comes back begins anew, so its counts may be too low, by `short_by` at most.
    """

    def __init__(self, make: Callable[[], V], bound: int = MOST_KEPT) -> None:
        self._make = make
        self._bound = bound
        self._kept: dict[K, V] = {}
        self.short_by = 0
        self.let_go = 0  # how often something was

    def __getitem__(self, key: K) -> V:
        """Return what is counted about it, from now on at the latest."""
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= self._bound:
                self._thin_out()
            found = self._kept[key] = self._make()
        return found

    def __len__(self) -> int:
        return len(self._kept)

    def top(self, count: int | None = None) -> list[tuple[K, V]]:
        """Return those that matter most, in order; of two alike the first that came."""
        ordered = sorted(self._kept.items(), key=lambda each: -each[1].weight)
        return ordered[:count]

    def _thin_out(self) -> None:
        ordered = self.top()
        keep = self._bound // 2
        # The error adds up: what is let go of now may have been let go of before.
        self.short_by += ordered[keep][1].weight
        self.let_go += len(ordered) - keep
        self._kept = dict(ordered[:keep])


@dataclass(slots=True)
class Spread:
    """Durations: how many, how long in the middle and at most. The middle is of the first ones."""

    count: int = 0
    longest: int = 0
    _first: list[int] = field(default_factory=list)

    def add(self, value: int) -> None:
        """Take one more."""
        self.count += 1
        self.longest = max(self.longest, value)
        if len(self._first) < MOST_KEPT:
            self._first.append(value)

    @property
    def middle(self) -> int | None:
        """Return the median; None of nothing."""
        return round(median(self._first)) if self._first else None


class Timeline[V]:
    """What happened when, in steps that grow with the time that they have to cover."""

    def __init__(self, make: Callable[[], V], merge: Callable[[V, V], V]) -> None:
        """`merge` makes one of two neighbours."""
        self._make = make
        self._merge = merge
        self._steps: dict[int, V] = {}
        self._size = 0

    @property
    def step_seconds(self) -> int:
        """Return how long one step is."""
        return _STEPS_SECONDS[self._size]

    def at(self, timestamp: str) -> V:
        """Return the step that a record's timestamp is in; one of no use where it is no time."""
        minute = _minute(timestamp[:16])
        if minute is None:
            return self._make()
        number = minute // self.step_seconds
        found = self._steps.get(number)
        if found is None:
            found = self._steps[number] = self._make()
            while self._is_long():
                self._grow()
            return self._steps[minute // self.step_seconds]
        return found

    def steps(self) -> list[tuple[int, V]]:
        """Return seconds since 1970 and what happened, in order and without a hole."""
        if not self._steps:
            return []
        first, last = min(self._steps), max(self._steps)
        return [
            (number * self.step_seconds, self._steps.get(number) or self._make())
            for number in range(first, last + 1)
        ]

    def _is_long(self) -> bool:
        span = max(self._steps) - min(self._steps)
        return span >= _MOST_STEPS and self._size < len(_STEPS_SECONDS) - 1

    def _grow(self) -> None:
        before = self.step_seconds
        self._size += 1
        old, self._steps = self._steps, {}
        for number, value in sorted(old.items()):
            wider = number * before // self.step_seconds
            there = self._steps.get(wider)
            self._steps[wider] = value if there is None else self._merge(there, value)


@lru_cache(maxsize=4)
def _minute(text: str) -> int | None:
    """Seconds since 1970; None of a day that there is not: only the form was checked."""
    try:
        return int(datetime.fromisoformat(f"{text}:00+00:00").timestamp())
    except ValueError:
        return None
