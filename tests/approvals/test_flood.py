from __future__ import annotations

from approvals.config import Config
from approvals.flood import Flood, Storm
from approvals.model import Limit

CONFIG = Config(max_pending=2, max_new=3, new_window_seconds=100.0, flood_window_seconds=10.0)


def test_so_many_at_once_and_no_more() -> None:
    flood = Flood(CONFIG)
    assert [flood.admit("s-1", 0.0) for _ in range(3)] == [None, None, Limit.PENDING]
    assert flood.admit("s-2", 0.0) is None
    flood.settled("s-1")
    assert flood.admit("s-1", 1.0) is None


def test_so_many_new_ones_in_a_window_and_no_more() -> None:
    flood = Flood(CONFIG)
    for now in (0.0, 10.0, 20.0):
        assert flood.admit("s-1", now) is None
        flood.settled("s-1")
    assert flood.admit("s-1", 99.0) is Limit.RATE
    assert flood.wait_seconds("s-1", Limit.RATE, 99.0) == 1.0
    assert flood.wait_seconds("s-1", Limit.PENDING, 99.0) == 0.0
    assert flood.admit("s-1", 100.0) is None


def test_a_storm_is_told_once_in_a_window_with_its_number() -> None:
    flood = Flood(CONFIG)
    for _ in range(2):
        flood.admit("s-1", 0.0)
    assert flood.next_end() is None
    assert [flood.refuse("s-1", Limit.PENDING, now) for now in (1.0, 2.0, 3.0)] == [
        True, False, False,
    ]  # fmt: skip
    assert flood.next_end() == 11.0
    assert flood.over(10.9) == []
    assert flood.over(11.0) == [Storm(session="s-1", limit=Limit.PENDING, refused=3, ends_at=11.0)]
    assert flood.over(11.0) == []
    assert flood.refuse("s-1", Limit.PENDING, 12.0)
    assert [storm.refused for storm in flood.over(None)] == [1]


def test_a_session_is_forgotten_when_it_leaves_nothing() -> None:
    flood = Flood(CONFIG)
    flood.forget("s-0")
    flood.admit("s-1", 0.0)
    flood.forget("s-1")
    flood.admit("s-1", 0.0)
    assert flood.admit("s-1", 0.0) is Limit.PENDING
    flood.settled("s-1")
    flood.settled("s-1")
    flood.forget("s-1")
    assert [flood.admit("s-1", 0.0) for _ in range(2)] == [None, None]
