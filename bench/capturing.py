"""The section `capture`: what a connection costs whose program knows of no proxy.

From inside one sandbox, to one origin, by the same rules: CONNECT by name, and the same name looked
up and connected to, which is captured. One at a time and many at once, in turn; and look-ups.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from bench.bars import Verdict
from bench.peers_table import machine
from bench.processes import Others
from bench.subjects import captured, lab

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.subjects import Subject

CONNECT, CAPTURED, LOOK_UP = "CONNECT", "captured", "look-up"
AT_ONCE = (1, 16)
_BOUND = 1.2
_NEVER = 10**12


class Cost(NamedTuple):
    """What one of them costs; or the medians of that."""

    rate: float  # a second
    p50_ms: float
    cpu_us: float  # of the gateway


type Costs = Mapping[tuple[str, int], Cost]


def capture(*, rounds: int, seconds: float) -> None:
    """Measure and print. Raises `BenchFailed`. A bar that is missed is told, and no failure."""
    print(machine(), flush=True)
    samples: dict[tuple[str, int], list[Cost]] = defaultdict(list)
    with lab() as place, captured(place) as subject:
        kinds = [(what, at_once) for at_once in AT_ONCE for what in (CONNECT, CAPTURED, LOOK_UP)]
        for what, at_once in kinds:  # the start of the sandbox is no connection's
            _measure(subject, what, at_once, seconds)
        others = Others()
        for _ in range(rounds):
            for what, at_once in kinds:
                samples[what, at_once].append(_measure(subject, what, at_once, seconds))
        busy = others.cores()
    costs = {each: medians(found) for each, found in samples.items()}
    for (what, at_once), cost in costs.items():
        print(
            f"{what:<9} {at_once:>3} at once {cost.rate:>8,.0f} a second"
            f"   p50 {cost.p50_ms:7.3f} ms   CPU {cost.cpu_us:6.0f} µs"
        )
    for verdict in verdicts(costs):
        print(f"bar: {verdict}")
    print(f"Everything else on this machine kept {busy:.2f} cores busy meanwhile.")


def words(subject: Subject, what: str, at_once: int, seconds: float) -> str:
    """What `pxbench` is told."""
    way = {
        CONNECT: f"-m connrate -p connect -x {subject.ways['connect']}",
        CAPTURED: "-m connrate -p direct",
        LOOK_UP: f"-m dns -x {subject.ways['dns']}",
    }[what]
    return f"-c {at_once} -n {_NEVER} -T {seconds} {way}"


def _measure(subject: Subject, what: str, at_once: int, seconds: float) -> Cost:
    assert subject.tree is not None
    before = subject.tree.cpu_seconds()
    load = subject.client.measure(words(subject, what, at_once, seconds))
    used = subject.tree.cpu_seconds() - before
    return Cost(load.rate, load.p50_ms, used / load.done * 1e6)


def medians(found: list[Cost]) -> Cost:
    """Of each figure by itself."""
    return Cost(*map(statistics.median, zip(*found, strict=True)))


def verdicts(costs: Costs) -> list[Verdict]:
    """The bars: a captured one beside CONNECT, by the time it takes."""
    return [
        Verdict(
            what=f"p50 of a captured connection beside CONNECT's, {at_once} at once",
            value=costs[CAPTURED, at_once].p50_ms / costs[CONNECT, at_once].p50_ms,
            bound=_BOUND,
            unit=" x",
            is_least=False,
        )
        for at_once in AT_ONCE
    ]
