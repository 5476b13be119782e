"""The audit trail as the rest of the house sees it: typed events in, records in the journal.

Fills `netproxy.ports.AuditSink`. It adds what the events of one session or run have in common;
making text safe is the journal's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.errors import AuditUnavailable
from otel.events import AuditGap

if TYPE_CHECKING:
    from otel.attributes import Attributes, Value
    from otel.events import Event
    from otel.journal import Journal


class AuditTrail:
    """Records events with attributes that all of them share. An event's own value wins.

    Events that could not be written (a denial is answered even then) are counted; the first record
    after them is a gap record with their number.
    """

    __slots__ = ("_common", "_journal", "_losses")

    def __init__(self, journal: Journal, common: Attributes) -> None:
        self._journal = journal
        self._common = dict(common)
        self._losses = _Losses()

    def record(self, event: Event) -> None:
        """Return when the event is in the file. Raises `AuditUnavailable`."""
        try:
            if self._losses.count:
                self._admit()
            self._append(event)
        except AuditUnavailable as error:
            self._losses.count += 1
            self._losses.cause = error.error_type
            raise

    def record_synced(self, event: Event) -> None:
        """Return when the event is on the disk: reviewers' answers, grants and rules."""
        self.record(event)
        self._journal.sync()

    def with_attributes(self, **attributes: Value) -> AuditTrail:
        """Make a trail into the same journal whose events share these attributes too."""
        trail = AuditTrail(self._journal, {**self._common, **attributes})
        trail._losses = self._losses  # the same class: one count for one journal
        return trail

    def _append(self, event: Event) -> None:
        attributes = {**self._common, **event.attributes()}
        self._journal.append(event.name, event.severity, attributes)

    def _admit(self) -> None:
        self._append(AuditGap(error_type=self._losses.cause, lost=self._losses.count))
        self._losses.count = 0


class _Losses:
    """How many events one journal did not take since the last that it took, and why."""

    __slots__ = ("cause", "count")

    def __init__(self) -> None:
        self.count = 0
        self.cause = ""
