"""`make soak`: what only many tunnels show. 200,000 after each other, and 10,000 idle at once.

Fails when throughput falls, or when anything is left of a tunnel that is gone.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.bars import Verdict
from bench.errors import BenchFailed
from bench.load_client import load_client
from bench.peers_table import machine
from bench.processes import Others, idle_tunnels
from bench.subjects import lab, netproxy, relay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.processes import Tree
    from bench.subjects import Lab, Subject

SHARES = 10
# Then the rest is left out, so that all ends within five minutes.
ENOUGH_SECONDS = 230.0
SHARE_SECONDS = 60
# The kernel is not done with a connection when the client is.
SETTLE_SECONDS, LOOK_SECONDS = 2.0, 0.05
KEPT_SHARE = 0.8
# The smallest that could be kept of each of 180,000 tunnels, one object of 48 bytes, is more.
GROWN_MIB = 8.0
# p99 of a few thousand tunnels moves by so much from one moment to the next.
SLOWER = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One part of many tunnels, and the gateway when they are gone."""

    rate: float
    cpu_us: float  # of the gateway, a tunnel
    p99_ms: float
    memory_kib: int
    descriptors: int


def soak(*, tunnels: int, idle: int, rounds: int, seconds: float) -> None:
    """Measure and print. Raises `BenchFailed`, for what is leaked and slows down, too."""
    idle = idle_tunnels(idle)
    print(machine(), flush=True)
    with lab() as place, netproxy(place) as gateway:
        others = Others()
        verdicts = flatness(_many(gateway, tunnels // SHARES))
        print(f"everything else on this machine kept {others.cores():.2f} cores busy meanwhile")
        for verdict in verdicts:
            print(f"bar: {verdict}", flush=True)
        print(f"bar: {_idle(place, gateway, idle, f'-T {seconds}', rounds)}", flush=True)
        with relay(place) as limit:  # what the kernel makes of so many sockets
            _idle(place, limit, idle, f"-T {seconds}", rounds)
    if missed := [verdict.what for verdict in verdicts if not verdict.is_met]:
        raise BenchFailed(f"not met: {'; '.join(missed)}")


def flatness(shares: Sequence[Share]) -> list[Verdict]:
    """Judge the first share against the last, which must cost no more, and fifths by their rate.

    The first one fills pools and caches; so it is no yardstick of the rate.
    """
    fifth = len(shares) // 5
    second, last = shares[fifth : 2 * fifth], shares[-fifth:]
    first, final = shares[0], shares[-1]
    return [
        Verdict(
            what="tunnels/s of the last fifth beside the second",
            value=_rate(last) / _rate(second),
            bound=KEPT_SHARE,
            unit=" x",
            is_least=True,
        ),
        Verdict(
            what="memory grown since the first share",
            value=(final.memory_kib - first.memory_kib) / 1024,
            bound=GROWN_MIB,
            unit=" MiB",
            is_least=False,
        ),
        Verdict(
            what="descriptors grown since the first share",
            value=final.descriptors - first.descriptors,
            bound=0,
            unit="",
            is_least=False,
        ),
    ]


def _rate(shares: Sequence[Share]) -> float:
    """Of shares with as many tunnels each."""
    return statistics.harmonic_mean([each.rate for each in shares])


def _many(gateway: Subject, count: int) -> list[Share]:
    tree, began = _tree(gateway), time.monotonic()
    # It listens before it has opened everything else.
    gateway.client.measure(f"-m connrate -n {SHARES} -T 10 {_new(gateway)}")
    before = _settled(tree)
    print("  tunnels  tunnels/s   CPU µs   p99 ms  memory MiB  descriptors")
    print(f"{SHARES:9,}{tree.memory_kib() / 1024:41.1f}{before:13}", flush=True)
    shares: list[Share] = []
    while len(shares) < SHARES:
        share = _share(gateway, tree, count)
        shares.append(share)
        print(
            f"{len(shares) * count:9,}{share.rate:11,.0f}{share.cpu_us:9.0f}{share.p99_ms:9.1f}"
            f"{share.memory_kib / 1024:12.1f}{share.descriptors:13}",
            flush=True,
        )
        if time.monotonic() - began > ENOUGH_SECONDS and len(shares) >= SHARES // 2:
            print(f"the rest is left out: these took more than {ENOUGH_SECONDS:.0f} s")
            break
    return shares


def _share(gateway: Subject, tree: Tree, count: int) -> Share:
    cpu_seconds = tree.cpu_seconds()
    load = gateway.client.measure(f"-m connrate -n {count} -T {SHARE_SECONDS} {_new(gateway)}")
    if load.done < count:
        raise BenchFailed(f"{load.done} of {count} tunnels in {SHARE_SECONDS} s: too slow")
    cpu_seconds = tree.cpu_seconds() - cpu_seconds
    descriptors = _settled(tree)
    return Share(
        rate=load.rate,
        cpu_us=cpu_seconds / count * 1e6,
        p99_ms=load.p99_ms,
        memory_kib=tree.memory_kib(),
        descriptors=descriptors,
    )


def _settled(tree: Tree) -> int:
    """How many descriptors are open when no more of them are being closed."""
    found, until = tree.descriptors(), time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        earlier, found = found, tree.descriptors()
        if earlier == found:
            break
    return found


def _idle(place: Lab, subject: Subject, count: int, limit: str, rounds: int) -> Verdict:
    """Both kinds of p99 in one run, and the one without idle tunnels before and after the other."""

    def p99_ms() -> float:
        words = f"-m connrate -n {10**9} {limit} {_new(subject)}"
        return statistics.median(subject.client.measure(words).p99_ms for _ in range(rounds))

    folder = place.folder_of(f"idle {subject.name}")
    with load_client(place.tools, place.quiet_origin, folder) as (idler, _):
        before = p99_ms()
        with idler.holding(count, _way(subject)):
            beside = p99_ms()
        _settled(_tree(subject))  # to close them all takes a moment
        after = p99_ms()
    print(
        f"{subject.name}: p99 of new tunnels {before:.1f} ms; {beside:.1f} ms beside {count:,} "
        f"idle ones; {after:.1f} ms when those are gone",
        flush=True,
    )
    return Verdict(
        what=f"{subject.name}: p99 beside {count:,} idle tunnels, to that without",
        value=beside / min(before, after),
        bound=SLOWER,
        unit=" x",
        is_least=False,
    )


def _new(gateway: Subject) -> str:
    return f"-c 16 {_way(gateway)}"


def _way(gateway: Subject) -> str:
    return f"-p connect -x {gateway.ways['connect']}"


def _tree(gateway: Subject) -> Tree:
    assert gateway.tree is not None
    return gateway.tree
