"""Whose ids records of the approval service have, where runs share a session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from netproxy.app.open_runs import OpenRuns

if TYPE_CHECKING:
    from netproxy.app.reception import Run


def run(number: int, session: str = "s-1") -> Run:
    made = SimpleNamespace(session_id=session, execution_id=f"r-{number}", trail=f"trail {number}")
    return cast("Run", made)


def test_each_run_has_its_own_and_the_session_that_of_who_came_last() -> None:
    trails: dict[str, Any] = {}
    runs, first, second = OpenRuns(trails), run(1), run(2)
    runs.admit(first)
    runs.admit(second)
    assert trails == {"r-1": "trail 1", "r-2": "trail 2", "s-1": "trail 2"}
    assert not runs.leave(second)
    runs.forget(second)
    assert trails == {"r-1": "trail 1", "s-1": "trail 1"}
    assert runs.leave(first)
    assert trails["r-1"] == "trail 1", "for last words"
    runs.forget(first)
    assert trails == {}


def test_who_comes_while_the_last_one_closes_keeps_the_session() -> None:
    trails: dict[str, Any] = {}
    runs, first, second, other = OpenRuns(trails), run(1), run(2), run(3, "s-2")
    runs.admit(first)
    runs.admit(other)
    assert runs.leave(first)
    runs.admit(second)
    runs.forget(first)
    assert trails == {"r-2": "trail 2", "s-1": "trail 2", "r-3": "trail 3", "s-2": "trail 3"}
