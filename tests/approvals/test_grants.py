"""Every way in which a grant ends, what that closes, and what the store is told of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from approvals.errors import StoreUnavailable
from approvals.grants import Grants, Revoker
from approvals.memory import SessionMemory
from approvals.model import Budget, Grant, GrantEnd, Scope, Verdict
from approvals.store.memory import MemoryStore
from approvals.trail import Trail
from tests.support.approvals import KEY, ListSink, answer, grant
from tests.support.virtual_time import VirtualClock, run_virtual

NOW = VirtualClock.STARTED
BY = Revoker(reviewer="anna", channel="web", comment="no longer")


class NotedStore(MemoryStore):
    """Takes any end, and notes it; `down` is a store that can't be reached."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[tuple[str, str]] = []
        self.spent: list[Grant] = []
        self.down = False

    async def end_grant(self, grant: Grant, end: GrantEnd) -> bool:
        if self.down:
            raise StoreUnavailable("gone")
        self.ends.append((grant.grant_id, end.value))
        return True

    async def spend(self, grant: Grant) -> None:
        if self.down:
            raise StoreUnavailable("gone")
        self.spent.append(grant)


class Held:
    def __init__(self) -> None:
        self.memory = SessionMemory()
        self.store = NotedStore()
        self.sink = ListSink()
        self.wakes = 0
        trail = Trail(self.sink, VirtualClock())
        self.grants = Grants(self.memory, self.store, trail, VirtualClock(), self._wake)
        self.cut: list[tuple[str, str]] = []
        self.stop = self.grants.on_ended(
            KEY.session, lambda ended, end: self.cut.append((ended.grant_id, end.value))
        )

    def _wake(self) -> None:
        self.wakes += 1

    def keep(self, **changes: object) -> Grant:
        made = replace(grant(), created_at=NOW, **changes)  # type: ignore[arg-type]  # of a test
        self.grants.keep(made)
        return made


@pytest.mark.parametrize(
    ("end", "cuts"),
    [
        (GrantEnd.REVOKED, True),
        (GrantEnd.EXPIRED, True),
        (GrantEnd.RUN_ENDED, False),
        (GrantEnd.SESSION_ENDED, False),
        (GrantEnd.USED, False),
    ],
)
def test_an_end_takes_it_from_memory_records_it_and_tells_the_store(
    end: GrantEnd, cuts: bool
) -> None:
    async def main() -> None:
        held = Held()
        held.keep()
        assert held.grants.end("g-1", end, BY)
        assert held.memory.grant(KEY) is None
        assert held.cut == ([("g-1", end.value)] if cuts else [])
        assert held.sink.names == ["grant.ended"]
        assert [held.grants.owes] == [True]
        await held.grants.settle()
        assert held.store.ends == [("g-1", end.value)]
        assert [held.grants.owes] == [False]
        assert not held.grants.end("g-1", end)

    run_virtual(main())


def test_who_took_it_back_is_on_record_and_synced() -> None:
    async def main() -> None:
        held = Held()
        held.keep()
        held.grants.end("g-1", GrantEnd.REVOKED, BY)
        (event,) = (each.attributes() for each in held.sink.synced)
        assert event["netproxy.reviewer.id"] == "anna"
        assert event["netproxy.channel"] == "web"
        assert event["netproxy.review.comment"] == "no longer"

    run_virtual(main())


def test_revoking_works_without_record_and_store() -> None:
    async def main() -> None:
        held = Held()
        held.keep()
        held.sink.broken.add("*")
        held.store.down = True
        assert not held.grants.end("g-1", GrantEnd.REVOKED, BY)
        assert held.memory.grant(KEY) is None
        assert held.cut == [("g-1", "revoked")]
        with pytest.raises(StoreUnavailable):
            await held.grants.settle()
        assert [held.grants.owes] == [True]
        held.store.down = False
        await held.grants.settle()
        assert held.store.ends == [("g-1", "revoked")]

    run_virtual(main())


