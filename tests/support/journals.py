"""Journals for tests: events to record, clocks that stand still, files that fail."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from otel import AuditTrail, Journal, Record
from otel.events import PolicyDecision
from otel.folders import segment_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from otel import Value

# 2026-01-02T03:04:05.678Z
NOON_NS = 1_767_323_045_678_000_000


class SteppingClock:
    """Each look is one millisecond later."""

    def __init__(self, start_ns: int = NOON_NS) -> None:
        self.now_ns = start_ns

    def wall_ns(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns - NOON_NS


class FailingFile:
    """A segment file whose next writes, cuts and syncs can be made to fail."""

    def __init__(self) -> None:
        self.content = b""
        self.takes: int | None = None  # bytes that the next write takes, None for all
        self.write_error: int | None = None
        self.truncate_error: int | None = None
        self.sync_error: int | None = None
        self.syncs = 0
        self.is_removed = False

    def write(self, data: bytes) -> int:
        self._fail(self.write_error)
        taken = data if self.takes is None else data[: self.takes]
        self.content += taken
        return len(taken)

    def truncate(self, size: int) -> None:
        self._fail(self.truncate_error)
        self.content = self.content[:size]

    def sync(self) -> None:
        self._fail(self.sync_error)
        self.syncs += 1

    def is_there(self) -> bool:
        return not self.is_removed

    def close(self) -> None:
        pass

    def _fail(self, number: int | None) -> None:
        if number is not None:
            raise OSError(number, os.strerror(number))


DISK_FULL = errno.ENOSPC
DISK_BROKEN = errno.EIO


def decision(
    host: str = "example.com", *, decision: str = "deny", method: str = "CONNECT"
) -> PolicyDecision:
    """The event of the design page's sample."""
    return PolicyDecision(
        connection_id="c-01JD2QABCDEFGHJKMNPQRSTVWX",
        client_address="127.0.0.1:40312",
        server_address=host,
        server_port=443,
        protocol="https",
        method=method,
        scope="domain",
        decision=decision,
        source="baseline_policy",
        reason="not_allowed" if decision == "deny" else "allowed_by_rule",
        override=False,
    )


def read_record(
    attributes: Mapping[str, Value], *, name: str = "netproxy.run.exited", severity: int = 9
) -> Record:
    """A record as a reader has it, of any attributes at all."""
    return Record(
        writer="w-01JD2QABCDEFGHJKMNPQRSTVWX",
        seq=1,
        uid="e-1-1",
        timestamp="2026-01-02T03:04:05.678Z",
        mono_ns=1,
        name=name,
        severity=severity,
        attributes=attributes,
        previous=b"",
        digest=b"",
        expected_digest=b"",
    )


def write_journal(directory: Path, count: int, *, start_ns: int = NOON_NS) -> str:
    """A closed journal of `count` decisions about `h1.example`, …; the writer's id."""
    journal = Journal.open(directory, clock=SteppingClock(start_ns))
    trail = AuditTrail(journal, {"execution.id": "r-1", "session.id": "s-1"})
    for number in range(journal.last_seq + 1, journal.last_seq + count + 1):
        trail.record(decision(f"h{number}.example"))
    journal.close()
    return journal.writer


def segment_of(directory: Path, writer: str, number: int = 1) -> Path:
    """The path of a writer's segment."""
    return directory / writer / segment_name(number)
