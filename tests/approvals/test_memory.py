from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.memory import SessionMemory
from approvals.model import Budget, Grant, Key, Scope, Verdict
from tests.support.approvals import KEY, answer, grant

KEYS = st.builds(
    Key,
    session=st.sampled_from(["s-1", "s-2"]),
    host=st.sampled_from(["a.example", "b.example", "a.example.b.example", "10.0.0.1"]),
    protocol=st.sampled_from(["http", "https", "socks5-tcp", "socks5-udp", "tcp"]),
    port=st.sampled_from([80, 443, 8443]),
)
RUNS = st.sampled_from(["r-1", "r-2"])


def of(scope: Scope, key: Key = KEY, run: str = "r-1", number: int = 1) -> Grant:
    given = grant(key, answer(Verdict.ALLOW, scope))
    return replace(given, grant_id=f"g-{number}", approval_id=f"a-{number}", run=run)


@given(st.sampled_from(Scope), KEYS, RUNS, KEYS, RUNS)
def test_a_grant_never_matches_another_key(
    scope: Scope, granted: Key, run: str, asked: Key, asking: str
) -> None:
    """Nor another run, where it is for one."""
    memory = SessionMemory()
    memory.remember(of(scope, granted, run))
    same_run = run == asking or scope not in {Scope.ONCE, Scope.RUN}
    found = memory.lease(asked, asking) if scope is Scope.ONCE else memory.grant(asked, asking)
    assert (found is not None) is (asked == granted and same_run)
    assert memory.denial(asked) is None
    if scope is Scope.ONCE:
        assert memory.grant(asked, asking) is None
    else:
        assert memory.lease(asked, asking) is None


@given(KEYS, KEYS)
def test_a_denial_never_matches_another_key(denied: Key, asked: Key) -> None:
    memory = SessionMemory()
    memory.remember(grant(denied, answer(Verdict.DENY, Scope.SESSION)))
    assert (memory.denial(asked) is not None) is (asked == denied)
    assert memory.denies
    assert memory.grant(asked) is None


@pytest.mark.parametrize("scope", [Scope.RUN, Scope.TIME, Scope.SESSION, Scope.ALWAYS])
def test_a_denial_beats_a_grant_whichever_came_first(scope: Scope) -> None:
    no = replace(grant(said=answer(Verdict.DENY, Scope.SESSION)), grant_id="g-0", approval_id="a-0")
    for order in ((of(scope), no), (no, of(scope))):
        memory = SessionMemory()
        for one in order:
            memory.remember(one)
        assert memory.grant(KEY, "r-1") is None
        assert memory.denial(KEY) is no


@pytest.mark.parametrize("scope", Scope)
def test_what_is_forgotten_serves_nobody_and_is_forgotten_once(scope: Scope) -> None:
    memory = SessionMemory()
    memory.remember(of(scope))
    assert (len(memory), "g-1" in memory, memory.holds("a-1")) == (1, True, True)
    assert memory.forget("g-1") == of(scope)
    assert memory.forget("g-1") is None
    assert memory.grant(KEY, "r-1") is memory.lease(KEY, "r-1") is memory.find("g-1") is None
    assert (len(memory), memory.sessions, memory.of_run("r-1")) == (0, (), ())
    assert not memory.holds("a-1")


@pytest.mark.parametrize("scope", Scope)
def test_forgetting_leaves_a_newer_answer_in_its_place(scope: Scope) -> None:
    memory = SessionMemory()
    memory.remember(of(scope))
    newer = of(scope, number=2)
    memory.remember(newer)
    memory.forget("g-1")
    found = memory.lease(KEY, "r-1") if scope is Scope.ONCE else memory.grant(KEY, "r-1")
    assert found is newer


def test_use_is_counted_and_told_where_there_is_a_budget() -> None:
    memory = SessionMemory()
    memory.remember(of(Scope.SESSION))
    assert memory.spend("a-1", connections=1, carried=10) is None
    assert memory.spend("a-9", connections=1, carried=10) is None
    used = memory.find("g-1")
    assert used is not None
    assert (used.used_connections, used.used_bytes) == (1, 10)
    budgeted = replace(of(Scope.SESSION, number=2), budget=Budget(bytes=100), used_bytes=50)
    memory.remember(budgeted)
    assert memory.spend("a-2", connections=1, carried=40) == replace(
        budgeted, used_connections=1, used_bytes=90
    )
    assert [each.used_bytes for each in memory.every()] == [10, 90]


def test_answers_are_found_by_run_and_by_session() -> None:
    memory = SessionMemory()
    for number, scope in enumerate(Scope):
        memory.remember(of(scope, number=number))
    other = of(Scope.RUN, replace(KEY, session="s-2"), "r-2", number=9)
    memory.remember(other)
    assert memory.of_run("r-1") == ("g-0", "g-1")
    assert memory.of_session("s-1") == ("g-0", "g-1", "g-2", "g-3", "g-4")
    assert memory.of_session("s-2") == memory.of_run("r-2") == ("g-9",)
    assert set(memory.sessions) == {"s-1", "s-2"}


def test_a_denial_is_forgotten_like_any_answer() -> None:
    memory = SessionMemory()
    no = grant(said=answer(Verdict.DENY, Scope.SESSION))
    memory.remember(no)
    assert memory.forget(no.grant_id) == no
    assert memory.denial(no.key) is None
    assert not memory.denies
