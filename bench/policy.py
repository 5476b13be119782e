"""The section `policy` of `bench/run.py`: what a decision costs, and a policy before it decides.

Beside the stand-in for the peers: one list of hosts and one of `*.` suffixes, walked for each
request, as smokescreen does it. It knows no ports, protocols, blocks or denials, and gives no
reason.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netproxy.model import ApprovalId, Destination, OnDenial, Protocol, Verdict
from netproxy.policy.engine import compile_policy
from netproxy.policy.hosts import destination
from netproxy.policy.lint import lint
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from netproxy.policy.spec import Mode, PolicySpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SIZES = [100, 10_000, 100_000]
DECISIONS = 20_000
WALKS = 500  # of the list: each is slow, and they differ little
NUMBERS = random.Random(7)  # the same in every run
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of rules")
    parser.add_argument("--decisions", type=int, default=DECISIONS, help="timed for each row")
    options = parser.parse_args()
    if min(options.sizes) < 100:
        parser.error("the smallest mix that has every kind of rule is 100")
    # What is imported with the first file is no part of any of them.
    load(toml(1), "f", layer=Layer.USER)
    for size in options.sizes:
        print(f"-- {size:,} rules")
        measure(size, options.decisions)


def measure(size: int, decisions: int) -> None:
    """Print every figure for one number of rules."""
    written = toml(size)
    timed("parsed as TOML and no more", lambda: tomllib.loads(written))
    empty = resident_kib()
    document = timed("read: parsed, checked, placed", lambda: load(written, "f", layer=Layer.USER))
    spec = PolicySpec(
        rules=document.profiles["bench"].rules,
        default=Verdict.ASK,
        mode=Mode.FULL,
        on_denial=OnDenial.CANCEL,
    )
    loaded = resident_kib()
    policy = timed("compiled", lambda: compile_policy(spec, now=0.0))
    snapshot = resident_kib() - loaded
    timed("linted", lambda: lint(spec, now=0.0))
    print(
        f"memory: {loaded - empty:,} KiB for the document, {snapshot:,} for the snapshot beside it"
    )
    entries = Linear(size)

    def forget() -> None:
        policy._found.clear()  # noqa: SLF001  # measured is what is asked for the first time
        destination.cache_clear()

    for name, kinds in ROWS.items():
        asked = [wanted(kind, size) for kind in chosen(kinds, decisions)]
        judged = each(lambda one: policy.judge(one, "CONNECT", NOTHING), asked, forget)
        walked = each(lambda one: entries.allows(one.host), asked[:WALKS])
        print(f"{name:<28} {judged}   list {walked}")
    asked = [wanted(kind, size) for kind in chosen(ROWS["all of these, mixed"], decisions)]
    sent = [(one.host.encode(), one.port, one.protocol) for one in asked]
    whole = each(lambda one: policy.judge(destination(*one), "CONNECT", NOTHING), sent, forget)
    print(f"{"mixed, from a client's bytes":<28} {whole}")
    policy.judge(asked[0], "CONNECT", NOTHING)
    again = each(lambda one: policy.judge(one, "CONNECT", NOTHING), asked[:1] * decisions)
    print(f"{'one that was asked before':<28} {again}")


def timed[Made](what: str, make: Callable[[], Made]) -> Made:
    """Make it once, as a start does, and print how long that took."""
    gc.collect()
    began = time.perf_counter()
    made = make()
    print(f"{what:<30} {(time.perf_counter() - began) * 1000:9.1f} ms")
    return made


def each[Asked](
    decide: Callable[[Asked], object],
    asked: Iterable[Asked],
    before: Callable[[], None] = lambda: None,
) -> str:
    """Time every call by itself, the clock's own 0.1 µs included; `before` is not timed."""
    times = []
    for one in asked:
        before()
        began = time.perf_counter_ns()
        decide(one)
        times.append(time.perf_counter_ns() - began)
    times.sort()
    middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
    return f"p50 {middle / 1000:8.1f} µs   p99 {late / 1000:8.1f} µs"


