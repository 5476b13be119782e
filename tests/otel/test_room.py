from __future__ import annotations

import errno
import os

from otel.room import Room
from otel.space import Space, Step
from tests.support.disks import Disk

KIB = 1024


class FailingDisk(Disk):
    def keep_ballast(self, size: int) -> int:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    def space(self) -> Space:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_the_ballast_is_kept_given_up_and_kept_again() -> None:
    disk = Disk(capacity=800 * KIB)
    now = [0.0]
    room = Room(disk, lambda: now[0])
    assert disk.ballast == 200 * KIB
    disk.contents[1] = b"x" * 600 * KIB
    assert room.fill_up()
    assert (room.step, disk.ballast, room.free) == (Step.FULL, 0, 200 * KIB)
    assert not room.fill_up()
    assert not room.look(), "200 KiB are what the ballast left"
    disk.contents[1] = b""
    assert not room.is_due()
    now[0] = 1.0
    assert room.is_due()
    assert room.look()
    assert (room.step, disk.ballast) == (Step.OK, 200 * KIB)


def test_a_step_is_told_once() -> None:
    disk = Disk(capacity=800 * KIB)
    room = Room(disk)
    disk.contents[1] = b"x" * 570 * KIB
    assert room.look()
    assert room.step is Step.CRITICAL
    assert not room.look()


def test_a_disk_that_does_not_say_is_taken_as_it_was() -> None:
    room = Room(FailingDisk())
    assert not room.look()
    assert room.step == "ok"
    assert room.fill_up()
    assert room.step == "full"
