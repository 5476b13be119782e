"""Errors of the audit trail."""

from __future__ import annotations


class AuditError(Exception):
    """The base that nobody raises."""


class AuditUnavailable(AuditError):
    """An event can't be recorded: the answer to whatever needed it is no.

    `error_type` is a word for the kind of failure (`ENOSPC`, `short_write`), for the gap record.
    """

    def __init__(self, message: str, *, error_type: str = "unavailable") -> None:
        super().__init__(message)
        self.error_type = error_type


class JournalBroken(AuditError):
    """A journal on disk that can't be continued or read. The text names file and line."""


class MalformedRecord(AuditError):
    """Bytes that are no record. Whoever reads many lines goes on with the next one."""


class ExportRefused(AuditError):
    """A sink that can't be used as configured (a bad URL, an unsupported protocol)."""
