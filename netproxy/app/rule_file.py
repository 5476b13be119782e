"""Appends a rule to the user's settings file, in place: whole, or not at all.

The file keeps its inode, mode, owner, links and comments: a sandbox pins it by its inode, and a
person may have it open. What would come of it is read first, with all layers and bounds; then one
write is appended and synced, and taken off again if that fails midway. A project's file is never
written: it is the project's to say what it wants, and the user's to trust it.

All of it waits for the disk and for other writers, so it is done beside the loop.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from netproxy.errors import InvalidSettings
from netproxy.model import Reason, Verdict
from netproxy.policy.change import NothingRemembered
from netproxy.policy.rule_table import rule_table
from otel.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from netproxy.app.settings import Settings
    from netproxy.model import Destination, OnDenial

_OPEN = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_PIECE = 1 << 20
# Another gateway has the lock while it reads and appends; whoever keeps it longer is no gateway.
_LOCK_SECONDS = 2.0
_LOOK_SECONDS = 0.01
# The profile of a file that has none; the only one is the one that holds.
_PROFILE = "default"


class NotWritten(Exception):
    """There is no rule, and the file is as it was. The text says why in one line."""


class Load(Protocol):
    """Reads the settings of all layers, with `user` in place of what the user's file holds."""

    def __call__(self, *, user: bytes | None = None) -> Settings:
        """Raises `InvalidSettings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a rule is to say."""

    destination: Destination
    verdict: Verdict
    on_denial: OnDenial | None
    reason: str

    @property
    def rule(self) -> str:
        """The short form of it, for people and records."""
        return f"{self.verdict.value} {self.destination}"


class RuleFile:
    """The file that answers for always go into: what `--config` named, or the user's own."""

    def __init__(
        self, path: Path, load: Load, *, is_own: bool, lock_seconds: float = _LOCK_SECONDS
    ) -> None:
        """`is_own`: it is the user's own, which is made where there is none."""
        self.path = path
        self._load = load
        self._is_own = is_own
        self._lock_seconds = lock_seconds

    @property
    def is_writable(self) -> bool:
        """Whether a rule could be written now, as far as a look can tell."""
        if self.path.exists():
            return self.path.is_file() and os.access(self.path, os.W_OK, effective_ids=True)
        if not self._is_own or self.path.is_symlink():
            return False
        there = next(each for each in self.path.parents if each.exists())
        return there.is_dir() and os.access(there, os.W_OK | os.X_OK, effective_ids=True)

    def prepare(self, wanted: Wanted) -> Addition | None:
        """Read what would come of it; None where the rules say so already. Raises `NotWritten`.

        What is returned holds the file's lock, and is to be appended or closed.
        """
        descriptor = self._open()
        try:
            held = b"" if descriptor is None else _content(descriptor)
            settings = self._read(None if descriptor is None else held)
            if _holds(settings, wanted):
                _close(descriptor)
                return None
            table = rule_table(
                settings.user_profile or _PROFILE,
                wanted.destination,
                wanted.verdict,
                on_denial=wanted.on_denial,
                reason=wanted.reason,
            )
            text = (_gap(held) + table).encode()
            self._check(self._read(held + text), wanted)
            return Addition(self.path, descriptor, text, size=len(held))
        except BaseException:
            _close(descriptor)
            raise

    def _open(self) -> int | None:
        """The file, locked; None where it is to be made."""
        try:
            descriptor = os.open(self.path, _OPEN)
        except FileNotFoundError:
            if self._is_own and not self.path.is_symlink():
                return None
            raise NotWritten(f"{self.path}: there is no such file") from None
        except OSError as error:
            raise _not_written(self.path, error) from None
        try:
            _lock(descriptor, self.path, self._lock_seconds)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _check(self, settings: Settings, wanted: Wanted) -> None:
        if not _holds(settings, wanted):
            raise NotWritten(f"{self.path}: other rules say otherwise, so it would not hold")

    def _read(self, content: bytes | None) -> Settings:
        try:
            return self._load(user=content)
        except InvalidSettings as invalid:
            raise NotWritten(invalid.problems[0]) from None


class Addition:
    """A rule that was checked. `append` or `close` it, once."""

    def __init__(self, path: Path, descriptor: int | None, text: bytes, *, size: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._text = text
        self._size = size

    def append(self) -> bool:
        """Put it on the disk; whether the file was made for it. Raises `NotWritten`."""
        descriptor, self._descriptor = self._descriptor, None
        is_new = descriptor is None
        try:
            descriptor = self._make() if descriptor is None else descriptor
            self._write(descriptor)
        except (OSError, NotWritten) as error:
            if is_new and descriptor is not None:
                with suppress(OSError):
                    self._path.unlink()
            raise _not_written(self._path, error) from None
        finally:
            _close(descriptor)
        if is_new:
            _sync_folder(self._path.parent)
        return is_new

    def close(self) -> None:
        """Leave the file as it is."""
        descriptor, self._descriptor = self._descriptor, None
        _close(descriptor)

    def _make(self) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._path, _OPEN | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)

    def _write(self, descriptor: int) -> None:
        """One write, so that nobody reads a part of it and nobody's own goes in between."""
        if os.fstat(descriptor).st_size != self._size:
            raise NotWritten(f"{self._path}: was changed meanwhile; answer again")
        try:
            _put(descriptor, self._text)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(descriptor, self._size)
                os.fsync(descriptor)
            raise


def _holds(settings: Settings, wanted: Wanted) -> bool:
    """Whether the rules alone say so."""
    method = "GET" if wanted.destination.protocol.value == "http" else "CONNECT"
    policy = settings.policy(now=time.time())
    judgement = policy.judge(wanted.destination, method, NothingRemembered())
    reasons = {Verdict.ALLOW: Reason.ALLOWED_BY_RULE, Verdict.DENY: Reason.DENIED_BY_RULE}
    return judgement.reason is reasons[wanted.verdict]


def _gap(held: bytes) -> str:
    """What parts it from the line before."""
    if not held:
        return ""
    return "\n" if held.endswith(b"\n") else "\n\n"


def _content(descriptor: int) -> bytes:
    pieces = []
    while piece := os.read(descriptor, _PIECE):
        pieces.append(piece)
    return b"".join(pieces)


def _lock(descriptor: int, path: Path, seconds: float) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise NotWritten(f"{path}: is not a regular file")
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise NotWritten(f"{path}: somebody else keeps it locked") from None
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _put(descriptor: int, text: bytes) -> None:
    if os.write(descriptor, text) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Let the new name survive a power cut."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_written(path: Path, error: OSError | NotWritten) -> NotWritten:
    if isinstance(error, NotWritten):
        return error
    return NotWritten(f"{path}: {(error.strerror or str(error)).lower()}")
