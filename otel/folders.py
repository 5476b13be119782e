"""The journal's folders and files, opened so that nobody else's file is ever taken for ours.

    DIR/w-01J…/           one writer: its own chain, its own lock (0700; files 0600)
        lock              held by the process that writes
        ballast           room that is given up for the last words on a full disk
        00000001.jsonl    segments, numbered without a gap

Everything is opened relative to a directory that was checked, without following symbolic links,
and closed on exec. Nothing here reads or writes records.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from otel.chain import WRITER_ID
from otel.errors import JournalBroken
from otel.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "lock"
BALLAST = "ballast"

_SEGMENT = re.compile(r"[0-9]{8}\.jsonl")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that someone put there must not hang.
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_SMALL = 1024 * 1024  # more than any of ours has
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a writer's segments: the segment's number and a byte offset."""

    segment: int
    offset: int


START = Position(1, 0)


def segment_name(number: int) -> str:
    """`00000001.jsonl`."""
    return f"{number:08d}.jsonl"


def open_base(directory: Path) -> int:
    """Open the audit directory for writing journals in it, made if it isn't there."""
    make_private(directory)
    return _checked(os.open(directory, _DIRECTORY), str(directory))


def make_private(directory: Path) -> None:
    """Make a directory and its missing parents for this user only (XDG base directories)."""
    if not directory.exists():
        make_private(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def make_folder(base: int, name: str) -> None:
    """Make a writer's folder, durably."""
    os.mkdir(name, mode=0o700, dir_fd=base)
    os.fsync(base)


def open_folder(base: int, name: str) -> int:
    """Open a writer's folder that has to be ours."""
    return _checked(os.open(name, _DIRECTORY, dir_fd=base), name)


def open_there(folder: int, name: str, flags: int) -> int:
    """Open a file of ours that is there."""
    return _checked(os.open(name, flags | _FILE, dir_fd=folder), name)


def make_file(folder: int, name: str, flags: int) -> int:
    """Make a file of ours, durably."""
    made = _checked(os.open(name, flags | os.O_CREAT | _FILE, 0o600, dir_fd=folder), name)
    os.fsync(folder)
    return made


def open_for_writing(folder: int, name: str, flags: int) -> int:
    """Open a file of ours, made if it isn't there (then durably)."""
    try:
        return open_there(folder, name, flags)
    except FileNotFoundError:
        # No O_EXCL: another process may make the same lock file at the same moment.
        return make_file(folder, name, flags)


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Write a file of ours as a whole: durable when this returns, the old or the new one before.

    Raises OSError, and `JournalBroken` for what isn't ours. One process at a time for each name.
    """
    directory = os.open(folder, _DIRECTORY)
    try:
        new = f"{name}.new"
        descriptor = open_for_writing(directory, new, os.O_WRONLY | os.O_TRUNC)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(new, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    finally:
        os.close(directory)


def open_for_reading(path: Path) -> int:
    """Open a regular file, whoever owns it: an auditor reads the journals of others."""
    descriptor = os.open(path, os.O_RDONLY | _FILE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise JournalBroken(f"{path}: not a regular file")
    return descriptor


def read_small(folder: Path, name: str) -> bytes | None:
    """Content of a small file beside the records; None when there is none to be read."""
    try:
        descriptor = open_for_reading(folder / name)
    except (OSError, JournalBroken):
        return None
    try:
        return os.read(descriptor, _SMALL)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def writer_names(directory: Path | int) -> list[str]:
    """Ids of all writers in the audit directory, oldest first."""
    with os.scandir(directory) as found:
        return sorted(entry.name for entry in found if WRITER_ID.fullmatch(entry.name))


def segment_numbers(folder: Path | int) -> list[int]:
    """Numbers of a writer's segments in order. A gap is for `verification` to find."""
    with os.scandir(folder) as found:
        return sorted(int(entry.name[:8]) for entry in found if _SEGMENT.fullmatch(entry.name))


def _checked(descriptor: int, name: str) -> int:
    status = os.fstat(descriptor)
    problem = None
    if status.st_uid != os.geteuid():
        problem = f"belongs to user {status.st_uid}, not to user {os.geteuid()}"
    elif status.st_mode & _OTHERS_WRITE:
        problem = f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o})"
    elif not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        problem = "not a regular file"
    if problem is None:
        return descriptor
    os.close(descriptor)
    raise JournalBroken(f"{name}: {problem}")
