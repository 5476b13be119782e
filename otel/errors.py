"""Errors of the audit trail, and what those of the system are called in it."""

from __future__ import annotations

import errno


class AuditError(Exception):
    """The base that nobody raises."""


class AuditUnavailable(AuditError):
    """An event can't be recorded: the answer to whatever needed it is no.

    `error_type` is a word for the kind of failure (`ENOSPC`, `short_write`), for the gap record.
    """

    def __init__(self, message: str, *, error_type: str = "unavailable") -> None:
        super().__init__(message)
        self.error_type = error_type


class OnItsWay(AuditUnavailable):
    """It was not written in time, and may be yet: for whoever needs it now, that is a no."""


class JournalBroken(AuditError):
    """A journal on disk that can't be continued or read. The text names file and line."""


class MalformedRecord(AuditError):
    """Bytes that are no record. Whoever reads many lines goes on with the next one."""


class ExportRefused(AuditError):
    """A sink that can't be used as configured (a bad URL, an unsupported protocol)."""


class TelemetryRefused(AuditError):
    """Metrics, spans or logs that can't be had as configured. The text is one line."""


class KeyUnusable(AuditError):
    """The key that signs checkpoints is missing, unreadable, or not ours alone."""


class AnchorRefused(AuditError):
    """A file that holds nothing to compare a journal with. The text names the line."""


class ChainChanged(AuditError):
    """A chain that was changed since it was written: nothing may be added to it.

    `kind` is a word for what is wrong, `place` the file and the byte.
    """

    def __init__(self, kind: str, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.kind = kind
        self.place = place


_SAID = {
    errno.ELOOP: "is a symbolic link",
    errno.EFBIG: "larger than files may get here (ulimit -f)",
}


def said(error: OSError) -> str:
    """What went wrong with which file, for a message."""
    what = _SAID.get(error.errno or 0) or error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what


def error_word(error: OSError) -> str:
    """The kind of failure in a word: `ENOSPC`."""
    return errno.errorcode.get(error.errno or 0, "unavailable")
