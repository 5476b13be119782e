"""A data plane whose events go through the real trail into a real journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netproxy.app.catalogue import schema
from otel import AuditTrail, Journal, flat, read
from tests.support.fakes import FakeAudit
from tests.support.json_schema import faults

if TYPE_CHECKING:
    from pathlib import Path

    from otel import Value
    from otel.events import Event

_SCHEMAS: dict[str, dict[str, Any]] = {}


class RecordedAudit(FakeAudit):
    """Keeps events as its base does, and writes each at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._journal = Journal.open(folder)
        common: dict[str, Value] = {
            "session.id": "s-1",
            "execution.id": "r-1",
            "sandbox.enforced": True,
        }
        self._trail = AuditTrail(self._journal, common)

    def record(self, event: Event) -> None:
        super().record(event)
        self._trail.record(event)

    def close(self) -> None:
        self._journal.close()

    def flat(self) -> list[dict[str, Any]]:
        """The records as `--json` prints them, each as its schema says."""
        return flat_records(self.folder)


def flat_records(folder: Path) -> list[dict[str, Any]]:
    problems: list[str] = []
    records = [flat(record) for record in read(folder, problems.append)]
    assert problems == []
    for record in records:
        assert_valid({k: list(v) if isinstance(v, tuple) else v for k, v in record.items()})
    return records


def assert_valid(record: dict[str, Any]) -> None:
    """The record is what its schema says, and has nothing that the schema doesn't know."""
    name = record["event.name"]
    if name not in _SCHEMAS:
        _SCHEMAS[name] = schema(name)
    made = _SCHEMAS[name]
    assert faults(record, made) == [], record
    assert sorted(record.keys() - made["properties"].keys()) == [], name
