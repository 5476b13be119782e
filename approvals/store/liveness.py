"""Which gateways live: each holds a lock of its own beside the store for as long as it does.

flock(2) is the kernel's: it is free the moment the process is gone, however it went, and it knows
nothing of pids that were given out again or that mean something else in another container.
Gateways of several hosts have no kernel in common: with PostgreSQL a heartbeat takes this place.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Liveness(Protocol):
    """Says that this gateway lives, and asks whether others do. Used in the writer's thread.

    All of it may raise OSError, which is the store's trouble.
    """

    def begin(self, gateway: str) -> None:
        """Say that `gateway`, this process, lives from now on. Again and again is once."""

    def is_live(self, gateway: str) -> bool:
        """Whether that one lives."""

    def end(self, gateway: str) -> None:
        """Forget one: this one, which ends, or one that is dead."""


class LockedFiles:
    """A folder `approvals.db.gateways` with a file for each, locked by its gateway."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".gateways")
        self._own: tuple[str, int] | None = None

    def begin(self, gateway: str) -> None:
        """Make and lock our file, also where somebody removed it."""
        if self._own is not None:
            if os.fstat(self._own[1]).st_nlink:
                return
            os.close(self._own[1])
            self._own = None
        with suppress(FileExistsError):
            self._path.mkdir(mode=0o700)
        folder = os.open(self._path, _FOLDER)
        try:
            descriptor = os.open(gateway, _FILE | os.O_CREAT, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        # Nobody else has this name, and who only looks lets go at once: never waits long.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._own = gateway, descriptor

    def is_live(self, gateway: str) -> bool:
        """Whether its file is there and locked."""
        try:
            descriptor = os.open(self._path / gateway, _FILE)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def end(self, gateway: str) -> None:
        """Remove its file; ours is unlocked by that, too."""
        with suppress(FileNotFoundError):
            (self._path / gateway).unlink()
        if self._own is not None and self._own[0] == gateway:
            os.close(self._own[1])
            self._own = None
