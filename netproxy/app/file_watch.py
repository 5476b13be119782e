"""Whether a few files still hold what they held: by stat first, by content where that may lie.

Links are followed anew each time, so that a folder swapped behind one is seen (Kubernetes updates a
mounted ConfigMap so). Only regular files are read, up to a limit, and a FIFO is never waited for; a
dead network mount still is, so this belongs into a thread.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from netproxy.app.layer_files import Source

# A hundred thousand rules as tables are some 20 MiB; what is larger is not settings.
MAX_BYTES = 64 << 20
# Two writes within one tick of the file system's clock give one mtime (FAT: 2 s). A file that was
# written so shortly before it was read may change and look the same: git calls it racily clean.
_RACY_NS = 2_000_000_000
_PIECE = 1 << 20
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# "sha256:…" of a regular file that could be read; a word for anything else.
State = NewType("State", str)
_CONTENT = "sha256:"
_NOTHING = hashlib.sha256(b"").hexdigest()
MISSING = State("missing")
# What a write leaves that found the disk full: nobody's settings, unless they were so before.
EMPTY = State("empty")
NOT_A_FILE = State("not_a_file")
TOO_LARGE = State("too_large")
REPLACED = State("replaced")

type Identity = tuple[int, int]  # device and inode
type _Signature = tuple[int, int, int, int, int]


def content_state(sha256: str) -> State:
    """The state of a file whose content has this hash, in hexadecimal."""
    return EMPTY if sha256 == _NOTHING else State(f"{_CONTENT}{sha256}")


def is_content(state: State) -> bool:
    """Whether there is something to read."""
    return state.startswith(_CONTENT)


def source_states(sources: Iterable[Source]) -> dict[Path, State]:
    """What the files held that settings were read from."""
    return {source.path: content_state(source.sha256) for source in sources}


def file_lines(states: Mapping[Path, State]) -> tuple[str, ...]:
    """`/home/me/.config/netproxy/config.toml sha256:…`, as an auditor would check it."""
    return tuple(f"{path} {state}" for path, state in states.items() if state != MISSING)


def identify(
    paths: Iterable[Path], *, below: Iterable[str], not_below: Iterable[str]
) -> dict[Path, Identity]:
    """Which files those are that really lie below some folders, but not below others."""
    writable, hidden = tuple(below), tuple(not_below)
    found = {}
    for path in paths:
        with suppress(OSError):
            real = path.resolve(strict=True)
            if _is_below(real, writable) and not _is_below(real, hidden):
                found[path] = _identity(real.stat())
    return found


def _is_below(path: Path, folders: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


class FileWatch:
    """Looks at files whenever it is told to. Used from one thread at a time."""

    def __init__(
        self,
        paths: Iterable[Path],
        *,
        pinned: Mapping[Path, Identity] | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`pinned`: no other file will do, even if it takes the path of this one."""
        known = pinned or {}
        self._files = {
            path: _WatchedFile(path, known.get(path), wall_ns, max_bytes) for path in paths
        }

    def look(self, *, thorough: bool = False) -> Mapping[Path, State]:
        """What each file is now. `thorough` reads them all, whatever stat says."""
        return {path: file.look(thorough=thorough) for path, file in self._files.items()}


class _WatchedFile:
    """One path, and what was there when it was last read."""

    def __init__(
        self, path: Path, pinned: Identity | None, wall_ns: Callable[[], int], max_bytes: int
    ) -> None:
        self._path = path
        self._pinned = pinned
        self._wall_ns = wall_ns
        self._max_bytes = max_bytes
        self._signature: _Signature | None = None
        self._settled = False  # whatever changes from here on changes the signature, too
        self._state = MISSING

    def look(self, *, thorough: bool) -> State:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # Path.stat is the same, and slower
        except OSError as error:
            return self._unread(_word(error))
        if not stat.S_ISREG(found.st_mode):
            return self._unread(NOT_A_FILE)
        if self._settled and not thorough and _signature(found) == self._signature:
            return self._state
        return self._read()

    def _read(self) -> State:
        try:
            descriptor = os.open(self._path, _OPEN)
        except OSError as error:
            return self._unread(_word(error))
        try:
            # Asked of what was opened: the path may lead elsewhere by now.
            found = os.fstat(descriptor)
            state = self._state_of(descriptor, found)
        except OSError as error:
            return self._unread(_word(error))
        finally:
            os.close(descriptor)
        self._signature, self._state = _signature(found), state
        self._settled = self._wall_ns() - found.st_mtime_ns > _RACY_NS
        return state

    def _state_of(self, descriptor: int, found: os.stat_result) -> State:
        if not stat.S_ISREG(found.st_mode):
            return NOT_A_FILE
        if self._pinned is not None and _identity(found) != self._pinned:
            return REPLACED
        digest, left = hashlib.sha256(), self._max_bytes
        while left >= 0 and (piece := os.read(descriptor, _PIECE)):
            digest.update(piece)
            left -= len(piece)
        return content_state(digest.hexdigest()) if left >= 0 else TOO_LARGE

    def _unread(self, state: State) -> State:
        self._signature, self._settled, self._state = None, False, state
        return state


def _signature(found: os.stat_result) -> _Signature:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _identity(found: os.stat_result) -> Identity:
    return (found.st_dev, found.st_ino)


def _word(error: OSError) -> State:
    """`missing`, or the error's own name: EACCES, EIO, ELOOP."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return MISSING
    return State(errno.errorcode.get(error.errno or 0, "unreadable"))
