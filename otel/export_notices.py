"""What exporters left to be recorded, and how far that is done: the gateway's half.

At least once: a gateway that dies between the record and its mark records the notice again, with
the same lag and count. See ADR 15.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from otel import export_status, folders
from otel.events import ExportState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def record_notices(
    folder: Path, sinks: Iterable[str], record: Callable[[ExportState], object]
) -> None:
    """Record what these sinks' exporter left and nobody has recorded yet, oldest first.

    `record` raises when the record can't be written; then the notice stays for the next time.
    Raises OSError and `JournalBroken` when the mark can't be saved.
    """
    for sink in sinks:
        status = export_status.load(folder, sink)
        done = told(folder, sink)
        for notice in status.notices if status else ():
            if status is None or notice.number <= done:
                continue
            record(
                ExportState(
                    sink=status.label,
                    state=notice.state,
                    lag_records=notice.lag_records,
                    lag_ms=notice.lag_ms,
                    rejected=notice.rejected,
                    error_type=notice.error or None,
                )
            )
            folders.replace_file(folder, f"{sink}.told", json.dumps(notice.number).encode())


def told(folder: Path, sink: str) -> int:
    """Number of the last notice that is on record; 0 for none, or when the mark is lost."""
    try:
        number = json.loads(folders.read_small(folder, f"{sink}.told") or b"")
    except (ValueError, RecursionError):
        return 0
    return number if type(number) is int else 0
