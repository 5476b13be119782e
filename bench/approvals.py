"""`make bench ARGS=approvals`: how soon those who wait go on, with many questions open at once.

The service, its store and the journal are those of the gateway, on a disk: every answer is synced
in the journal and committed in SQLite before anybody goes on. Beside them: what one bare commit
and one fdatasync cost on that disk, in the same run.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from approvals import (
    Answer,
    ApprovalService,
    Asking,
    Config,
    Key,
    Outcome,
    Scope,
    SystemClock,
    Verdict,
)
from approvals.store.sqlite import SqliteStore
from bench.errors import BenchFailed
from bench.journal import PLACE, sync_us
from otel import AuditMode, AuditTrail, Journal

if TYPE_CHECKING:
    from approvals.ports import Inquiry

QUESTIONS, WAITERS, ROUNDS = 1000, 50, 3
# Issue 6: decide-to-release with all of these open, a remembered answer, and taking one back.
BAR_RELEASE_MS, BAR_CACHED_US, BAR_REVOKE_MS = 20.0, 5.0, 1000.0
_LOOK_UPS = 100_000
_AT_ONCE = 100  # answered together, as a group of an install's hosts is
_HOLD_SECONDS = 600.0
_ASKING = Asking(
    key=Key(session="s-01JD2QABCDEFGHJKMNPQRSTVWX", host="", protocol="https", port=443),
    run="",
    connection="c-01JD2QABCDEFGHJKMNPQRSTVWX",
    unicode_host=None,
    command="npm install",
    directory="/home/anna/project",
    explanation="no rule matches",
    hint=None,
    stops_on_denial=True,
    group="example.org",
)
_ANSWER = Answer(
    verdict=Verdict.ALLOW,
    scope=Scope.SESSION,
    cancel=False,
    reviewer="anna",
    channel="web",
    seen_join_no=1,
)


class Figures(NamedTuple):
    """What came out."""

    put_ms: float  # until every question was in the store
    p50_ms: float  # from `decide` to the last of its waiters
    p99_ms: float
    group_ms: float  # from the first `decide` of a group to its last waiter
    revoke_ms: float  # p99, until the connections that it carries are told to end
    cached_us: float


@dataclass
class Taking:
    """A reviewer that takes every question and leaves the answer to `decide`."""

    expected: int
    taken: dict[str, str] = field(default_factory=dict)  # ids of questions, by host
    all_taken: asyncio.Event = field(default_factory=asyncio.Event)
    channel: str = "bench"

    async def review(self, inquiry: Inquiry) -> Answer:
        """Note which question it is."""
        inquiry.accept()
        question = inquiry.question
        self.taken[question.key.host] = question.approval_id
        if len(self.taken) == self.expected:
            self.all_taken.set()
        await asyncio.Event().wait()
        raise AssertionError


def approvals(questions: int = QUESTIONS, waiters: int = WAITERS, rounds: int = ROUNDS) -> None:
    """Measure and print the medians. Raises `BenchFailed` below a bar."""
    commits, syncs, figures = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=PLACE) as folder:
            commits.append(_commit_us(Path(folder) / "bare.db"))
            syncs.append(sync_us())
            figures.append(uvloop.run(_measured(Path(folder), questions, waiters)))
    median = Figures(*(statistics.median(column) for column in zip(*figures, strict=True)))
    commit, sync = statistics.median(commits), statistics.median(syncs)
    print(f"bare SQLite commit: {commit:.0f} us, fdatasync: {sync:.0f} us")
    print(f"{questions:,} questions with {waiters} waiters each, put in {median.put_ms:,.0f} ms")
    print(f"decide to release: p50 {median.p50_ms:.2f} ms, p99 {median.p99_ms:.2f} ms")
    print(f"{_AT_ONCE} answers at once: all released after {median.group_ms:.1f} ms")
    print(f"revoke to cut: p99 {median.revoke_ms:.2f} ms")
    print(f"an answer that is remembered: {median.cached_us:.2f} us, no await")
    if median.revoke_ms > BAR_REVOKE_MS:
        raise BenchFailed(f"not met: revoke to cut, at most {BAR_REVOKE_MS:g} ms")
    if median.p99_ms > BAR_RELEASE_MS:
        raise BenchFailed(f"not met: p99 of decide to release, at most {BAR_RELEASE_MS:g} ms")
    if median.cached_us > BAR_CACHED_US:
        raise BenchFailed(f"not met: a remembered answer, at most {BAR_CACHED_US:g} us")


async def _measured(folder: Path, questions: int, waiters: int) -> Figures:
    journal = Journal.open(folder / "audit")
    trail = AuditTrail(journal, {}, AuditMode.WRITTEN)
    trail.start_syncing()
    store = SqliteStore(folder / "approvals.db", clock=SystemClock())
    taking = Taking(questions)
    service = ApprovalService(
        reviewers=(taking,),
        sink=trail,
        clock=SystemClock(),
        store=store,
        config=Config(
            hold_seconds=_HOLD_SECONDS,
            answerable_seconds=_HOLD_SECONDS,
            delivery_seconds=_HOLD_SECONDS,
            max_pending=questions,
            max_new=questions,
        ),
    )
    try:
        async with service:
            return await _with(service, taking, questions, waiters)
    finally:
        await store.close()
        journal.close()


async def _with(service: ApprovalService, taking: Taking, questions: int, waiters: int) -> Figures:
    began = time.perf_counter()
    waiting = [
        [asyncio.ensure_future(service.ask(_asking(host, run))) for run in range(waiters)]
        for host in range(questions)
    ]
    await taking.all_taken.wait()
    put = time.perf_counter() - began
    asked = [(taking.taken[_host(number)], each) for number, each in enumerate(waiting)]
    random.Random(7).shuffle(asked)
    group, singles = asked[:_AT_ONCE], asked[_AT_ONCE:]
    began = time.perf_counter()
    await asyncio.gather(*(_decided(service, *each) for each in group))
    together = time.perf_counter() - began
    times = sorted([await _decided(service, *each) for each in singles])
    cached_us = _cached_us(service)
    return Figures(
        put_ms=put * 1000,
        p50_ms=statistics.median(times) * 1000,
        p99_ms=times[len(times) * 99 // 100] * 1000,
        group_ms=together * 1000,
        revoke_ms=await _revoked_ms(service),
        cached_us=cached_us,
    )


async def _decided(
    service: ApprovalService, approval_id: str, waiting: list[asyncio.Task[Outcome]]
) -> float:
    """Seconds until the last that waited goes on."""
    answer = replace(_ANSWER, seen_join_no=len(waiting))
    began = time.perf_counter()
    await service.decide(approval_id, answer)
    outcomes = await asyncio.gather(*waiting)
    took = time.perf_counter() - began
    if not all(outcome.allowed for outcome in outcomes):
        raise BenchFailed("an answer did not reach everybody")
    return took


async def _revoked_ms(service: ApprovalService) -> float:
    """One after the other; what is told then closes its sockets in the same turn of the loop."""
    times: list[float] = []
    service.on_ended(_ASKING.key.session, lambda *_: times.append(time.perf_counter()))
    began = []
    for grant in service.grants():
        began.append(time.perf_counter())
        await service.revoke(grant.grant_id, reviewer="anna", channel="web")
    took = sorted(end - begin for begin, end in zip(began, times, strict=True))
    return took[len(took) * 99 // 100] * 1000


def _host(number: int) -> str:
    return f"h{number}.example.org"


def _asking(host: int, run: int) -> Asking:
    key = replace(_ASKING.key, host=_host(host))
    return replace(_ASKING, key=key, run=f"r-{run}")


def _cached_us(service: ApprovalService) -> float:
    key = _asking(0, 0).key
    if service.grant(key) is None:
        raise BenchFailed("an answer was not remembered")
    began = time.perf_counter()
    for _ in range(_LOOK_UPS):
        service.denial(key)
        service.grant(key)
    return (time.perf_counter() - began) / _LOOK_UPS * 1e6


def _commit_us(path: Path) -> float:
    """One row, in a database that is as durable as ours."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE kept (text text)")
    times = []
    for _ in range(200):
        began = time.perf_counter()
        database.execute("INSERT INTO kept VALUES ('x')")
        times.append(time.perf_counter() - began)
    database.close()
    return statistics.median(times) * 1e6
