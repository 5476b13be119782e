"""Records that a sink would not take: kept as they are in the journal, one file for each refusal.

    DIR/w-01J…/rejected/ship-…/0000000007.jsonl              a record that the sink can't use
    DIR/w-01J…/rejected/ship-…/0000000001-0000000512.jsonl   of these it rejected some

The lines are the journal's own, hash and all, so they can be checked and sent again by hand.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel import folders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from otel.backlog import Entry

FOLDER = "rejected"


def set_aside(folder: Path, sink: str, entries: Sequence[Entry]) -> None:
    """Keep these, durably. Raises OSError and `JournalBroken`."""
    first, last = entries[0].record.seq, entries[-1].record.seq
    name = f"{first:010d}.jsonl" if first == last else f"{first:010d}-{last:010d}.jsonl"
    content = b"".join(entry.line + b"\n" for entry in entries)
    folders.replace_file(_folder(folder, sink), name, content)


def _folder(folder: Path, sink: str) -> Path:
    """Make what is missing of it, for this user only."""
    made = folder
    for name in (FOLDER, sink):
        base = folders.open_base(made)
        try:
            folders.make_folder(base, name)
        except FileExistsError:
            pass
        finally:
            os.close(base)
        made /= name
    return made
