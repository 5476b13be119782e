"""The ladder of free space, and the ballast that is given up at its end.

A step down needs both: little in bytes, and little of the disk. 200 GB free are enough however
small a part they are, and a small disk that is almost empty is well. A connection leaves some 2 KiB
of records, so `low` leaves days to somebody who acts, and `critical` hours.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from otel.values import dataclass

_MIB: Final = 1024 * 1024
# Room for some 300 refusals and the records of an orderly end, and no burden on a laptop with one
# journal for each run at a time.
_BALLAST: Final = 256 * 1024
# On a small disk it takes a quarter of what is free, in whole blocks of a file system.
_SHARE: Final = 4
_BLOCK: Final = 4096
# So that a step is not taken up and down with every file that somebody else writes.
_BACK: Final = 1.25


class Step(StrEnum):
    """How full the journal's disk is."""

    OK = "ok"
    LOW = "low"
    CRITICAL = "critical"
    FULL = "full"  # a write failed for it


@dataclass(frozen=True, slots=True)
class Space:
    """Of a file system, in bytes; what only root may use is not free."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class _Threshold:
    step: Step
    free: int
    share: float


# The reference's numbers (section 3.3), of which both have to be true here.
_THRESHOLDS = (
    _Threshold(Step.CRITICAL, 128 * _MIB, 0.05),
    _Threshold(Step.LOW, 512 * _MIB, 0.20),
)
_ORDER = tuple(Step)


def step(space: Space, before: Step) -> Step:
    """Where on the ladder that is, coming from `before`. Only a failed write makes it full."""
    for threshold in _THRESHOLDS:
        # Whoever is this far down has to come up a bit further.
        slack = _BACK if _ORDER.index(before) >= _ORDER.index(threshold.step) else 1.0
        is_little = space.free < threshold.free * slack
        if is_little and space.free < space.total * threshold.share * slack:
            return threshold.step
    return Step.OK


def ballast_size(space: Space) -> int:
    """How much to keep for the last words, in bytes; 0 on a disk that has no room for it."""
    return min(_BALLAST, space.free // _SHARE // _BLOCK * _BLOCK)


def has_room_again(space: Space, ballast: int) -> bool:
    """Whether a disk that was full can take records and a new ballast besides."""
    return space.free >= 2 * max(ballast, 2 * _BLOCK)
