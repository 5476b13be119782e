"""What an allow waits for, and what becomes of it when it can't be recorded."""

from __future__ import annotations

from enum import StrEnum


class AuditMode(StrEnum):
    """`[audit] mode`."""

    WRITTEN = "written"  # for the file: a killed gateway loses nothing; on the disk within 10 ms
    STRICT = "strict"  # for the disk: a machine that loses its power loses nothing either
    BEST_EFFORT = "best_effort"  # as written, and goes on without: what is missing is counted
