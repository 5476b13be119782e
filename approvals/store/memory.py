"""Approvals that live as long as the process. Compare-and-set as a database would do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.lifecycle import FINAL

if TYPE_CHECKING:
    from approvals.model import Record


class MemoryStore:
    """A dict of the records that can still change; a final one is dropped, nobody can change it."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    async def add(self, record: Record) -> None:
        """Keep a new pending record."""
        self._records[record.question.approval_id] = record

    async def replace(self, old: Record, new: Record) -> bool:
        """Put `new` where `old` still is the stored version."""
        approval_id = old.question.approval_id
        stored = self._records.get(approval_id)
        if stored is None or stored.version != old.version:
            return False
        if new.status in FINAL:
            del self._records[approval_id]
        else:
            self._records[approval_id] = new
        return True
