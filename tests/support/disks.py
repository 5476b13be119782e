"""A disk in memory that fails on demand: full, broken, hanging, unplugged.

It fills `otel.segment.Shelf` and hands out `SegmentFile`s, and keeps a log of all that was asked of
it, so that a plug can be pulled at every moment afterwards.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import NamedTuple

from otel import AuditMode, AuditTrail, Journal
from otel.chain import Record, parse
from otel.segment import Tail
from otel.space import Space
from tests.support.journals import SteppingClock

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
PATIENCE_SECONDS = 20.0


class Step(NamedTuple):
    """One thing that the disk did."""

    what: str  # write | sync | cut | begin
    number: int  # of the segment
    data: bytes = b""
    size: int = 0
    began: int = 0  # how many steps there were before it


class DiskFile:
    """One segment. What was written stays in `content` until the plug is pulled."""

    def __init__(self, disk: Disk, number: int) -> None:
        self.disk = disk
        self.number = number
        self.is_poisoned = False

    def write(self, data: bytes) -> int:
        disk = self.disk
        disk.wait_for_writes()
        if disk.write_error is not None:
            raise OSError(disk.write_error, os.strerror(disk.write_error))
        taken = data[: disk.left()]
        if data and not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        disk.contents[self.number] += taken
        disk.log.append(Step("write", self.number, taken))
        return len(taken)

    def truncate(self, size: int) -> None:
        if self.disk.truncate_error is not None:
            raise OSError(self.disk.truncate_error, os.strerror(self.disk.truncate_error))
        self.disk.cut(self.number, size)

    def sync(self) -> None:
        disk = self.disk
        disk.syncs += 1
        disk.syncing.release()
        disk.wait_for_syncs()
        assert not self.is_poisoned, "a descriptor whose sync failed is never asked again"
        if disk.sync_errors:
            self.is_poisoned = True
            number = disk.sync_errors.pop(0)
            raise OSError(number, os.strerror(number))
        # What is written while it lasts may be on the disk with it, or not: here it is not.
        before, began = len(disk.contents[self.number]), len(disk.log)
        time.sleep(disk.sync_seconds)
        disk.log.append(Step("sync", self.number, size=before, began=began))

    def is_there(self) -> bool:
        return not self.disk.is_removed

    def close(self) -> None:
        self.disk.closed.append(self.number)


class Disk:
    """All segments of one writer."""

    def __init__(self, *, capacity: int = 1 << 40) -> None:
        self.contents: dict[int, bytes] = {1: b""}
        self.log: list[Step] = []
        self.capacity = capacity
        self.ballast = 0
        self.write_error: int | None = None
        self.truncate_error: int | None = None
        self.begin_error: int | None = None
        self.sync_errors: list[int] = []  # of the next syncs
        self.is_removed = False
        self.sync_seconds = 0.0  # how long a sync takes
        self.syncs = 0
        self.syncing = threading.Semaphore(0)  # released at each sync's beginning
        self.closed: list[int] = []
        self._writes, self._syncs = threading.Event(), threading.Event()
        self.answer()

    # What tests do to it

    def hang_syncs(self) -> None:
        """Take writes into memory only."""
        self._syncs.clear()

    def hang(self) -> None:
        self._syncs.clear()
        self._writes.clear()

    def answer(self) -> None:
        self._syncs.set()
        self._writes.set()

    def wait_for_writes(self) -> None:
        assert self._writes.wait(PATIENCE_SECONDS), "a test left the disk hanging"

    def wait_for_syncs(self) -> None:
        assert self._syncs.wait(PATIENCE_SECONDS), "a test left the disk hanging"

    @property
    def records(self) -> list[Record]:
        lines = b"".join(self.contents[number] for number in sorted(self.contents)).split(b"\n")
        assert lines.pop() == b"", "no half line at the end"
        return [parse(line) for line in lines]

    @property
    def names(self) -> list[str]:
        return [record.name.removeprefix("netproxy.") for record in self.records]

    @property
    def hosts(self) -> list[object]:
        return [record.attributes.get("server.address") for record in self.records]

    def left(self) -> int:
        return max(0, self.capacity - self.ballast - sum(map(len, self.contents.values())))

    def survivors(self, steps: int) -> dict[int, bytes]:
        """What is on the disk when the plug is pulled after so many of its steps."""
        cached: dict[int, bytes] = {1: b""}
        durable: dict[int, bytes] = {1: b""}
        for step in self.log[:steps]:
            match step.what:
                case "write":
                    cached[step.number] += step.data
                case "cut":
                    cached[step.number] = cached[step.number][: step.size]
                    durable[step.number] = durable[step.number][: step.size]
                case "begin":
                    cached[step.number] = durable[step.number] = b""
                case _:
                    durable[step.number] = cached[step.number][: step.size]
        return durable

    # What the journal asks of it

    def begin(self, number: int) -> DiskFile:
        self.wait_for_writes()
        if self.begin_error is not None:
            raise OSError(self.begin_error, os.strerror(self.begin_error))
        if number in self.contents:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self.contents[number] = b""
        self.log.append(Step("begin", number))
        return DiskFile(self, number)

    def last_line(self, number: int, size: int) -> bytes | None:
        content = self.contents[number][:size]
        return content.split(b"\n")[-2] if len(content) == size else None

    def cut_back(self, number: int, size: int) -> None:
        self.cut(number, size)

    def cut(self, number: int, size: int) -> None:
        self.contents[number] = self.contents[number][:size]
        self.log.append(Step("cut", number, size=size))

    def space(self) -> Space:
        return Space(self.left(), self.capacity)

    def keep_ballast(self, size: int) -> int:
        self.ballast = max(self.ballast, size)
        return self.ballast

    def drop_ballast(self) -> None:
        self.ballast = 0

    def close(self) -> None:
        self.closed.append(0)


def journal_on(disk: Disk, clock: SteppingClock | None = None) -> Journal:
    """A journal whose first segment is on this disk."""
    return Journal(
        writer=WRITER,
        segment=DiskFile(disk, 1),
        tail=Tail(number=1, size=0, torn_bytes=0, last_line=None),
        clock=clock or SteppingClock(),
        locks=(),
        shelf=disk,
    )


def trail_on(disk: Disk, mode: AuditMode = AuditMode.WRITTEN) -> AuditTrail:
    return AuditTrail(journal_on(disk), {}, mode)
