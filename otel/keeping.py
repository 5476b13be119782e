"""What looks after a journal beside its records: signatures, new segments, old ones.

A Protocol only; `otel.evidence` fills it. A journal without a keeper is one chain in one segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from otel.chain import End
    from otel.folders import Position
    from otel.journal import Journal


# What nobody signed yet, whoever can write the file can rewrite.
EVERY_RECORDS: Final = 1000
EVERY_SECONDS: Final = 60.0


class Place(NamedTuple):
    """Where a record will stand that is about to be written."""

    end: End  # of the chain before it
    segment: int
    wall_ns: int


class Written(NamedTuple):
    """A record that was written: its number, and the position behind it."""

    seq: int
    end: Position


class Keeper(Protocol):
    """Its methods never raise `AuditUnavailable`: what it adds must not stop what it looks after.

    `due`, `starting` and `closing` are the journal's calls, the rest of the time it works in a
    thread of its own.
    """

    def admits(self, writer: str) -> bool:
        """Whether this writer's chain may be gone on with: it is locked, and not yet opened."""

    def opened(self, journal: Journal) -> None:
        """Look after this journal from now on."""

    def starting(self) -> None:
        """Threads may be started."""

    def due(self) -> None:
        """The number or the size that was asked for is reached. Under the journal's lock."""

    def closing(self) -> None:
        """Everything is written; afterwards nothing can be."""
