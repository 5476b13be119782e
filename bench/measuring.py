"""The rounds: every subject in turn, again and again, and the median of what each came to.

So all see the same noise of the machine. Rounds are short and many: noise comes in stretches of
seconds, which then spoil some rounds of everybody, and not all of somebody.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from bench.errors import BenchFailed
from bench.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.load_client import Load
    from bench.subjects import Subject

_AT_ONCE = 16
# More than any round gets through: its time ends it.
_NEVER = 10**12


class Story(Enum):
    """One kind of load: `pxbench`'s words for it, and the ways to a subject, best first."""

    CONNECT = (f"-m connrate -n {_NEVER}", ("connect", "direct"))
    SOCKS5 = (f"-m connrate -n {_NEVER}", ("socks5",))
    BULK = (f"-m bulk -c 1 -n 1 -P /b/{_NEVER}", ("connect", "socks5", "direct"))
    HTTP = (f"-m http -n {_NEVER}", ("abs", "direct"))

    def words(self, subject: Subject, seconds: float) -> str | None:
        """What `pxbench` is told; None: the subject doesn't do that."""
        load, ways = self.value
        way = _way(subject, ways)
        return None if way is None else f"-c {_AT_ONCE} -T {seconds} {load} {way}"


def measure(
    subjects: Sequence[Subject], *, rounds: int, seconds: float, idle: int
) -> dict[str, dict[Figure, float]]:
    """Return every row. Raises `BenchFailed` if a subject or a client failed."""
    sizes = {}
    for subject in subjects:
        with _named(subject):
            sizes[subject.name] = _idle_kib(subject, idle)
    samples: dict[str, dict[Figure, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(rounds):
        for story in Story:
            for subject in subjects:
                with _named(subject):
                    figures = _one_round(subject, story, seconds)
                for figure, value in figures.items():
                    samples[subject.name][figure].append(value)
    return {
        name: {figure: statistics.median(values) for figure, values in samples[name].items()} | size
        for name, size in sizes.items()
    }


@contextmanager
def _named(subject: Subject) -> Iterator[None]:
    """Whatever fails says whose fault it is."""
    try:
        yield
    except BenchFailed as failed:
        raise BenchFailed(f"{subject.name}: {failed}") from failed


def _one_round(subject: Subject, story: Story, seconds: float) -> dict[Figure, float]:
    words = story.words(subject, seconds)
    if words is None:
        return {}
    before = subject.tree.cpu_seconds() if subject.tree else 0.0
    load = subject.client.measure(words)
    cpu_seconds = subject.tree.cpu_seconds() - before if subject.tree else None
    return figures_of(story, load, cpu_seconds)


def figures_of(story: Story, load: Load, cpu_seconds: float | None) -> dict[Figure, float]:
    """What one round says; `cpu_seconds` of the proxy, None without one."""
    if story is Story.HTTP:
        return {Figure.HTTP_RATE: load.rate}
    if story is Story.BULK:
        found = {Figure.BULK_GBPS: load.gigabytes_per_second}
        if cpu_seconds is not None:
            found[Figure.BULK_CPU_SECONDS] = cpu_seconds / load.gigabytes
        return found
    rate, cpu_us, p50_ms, p99_ms = _TUNNEL_FIGURES[story]
    found = {rate: load.rate, p50_ms: load.p50_ms, p99_ms: load.p99_ms}
    if cpu_seconds is not None:
        found[cpu_us] = cpu_seconds / load.done * 1e6
    return found


_TUNNEL_FIGURES = {
    Story.CONNECT: (
        Figure.CONNECT_RATE,
        Figure.CONNECT_CPU_US,
        Figure.CONNECT_P50_MS,
        Figure.CONNECT_P99_MS,
    ),
    Story.SOCKS5: (
        Figure.SOCKS5_RATE,
        Figure.SOCKS5_CPU_US,
        Figure.SOCKS5_P50_MS,
        Figure.SOCKS5_P99_MS,
    ),
}


def _idle_kib(subject: Subject, count: int) -> dict[Figure, float]:
    """What a held tunnel takes, after some that are gone: the first ones bring code and pools."""
    way = _way(subject, ("connect", "socks5"))
    if way is None or subject.tree is None:
        return {}
    subject.client.measure(f"-m connrate -c {_AT_ONCE} -T 10 -n 200 {way}")
    before = subject.tree.memory_kib()
    with subject.client.holding(count, way):
        grown = subject.tree.memory_kib() - before
    return {Figure.IDLE_KIB: grown / count}


def _way(subject: Subject, ways: Iterable[str]) -> str | None:
    for way in ways:
        if way in subject.ways:
            return f"-p {way}" if way == "direct" else f"-p {way} -x {subject.ways[way]}"
    return None