def test_a_denial_that_is_taken_back_closes_nothing_and_whoever_left_is_not_told() -> None:
    async def main() -> None:
        held = Held()
        held.grants.keep(grant(said=answer(Verdict.DENY, Scope.SESSION)))
        held.grants.end("g-1", GrantEnd.REVOKED)
        assert held.cut == []
        held.keep()
        held.stop()
        held.grants.end("g-1", GrantEnd.REVOKED)
        assert held.cut == []

    run_virtual(main())


def test_time_runs_out_for_each_by_itself() -> None:
    async def main() -> None:
        held = Held()
        held.keep(expires_at=NOW + 50)
        held.keep(grant_id="g-2", approval_id="a-2", expires_at=NOW + 20, key=replace(KEY, port=80))
        assert held.wakes == 2
        assert held.grants.next_due == 20
        await asyncio.sleep(19)
        held.grants.expire()
        assert len(held.memory) == 2
        await asyncio.sleep(1)
        held.grants.expire()
        assert held.cut == [("g-2", "expired")]
        assert held.grants.next_due == 50
        held.grants.end("g-1", GrantEnd.REVOKED)
        await asyncio.sleep(31)
        held.grants.expire()
        assert [held.grants.next_due] == [None]
        assert held.sink.names.count("grant.ended") == 2

    run_virtual(main())


