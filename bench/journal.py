"""`make bench ARGS=journal`: records that are on the disk, beside SQLite's, in the same run.

Both are asked by so many that wait at once, each for its own record before it goes on, as an allow
waits in strict mode. SQLite writes ahead (WAL) and syncs at each commit (synchronous=FULL); one
thread commits all that wait together, as our journal does.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from bench.errors import BenchFailed
from otel import AuditMode, AuditTrail, AuditUnavailable, Journal, verify
from otel.events import PolicyDecision

if TYPE_CHECKING:
    from collections.abc import Callable

WAITERS = (1, 8, 64, 512)
# Design section 12.
BAR_WAITERS, BAR_RATE = 64, 20_000
SECONDS = 0.7
# Beside the journal, so that both have the same disk.
PLACE = Path("/var/tmp")
_BYTES = 700  # of a record


class Sample(NamedTuple):
    """What came out of one load."""

    rate: float  # records a second
    p50_ms: float  # from asking to being told


def journal(rounds: int) -> None:
    """Measure and print. Raises `BenchFailed` below the bar."""
    print(f"one fdatasync of {_BYTES} bytes: {sync_us():.0f} us (median)")
    print("waiters      strict records/s   p50 ms     SQLite records/s   p50 ms")
    rate = 0.0
    for waiters in WAITERS:
        pairs = [(ours(waiters), sqlite(waiters)) for _ in range(rounds)]
        mine, theirs = (_median([pair[side] for pair in pairs]) for side in (0, 1))
        print(
            f"{waiters:7,}{mine.rate:22,.0f}{mine.p50_ms:9.2f}"
            f"{theirs.rate:21,.0f}{theirs.p50_ms:9.2f}",
            flush=True,
        )
        rate = mine.rate if waiters == BAR_WAITERS else rate
    print(f"bar: {rate:,.0f} durable records/s at {BAR_WAITERS} waiters, at least {BAR_RATE:,}")
    if rate < BAR_RATE:
        raise BenchFailed("not met: durable records/s")


def ours(waiters: int, seconds: float = SECONDS) -> Sample:
    """Strict mode, as the gateway has it."""
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        times: list[float] = []
        opened = Journal.open(Path(folder))
        trail = AuditTrail(opened, {"session.id": "s-1"}, AuditMode.STRICT)
        trail.start_syncing()
        began = time.perf_counter()
        uvloop.run(_wait_in_turns(trail, waiters, seconds, times))
        took = time.perf_counter() - began
        opened.close()
        (verdict,) = verify(Path(folder))
        if verdict.records < len(times) or not verdict.holds:
            raise BenchFailed("records were lost")
    return Sample(len(times) / took, statistics.median(times) * 1000)


async def _wait_in_turns(
    trail: AuditTrail, waiters: int, seconds: float, times: list[float]
) -> None:
    loop = asyncio.get_running_loop()
    trail.write_by_turns(loop, report=print)
    until = time.perf_counter() + seconds
    left, done = waiters, asyncio.Event()

    def ask() -> None:
        began = time.perf_counter()

        def told(problem: AuditUnavailable | None) -> None:
            nonlocal left
            now = time.perf_counter()
            if problem is not None:
                raise BenchFailed(str(problem))
            times.append(now - began)
            if now < until:
                ask()
                return
            left -= 1
            if not left:
                done.set()

        trail.record_then(_event(), told)

    for _ in range(waiters):
        ask()
    await done.wait()
    trail.write_at_once()


def _event() -> PolicyDecision:
    return PolicyDecision(
        connection_id="c-01JD2QABCDEFGHJKMNPQRSTVWX",
        client_address="127.0.0.1:40312",
        server_address="example.com",
        server_port=443,
        protocol="https",
        method="CONNECT",
        scope="domain",
        decision="allow",
        source="baseline_policy",
        reason="allowed_by_rule",
        override=False,
    )


def sqlite(waiters: int, seconds: float = SECONDS) -> Sample:
    """A table of texts, which is not even chained."""
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        times: list[float] = []
        began = time.perf_counter()
        uvloop.run(_commit_together(Path(folder) / "records", waiters, seconds, times))
        took = time.perf_counter() - began
    return Sample(len(times) / took, statistics.median(times) * 1000)


async def _commit_together(path: Path, waiters: int, seconds: float, times: list[float]) -> None:
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
    left, done = waiters, asyncio.Event()

    def ask() -> None:
        began = time.perf_counter()

        def told() -> None:
            nonlocal left
            now = time.perf_counter()
            times.append(now - began)
            if now < until:
                ask()
                return
            left -= 1
            if not left:
                done.set()

        queue.put(told)

    thread = threading.Thread(target=_commit, args=(path, queue, loop))
    thread.start()
    for _ in range(waiters):
        ask()
    await done.wait()
    queue.put(None)
    thread.join()


def _commit(
    path: Path,
    queue: SimpleQueue[Callable[[], None] | None],
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Commit all that wait together, until there is a None."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE records (record TEXT)")
    while (first := queue.get()) is not None:
        waiting = [first]
        with suppress(Empty):
            while (found := queue.get_nowait()) is not None:
                waiting.append(found)
        database.executemany("INSERT INTO records VALUES (?)", [("x" * _BYTES,)] * len(waiting))
        database.commit()
        loop.call_soon_threadsafe(_call, waiting)
    database.close()


def _call(each: list[Callable[[], None]]) -> None:
    for told in each:
        told()


def _median(samples: list[Sample]) -> Sample:
    return Sample(
        statistics.median(each.rate for each in samples),
        statistics.median(each.p50_ms for each in samples),
    )


def sync_us() -> float:
    """Microseconds of one fdatasync after a small write: the median."""
    with tempfile.TemporaryFile(dir=PLACE) as file:
        times = []
        for _ in range(200):
            file.write(b"x" * _BYTES)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6
