"""Opens a journal: a writer's folder that nobody else has, and where its chain goes on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel import attributes as a
from otel import chain, folders
from otel.errors import JournalBroken, MalformedRecord
from otel.events import AuditCheckpoint, GatewayStopped
from otel.ids import new_id
from otel.lock import try_lock

if TYPE_CHECKING:
    from otel.chain import Record
    from otel.keeping import Keeper
    from otel.segment import Tail

# Two processes that start at once may each take the folder that the other just made.
_ATTEMPTS = 100


def take(
    base: int, keeper: Keeper | None = None, *, only: str | None = None
) -> tuple[str, int, int]:
    """Id, folder and lock of a writer that is now ours.

    One that the keeper does not admit is left as it is. `only`: this writer, and no new one.
    """
    for name in folders.writer_names(base) if only is None else [only]:
        if (taken := _try(base, name)) is not None:
            if keeper is None or keeper.admits(name):
                return taken
            os.close(taken[1])
            os.close(taken[2])
    if only is not None:
        raise JournalBroken(f"{only} is in use, or was changed since it was written")
    for _ in range(_ATTEMPTS):
        name = new_id("w")
        folders.make_folder(base, name)
        if (taken := _try(base, name)) is not None:
            return taken
    raise JournalBroken("every new writer was taken by somebody else")


def _try(base: int, name: str) -> tuple[str, int, int] | None:
    folder = folders.open_folder(base, name)
    try:
        lock = try_lock(folder, folders.LOCK)
    except BaseException:
        os.close(folder)
        raise
    if lock is None:
        os.close(folder)
        return None
    return name, folder, lock


def last_record(writer: str, tail: Tail) -> Record | None:
    """The record that the chain goes on from. Raises `JournalBroken` when it was changed."""
    if tail.last_line is None:
        return None
    where = f"{writer}/{folders.segment_name(tail.number)}"
    try:
        last = chain.parse(tail.last_line)
    except MalformedRecord as error:
        raise JournalBroken(f"{where}: the last line is {error}; {_ADVICE}") from error
    if last.digest != last.expected_digest or last.writer != writer:
        raise JournalBroken(f"{where}: the last record was changed; {_ADVICE}")
    return last


_ADVICE = "see netproxy audit verify, and move the folder away to go on without it"


def shutdown(last: Record | None) -> str:
    """How the process before this one ended, by its last record: clean | unclean | none."""
    if last is None:
        return "none"
    if last.name == AuditCheckpoint.name:  # it signs the end, and says which
        return "clean" if last.attributes.get(a.CHECKPOINT_CAUSE) == "shutdown" else "unclean"
    return "clean" if last.name == GatewayStopped.name else "unclean"