class SleptClock(VirtualClock):
    """The machine was suspended, or its clock was set, by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def wall(self) -> float:
        return super().wall() + self.seconds


@pytest.mark.parametrize(("seconds", "left"), [(3600.0, 0), (-3600.0, 1)])
def test_neither_sleep_nor_a_clock_that_is_set_back_gives_anybody_more_time(
    seconds: float, left: int
) -> None:
    async def main() -> None:
        held = Held()
        held.keep(expires_at=NOW + 60)
        held.grants._clock = SleptClock(seconds)
        held.grants.expire()
        assert len(held.memory) == left
        await asyncio.sleep(60)
        held.grants.expire()
        assert len(held.memory) == 0

    run_virtual(main())


def test_the_last_connection_of_a_budget_goes_on_and_the_next_asks() -> None:
    async def main() -> None:
        held = Held()
        held.keep(budget=Budget(connections=2))
        assert held.grants.spend("a-1", connections=1, carried=0)
        assert KEY in {each.key for each in held.memory.every()}
        assert held.grants.spend("a-1", connections=1, carried=0)
        assert held.memory.grant(KEY) is None
        assert not held.grants.spend("a-1", connections=1, carried=0)
        assert held.grants.spend("a-1", connections=0, carried=10**9) is False
        assert held.cut == []
        (event,) = (each.attributes() for each in held.sink.events)
        assert event["netproxy.grant.end_reason"] == "used_up"
        assert event["netproxy.grant.connections"] == 2

    run_virtual(main())


def test_bytes_that_are_used_up_close_what_carries_them() -> None:
    async def main() -> None:
        held = Held()
        held.keep(budget=Budget(bytes=100))
        assert held.grants.spend("a-1", connections=1, carried=99)
        assert held.cut == []
        assert held.grants.spend("a-1", connections=0, carried=1)
        assert held.cut == [("g-1", "used_up")]
        assert not held.grants.spend("a-1", connections=0, carried=1)

    run_virtual(main())


def test_bytes_go_on_to_count_when_the_connections_are_used_up() -> None:
    async def main() -> None:
        held = Held()
        held.keep(budget=Budget(connections=1, bytes=100))
        assert held.grants.spend("a-1", connections=1, carried=40)
        assert held.memory.grant(KEY) is None
        assert not held.grants.spend("a-1", connections=1, carried=0)
        assert held.grants.spend("a-1", connections=0, carried=59)
        assert held.cut == []
        assert held.grants.spend("a-1", connections=0, carried=1)
        assert held.cut == [("g-1", "used_up")]
        assert held.sink.names == ["grant.ended"]

    run_virtual(main())


def test_a_grant_without_a_budget_is_never_used_up() -> None:
    async def main() -> None:
        held = Held()
        held.keep()
        assert held.grants.spend("a-1", connections=10**6, carried=10**12)
        assert held.memory.grant(KEY) is not None
        assert [held.grants.owes] == [False]
        assert not held.grants.spend("a-unknown", connections=1, carried=0)

    run_virtual(main())


def test_the_store_learns_what_budgets_were_used_for() -> None:
    async def main() -> None:
        held = Held()
        held.keep(budget=Budget(connections=9))
        held.grants.spend("a-1", connections=2, carried=5)
        held.store.down = True
        with pytest.raises(StoreUnavailable):
            await held.grants.settle()
        held.store.down = False
        await held.grants.settle()
        assert [(each.used_connections, each.used_bytes) for each in held.store.spent] == [(2, 5)]
        assert [held.grants.owes] == [False]

    run_virtual(main())


def test_a_run_ends_what_was_allowed_for_it_and_nothing_else() -> None:
    async def main() -> None:
        held = Held()
        for number, scope in enumerate(Scope):
            held.keep(grant_id=f"g-{number}", approval_id=f"a-{number}", scope=scope)
        held.grants.end_run("r-2")
        assert len(held.memory) == 5
        held.grants.end_run("r-1")
        assert [each.scope for each in held.memory.every()] == [
            Scope.TIME, Scope.SESSION, Scope.ALWAYS,
        ]  # fmt: skip
        await held.grants.settle()
        assert held.store.ends == [("g-0", "run_ended"), ("g-1", "run_ended")]

    run_virtual(main())


def test_a_named_session_leaves_in_the_store_what_lasts() -> None:
    async def main() -> None:
        held = Held()
        for number, scope in enumerate(Scope):
            held.keep(grant_id=f"g-{number}", approval_id=f"a-{number}", scope=scope)
        held.keep(grant_id="g-9", approval_id="a-9", budget=Budget(connections=5))
        held.grants.spend("a-9", connections=1, carried=0)
        held.grants.resume(KEY.session, ())
        held.grants.end_all()
        assert len(held.memory) == 0
        await held.grants.settle()
        assert held.store.ends == [("g-0", "session_ended"), ("g-1", "session_ended")]
        assert [each.used_connections for each in held.store.spent] == [1]

    run_virtual(main())


def test_what_is_resumed_holds_for_the_time_that_is_left_and_nothing_comes_back() -> None:
    async def main() -> None:
        held = Held()
        revoked = held.keep(grant_id="g-3", approval_id="a-3")
        held.grants.end("g-3", GrantEnd.REVOKED)
        late = replace(grant(), expires_at=NOW - 1)
        good = replace(grant(), grant_id="g-2", approval_id="a-2", expires_at=NOW + 10)
        others = [
            replace(good, grant_id=f"g-{scope}", approval_id=f"a-{scope}", scope=scope)
            for scope in (Scope.ONCE, Scope.RUN)
        ]
        held.grants.resume(KEY.session, (late, good, revoked, *others))
        assert [each.grant_id for each in held.memory.every()] == ["g-2"]
        await asyncio.sleep(10)
        held.grants.expire()
        assert len(held.memory) == 0

    run_virtual(main())


def test_a_lease_is_taken_once_and_by_its_run() -> None:
    async def main() -> None:
        held = Held()
        held.keep(scope=Scope.ONCE)
        assert held.grants.use_lease(KEY, "r-2") is None
        used = held.grants.use_lease(KEY, "r-1")
        assert used is not None
        assert (used[0].grant_id, used[1]) == ("g-1", True)
        assert held.grants.use_lease(KEY, "r-1") is None

    run_virtual(main())


def test_what_only_the_store_has_is_taken_back_there() -> None:
    async def main() -> None:
        held = Held()
        await held.grants.withdraw(grant())
        assert held.store.ends == [("g-1", "revoked")]
        assert held.sink.names == []

    run_virtual(main())
