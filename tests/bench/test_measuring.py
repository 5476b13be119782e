"""Rounds go over all subjects in turn, and a row is the median of its rounds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pytest

from bench.errors import BenchFailed
from bench.figures import Figure
from bench.load_client import Load, LoadClient
from bench.measuring import Story, figures_of, measure
from bench.subjects import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.processes import Tree


class Client:
    """Answers with the next of its rates, and writes down what it was told."""

    def __init__(self, name: str, told: list[tuple[str, str]], rates: list[float]) -> None:
        self._name, self._told, self._rates = name, told, list(rates)

    def measure(self, words: str) -> Load:
        self._told.append((self._name, words))
        if not self._rates:
            raise BenchFailed("3 failed")
        return load(self._rates.pop(0))

    @contextmanager
    def holding(self, count: int, words: str) -> Iterator[None]:
        self._told.append((self._name, f"hold {count} {words}"))
        yield


class Costs:
    """A proxy that takes half a second of CPU between two looks, and 64 KiB."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._kib = 1000

    def cpu_seconds(self) -> float:
        self._seconds += 0.5
        return self._seconds

    def memory_kib(self) -> int:
        self._kib += 64
        return self._kib


def load(rate: float) -> Load:
    return Load(
        done=1000,
        rate=rate,
        p50_ms=1.0,
        p99_ms=2.0,
        gigabytes=2.0,
        gigabytes_per_second=rate / 1000,
    )


def subject(
    name: str, told: list[tuple[str, str]], rates: list[float], ways: dict[str, str]
) -> Subject:
    tree = None if "direct" in ways else Costs()
    client = Client(name, told, rates)
    return Subject(
        name=name, client=cast("LoadClient", client), ways=ways, tree=cast("Tree | None", tree)
    )


def test_a_row_is_the_median_of_its_rounds_and_rounds_take_turns() -> None:
    told: list[tuple[str, str]] = []
    ways = {"socks5": "127.0.0.1:1"}
    # Each: the warm-up, then SOCKS5 and bulk in each of three rounds.
    a = subject("a", told, [1, 100, 1000, 900, 3000, 200, 2000], ways)
    b = subject("b", told, [1, 7, 7, 7, 7, 7, 7], ways)
    rows = measure([a, b], rounds=3, seconds=0.5, idle=16)
    assert rows["a"][Figure.SOCKS5_RATE] == 200
    assert rows["a"][Figure.BULK_GBPS] == 2.0
    assert rows["a"][Figure.IDLE_KIB] == 64 / 16
    assert rows["a"][Figure.SOCKS5_CPU_US] == 500
    assert Figure.CONNECT_RATE not in rows["a"]
    assert [name for name, _ in told[4:]] == ["a", "b"] * 6


def test_no_proxy_has_neither_cost_nor_idle_tunnels() -> None:
    told: list[tuple[str, str]] = []
    direct = subject("direct", told, [1, 2, 3], {"direct": ""})
    assert set(measure([direct], rounds=1, seconds=0.5, idle=16)["direct"]) == {
        Figure.CONNECT_RATE,
        Figure.CONNECT_P50_MS,
        Figure.CONNECT_P99_MS,
        Figure.BULK_GBPS,
        Figure.HTTP_RATE,
    }
    assert all("-p direct" in words and "-x" not in words for _, words in told)


def test_a_failure_says_whose_it_is() -> None:
    failing = subject("squid", [], [1], {"connect": "127.0.0.1:1"})
    with pytest.raises(BenchFailed, match="squid: 3 failed"):
        measure([failing], rounds=1, seconds=0.5, idle=16)


@pytest.mark.parametrize("story", list(Story), ids=lambda story: story.name)
def test_a_story_is_told_for_its_time_at_its_address(story: Story) -> None:
    ways = {"connect": "127.0.0.1:1", "socks5": "127.0.0.1:2", "abs": "127.0.0.1:1"}
    words = story.words(subject("any", [], [], ways), 0.5)
    assert words is not None
    assert "-T 0.5" in words
    assert words.endswith("-x 127.0.0.1:2" if story is Story.SOCKS5 else "-x 127.0.0.1:1")


def test_bulk_costs_are_for_a_gigabyte() -> None:
    assert figures_of(Story.BULK, load(1500), 0.5) == {
        Figure.BULK_GBPS: 1.5,
        Figure.BULK_CPU_SECONDS: 0.25,
    }
