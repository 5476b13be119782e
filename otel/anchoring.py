"""The newest record and the last checkpoint of every chain, as a line that `anchors` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel import attributes as a
from otel.chain import canonical, parse
from otel.errors import JournalBroken, MalformedRecord
from otel.examination import last_checkpoint
from otel.lines import LineReader, position_before_last
from otel.reader import writers
from otel.redact import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from otel.attributes import Value


def anchor_lines(directory: Path, report: Callable[[str], None]) -> Iterator[str]:
    """One line for each chain that has records; `report` is told of those that can't be read.

    Raises `JournalBroken` when there is nothing to read at all.
    """
    for folder in writers(directory):
        try:
            found = _anchor(folder)
        except OSError as error:
            report(f"{error.filename or folder}: {error.strerror}")
        except (JournalBroken, MalformedRecord) as error:
            report(f"{folder}: {error}")
        else:
            if found:
                yield canonical(found)


def _anchor(folder: Path) -> dict[str, Value]:
    newest = LineReader(folder, position_before_last(folder, 1)).read()
    if not newest:
        return {}
    last = parse(newest[-1].data)
    found: dict[str, Value] = {a.EVENT_NAME: "netproxy.audit.anchor"}
    _, line = last_checkpoint(folder)
    if line is not None:
        checkpoint = parse(line)
        found = {
            **clean(checkpoint.attributes),
            a.EVENT_NAME: checkpoint.name,
            a.EVENT_TIMESTAMP: checkpoint.timestamp,
        }
    found[a.AUDIT_CHAIN] = folder.name
    found[a.AUDIT_SEQ] = last.seq
    found[a.AUDIT_HASH] = last.digest.hex()
    return found
