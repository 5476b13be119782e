from __future__ import annotations

import threading

import pytest

from otel.flusher import Flusher, gathering_seconds
from tests.support.loops import PATIENCE_SECONDS


def test_each_touch_is_followed_by_a_sync() -> None:
    synced = threading.Semaphore(0)
    flusher = Flusher(synced.release)
    flusher.start()
    flusher.start()
    for _ in range(3):
        flusher.touch()
        assert synced.acquire(timeout=PATIENCE_SECONDS)
    assert flusher.stop()


def test_a_burst_shares_syncs() -> None:
    syncs: list[int] = []
    flusher = Flusher(lambda: syncs.append(1))
    flusher.start()
    for _ in range(1000):
        flusher.touch()
    assert flusher.stop()
    assert 1 <= len(syncs) < 500


def test_stopping_what_never_ran() -> None:
    assert Flusher(lambda: None).stop()


def test_syncs_are_gathered_for_as_long_as_the_promise_leaves_time() -> None:
    """Ten milliseconds from the write: gathering, and a sync that may take twice the last one's."""
    assert gathering_seconds(0.0002) == 0.008
    assert gathering_seconds(0.002) == pytest.approx(0.006)
    assert gathering_seconds(0.050) == 0.001
    for milliseconds in range(5):
        seconds = milliseconds / 1000
        assert gathering_seconds(seconds) + 2 * seconds <= 0.010


def test_what_is_written_during_a_sync_gets_one_of_its_own() -> None:
    began, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def sync() -> None:
        began.release()
        assert go_on.acquire(timeout=PATIENCE_SECONDS)

    flusher = Flusher(sync)
    flusher.start()
    flusher.touch()
    assert began.acquire(timeout=PATIENCE_SECONDS)
    flusher.touch()
    go_on.release()
    assert began.acquire(timeout=PATIENCE_SECONDS)
    go_on.release(2)
    assert flusher.stop()
