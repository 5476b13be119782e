from __future__ import annotations

import threading

from otel.flusher import Flusher


def test_each_touch_is_followed_by_a_sync() -> None:
    synced = threading.Semaphore(0)
    flusher = Flusher(synced.release)
    flusher.start()
    flusher.start()
    for _ in range(3):
        flusher.touch()
        assert synced.acquire(timeout=5)
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
