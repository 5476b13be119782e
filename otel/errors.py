"""Errors of the audit trail."""

from __future__ import annotations


class AuditError(Exception):
    """The base that nobody raises."""


class AuditUnavailable(AuditError):
    """An event can't be recorded: the answer to whatever needed it is no."""


class JournalBroken(AuditError):
    """A journal on disk that can't be continued or read. The text names file and line."""


class ExportRefused(AuditError):
    """A sink that can't be used as configured (a bad URL, an unsupported protocol)."""