def resident_kib() -> int:
    """What the process has in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE_KIB


# The rules


class Kind(NamedTuple):
    """One kind of rule, and a destination that it matches; {n} is the number of the rule."""

    share: int  # of a hundred
    rule: str
    host: str
    port: int
    is_allow: bool = True


EXACT = Kind(40, "h{n}.example.org:443", "h{n}.example.org", 443)
SUFFIX = Kind(20, "*.s{n}.example.net", "a.b.s{n}.example.net", 443)
GLOB = Kind(8, "api-{n}-*.example.com:443", "api-{n}-eu.example.com", 443)
PORTS = Kind(7, "socks5-tcp://db{n}.example.org:5000-5999", "db{n}.example.org", 5432)
BLOCK = Kind(10, "{block}/28:443", "{address}", 443)
DENIED = Kind(10, "**.t{n}.example.org", "x.t{n}.example.org", 443, is_allow=False)
BAD_BLOCK = Kind(5, "[2600:{hex}::/48]", "2600:{hex}::1", 443, is_allow=False)
KINDS = (EXACT, SUFFIX, GLOB, PORTS, BLOCK, DENIED, BAD_BLOCK)
MISS = Kind(0, "", "www.m{n}.example.org", 443)
DEEP_MISS = Kind(0, "", "a.b.c.d.e.f.g.h.i.j.m{n}.example.net", 443)

ROWS = {
    "exact names, allowed": (EXACT,),
    "suffixes, allowed": (SUFFIX,),
    "globs, allowed": (GLOB,),
    "addresses, allowed": (BLOCK,),
    "names, denied": (DENIED,),
    "names, no rule": (MISS, DEEP_MISS),
    "all of these, mixed": (*KINDS, MISS, DEEP_MISS),
}


def kind_of(number: int) -> Kind:
    """Mix the kinds evenly all over the list."""
    place = number * 37 % 100
    for kind in KINDS:
        place -= kind.share
        if place < 0:
            return kind
    raise AssertionError(number)


def filled(text: str, number: int) -> str:
    """Write a rule or a host with its number, as a block of sixteen public addresses, too."""
    start = (23 << 24) + number * 16
    block = ".".join(map(str, start.to_bytes(4)))
    address = ".".join(map(str, (start + 5).to_bytes(4)))
    return text.format(
        n=number, block=block, address=address, hex=f"{number >> 16:x}:{number & 0xFFFF:x}"
    )


def toml(size: int) -> str:
    """Return a file of that many rules, in the short form."""
    lists: dict[bool, list[str]] = {True: [], False: []}
    for number in range(size):
        kind = kind_of(number)
        lists[kind.is_allow].append(f'    "{filled(kind.rule, number)}",\n')
    allow, deny = "".join(lists[True]), "".join(lists[False])
    return f"[profiles.bench.network]\nallow = [\n{allow}]\ndeny = [\n{deny}]\n"


def chosen(kinds: Sequence[Kind], count: int) -> list[Kind]:
    return NUMBERS.choices(kinds, k=count)


def wanted(kind: Kind, size: int) -> Destination:
    """Return a destination that some rule of the kind matches."""
    number = NUMBERS.randrange(size)
    while kind.share and kind_of(number) is not kind:
        number = NUMBERS.randrange(size)
    protocol = Protocol.SOCKS5_TCP if kind is PORTS else Protocol.HTTPS
    return destination(filled(kind.host, number), kind.port, protocol)


# What the decision stands beside


class Nothing:
    """A session that was asked nothing yet."""

    def denial(self, _: Destination) -> ApprovalId | None:
        """Remember no no."""
        return None

    def grant(self, _: Destination) -> ApprovalId | None:
        """Remember no yes."""
        return None


NOTHING = Nothing()


class Linear:
    """The same hosts as lists. Walked in C, as smokescreen's are in Go."""

    def __init__(self, size: int) -> None:
        hosts = [
            filled(kind_of(n).rule, n).rpartition("//")[2].partition(":")[0] for n in range(size)
        ]
        self.exact = [host for host in hosts if "*" not in host]
        self.suffixes = tuple(host.lstrip("*") for host in hosts if host.startswith("*"))

    def allows(self, host: str) -> bool:
        """Walk both, the exact ones first."""
        return host in self.exact or host.endswith(self.suffixes)


if __name__ == "__main__":
    main()
