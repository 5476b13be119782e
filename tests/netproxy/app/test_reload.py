"""A change is on record before it decides, all of it or nothing, and what is wrong is said once."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.app.file_watch import State
from netproxy.app.policy_in_force import PolicyInForce
from netproxy.app.reload import Reloader, beside_the_loop
from netproxy.app.reread import Finding, Held, Moved, Rejected, Renewed, Reread, Settled
from netproxy.policy.engine import Host
from otel.errors import AuditUnavailable
from otel.events import ConfigRejected, Event, PolicyLoaded
from tests.support.loops import PATIENCE_SECONDS, until
from tests.support.policies import deny, policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.app.settings import Settings

FILE = Path("/etc/ours/config.toml")
LATER_SECONDS = 600.0


class Sink:
    """A journal that may be full. Notes what decided when an event came in."""

    def __init__(self, in_force: PolicyInForce) -> None:
        self.is_full = False
        self.events: list[Event] = []
        self.synced: list[tuple[Event, object]] = []
        self._in_force = in_force

    def record(self, event: Event) -> None:
        if self.is_full:
            raise AuditUnavailable("disk full")
        self.events.append(event)

    def record_synced(self, event: Event) -> None:
        self.record(event)
        self.synced.append((event, self._in_force.current))


def held(*denied: str, states: str = "new") -> Held:
    made = policy(*(deny(text) for text in denied))
    return Held(
        settings=cast("Settings", None),
        policy=made,
        digest=made.digest,
        states={FILE: State(states)},
    )


def renewed(*denied: str, states: str = "new", late: tuple[str, ...] = ()) -> Renewed:
    new = held(*denied, states=states)
    event = PolicyLoaded(digest=new.digest, rules=len(denied), source="files")
    return Renewed(held=new, event=event, late=late)


def rejected(states: str = "bad", *errors: str) -> Rejected:
    event = ConfigRejected(
        digest="d", error_type="invalid", errors=errors or ("config.toml:1:1 x",)
    )
    return Rejected(states={FILE: State(states)}, event=event)


class Script:
    """A reread that finds what a test lays out, one thing a look."""

    def __init__(self) -> None:
        self.findings: list[Finding | Exception] = []
        self.seen: list[tuple[Held, Renewed | None, bool]] = []

    def look(self, held: Held, waiting: Renewed | None = None, *, thorough: bool) -> Finding:
        self.seen.append((held, waiting, thorough))
        found = self.findings.pop(0) if self.findings else None
        if isinstance(found, Exception):
            raise found
        return found


class Bench:
    """A reloader that looks only when it is told to."""

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self.start = held("a.test", states="old")
        self.in_force = PolicyInForce(self.start.policy)
        self.sink = Sink(self.in_force)
        self.script = Script()
        self.wanted = asyncio.Event()
        self.reloader = Reloader(
            cast("Reread", self.script),
            self.start,
            self.in_force,
            audit=self.sink,
            wanted=self.wanted,
            pause_seconds=LATER_SECONDS,
            say=say,
        )

    async def finds(self, found: Finding | Exception) -> None:
        self.script.findings.append(found)
        self.reloader._has_looked.clear()
        self.wanted.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.reloader._has_looked.wait()

    @property
    def notices(self) -> list[str]:
        return list(self.reloader.notices())


def story(tell: Callable[[Bench], object], *, say: Callable[[str], None] | None = None) -> None:
    async def inside() -> None:
        bench = Bench(say)
        async with bench.reloader:
            assert len(bench.script.seen) == 1, "it has looked when it is entered"
            await tell(bench)  # type: ignore[misc]  # a coroutine function

    asyncio.run(inside())


def test_a_change_is_on_the_disk_before_it_decides() -> None:
    async def tell(bench: Bench) -> None:
        told: list[str] = []
        bench.in_force.on_swap = lambda: told.append("swap")
        new = renewed("b.test")
        await bench.finds(new)
        assert bench.sink.synced == [(new.event, bench.start.policy)]
        assert bench.in_force.current is new.held.policy
        assert told == ["swap"]
        assert bench.notices == []
        await bench.finds(None)
        assert bench.script.seen[-1][0] is new.held

    story(tell)


def test_where_somebody_listens_each_thing_is_said_at_once_and_once() -> None:
    said: list[str] = []

    async def tell(bench: Bench) -> None:
        await bench.finds(rejected("bad"))
        await bench.finds(rejected("bad"))
        assert len(said) == 1
        assert "config.toml:1:1 x" in said[0]
        await bench.finds(renewed("b.test", late=("audit.otlp",)))
        assert said[1:] == [
            "the settings changed; at the next start takes effect: audit.otlp",
            "the rules changed (files), and hold from now on",
        ]
        assert bench.notices == [], "and not again at the end"

    story(tell, say=said.append)


def test_what_cannot_be_recorded_waits_and_is_tried_again() -> None:
    async def tell(bench: Bench) -> None:
        bench.sink.is_full = True
        new = renewed("b.test")
        await bench.finds(new)
        assert bench.in_force.current is bench.start.policy
        assert "could not be recorded (disk full)" in bench.notices[0]
        bench.sink.is_full = False
        await bench.finds(new)
        assert bench.script.seen[-1][1] is new, "it is not read again for that"
        assert bench.in_force.current is new.held.policy
        assert bench.notices == []

    story(tell)


def test_what_is_rejected_changes_nothing_and_is_recorded_once_for_each_content() -> None:
    async def tell(bench: Bench) -> None:
        await bench.finds(rejected("bad", "config.toml:1:1 x", "config.toml:2:1 y"))
        await bench.finds(rejected("bad"))
        await bench.finds(rejected("worse"))
        assert len(bench.sink.events) == 2
        assert bench.in_force.current is bench.start.policy
        assert bench.script.seen[-1][0].rejected == {FILE: "bad"}
        (notice,) = bench.notices
        assert "config.toml:1:1 x" in notice
        assert "the rules from before held" in notice

    story(tell)


@pytest.mark.parametrize(
    "then", [Settled(held=held("a.test")), renewed("b.test")], ids=["reverted", "mended"]
)
def test_what_is_mended_needs_no_notice(then: Finding) -> None:
    async def tell(bench: Bench) -> None:
        await bench.finds(rejected())
        await bench.finds(then)
        assert bench.notices == []
        await bench.finds(None)
        assert bench.script.seen[-1][0].rejected is None

    story(tell)


def test_an_expiry_does_not_mend_what_the_files_say() -> None:
    async def tell(bench: Bench) -> None:
        await bench.finds(rejected())
        new = renewed("b.test")
        await bench.finds(replace(new, held=replace(new.held, rejected={FILE: State("bad")})))
        assert len(bench.notices) == 1

    story(tell)


def test_what_is_rejected_is_not_forgotten_because_the_disk_is_full() -> None:
    async def tell(bench: Bench) -> None:
        bench.sink.is_full = True
        await bench.finds(rejected())
        assert len(bench.notices) == 1

    story(tell)


def test_new_addresses_of_this_host_decide_without_a_record() -> None:
    async def tell(bench: Bench) -> None:
        moved = replace(bench.start, policy=replace(bench.start.policy, host=Host()))
        await bench.finds(Moved(held=moved))
        assert bench.in_force.current is moved.policy
        assert bench.sink.events == []

    story(tell)


def test_what_holds_from_the_next_start_on_is_said_at_the_end() -> None:
    async def tell(bench: Bench) -> None:
        await bench.finds(renewed("b.test", late=("audit.directory", "resolver.hosts")))
        await bench.finds(renewed("c.test"))
        (notice,) = bench.notices
        assert notice.endswith("at the next start takes effect: audit.directory, resolver.hosts")

    story(tell)


def test_a_request_is_thorough_and_comes_at_once() -> None:
    async def tell(bench: Bench) -> None:
        await bench.finds(None)
        assert [thorough for _, _, thorough in bench.script.seen] == [False, True]

    story(tell)


def test_a_look_that_fails_is_not_the_last_one() -> None:
    async def tell(bench: Bench) -> None:
        await bench.finds(ValueError("bug"))
        assert "bug" in bench.notices[0]
        await bench.finds(renewed("b.test"))
        assert bench.notices == []

    story(tell)


def test_it_looks_by_itself_twice_a_second() -> None:
    async def inside() -> None:
        bench = Bench()
        bench.reloader._pause_seconds = 0.01
        async with bench.reloader:
            await until(lambda: len(bench.script.seen) > 5)

    asyncio.run(inside())


def test_a_look_that_hangs_delays_neither_the_loop_nor_the_end() -> None:
    """As on a network mount whose server is gone."""
    let_go = threading.Event()

    async def inside() -> None:
        hanging = asyncio.ensure_future(beside_the_loop(partial(let_go.wait, 60)))
        await asyncio.sleep(0.01)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging

    before = time.monotonic()
    asyncio.run(inside())
    assert time.monotonic() - before < PATIENCE_SECONDS
    let_go.set()
