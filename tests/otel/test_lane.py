from __future__ import annotations

import threading

import pytest

from otel import AuditUnavailable
from otel.lane import Batch, Lane
from tests.support.journals import decision

PATIENCE_SECONDS = 20


def batch(count: int = 1) -> Batch:
    fill = lambda _: ("netproxy.x", 9, "{}")  # noqa: E731
    return Batch([(fill, decision(), 0, 0)] * count)


class Pen:
    """Writes when it may."""

    def __init__(self) -> None:
        self.written: list[Batch] = []
        self.may = threading.Semaphore(0)
        self.finished = threading.Semaphore(0)

    def write(self, batch: Batch) -> None:
        assert self.may.acquire(timeout=PATIENCE_SECONDS)
        self.written.append(batch)


def test_batches_are_written_in_order_and_told() -> None:
    pen = Pen()
    lane = Lane(pen.write, pen.finished.release)
    first, second = batch(), batch()
    lane.put(first)
    lane.put(second)
    assert lane.is_busy
    assert not first.wait(0.0)
    assert lane.waiting_seconds() > 0
    pen.may.release(2)
    assert second.wait(PATIENCE_SECONDS)
    assert pen.finished.acquire(timeout=PATIENCE_SECONDS)
    assert pen.written == [first, second]
    assert first.is_done
    assert lane.waiting_seconds() == 0
    assert lane.stop()


def test_what_waits_is_bounded() -> None:
    pen = Pen()
    lane = Lane(pen.write, pen.finished.release)
    lane.put(batch(20_000))
    with pytest.raises(AuditUnavailable, match="20000 records wait for the disk"):
        lane.put(batch())
    pen.may.release(2)
    assert pen.finished.acquire(timeout=PATIENCE_SECONDS)
    lane.put(batch())
    assert lane.stop()
    assert len(pen.written) == 2


def test_the_end_does_not_wait_for_a_disk_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel.lane._STOP_SECONDS", 0.01)
    pen = Pen()
    lane = Lane(pen.write, pen.finished.release)
    lane.put(batch())
    assert not lane.stop()
    pen.may.release()
    assert pen.finished.acquire(timeout=PATIENCE_SECONDS)


def test_stopping_what_never_ran() -> None:
    assert Lane(lambda _: None, lambda: None).stop()
