"""Which project files the user has trusted: path and content, in the user's state folder.

The folder is hidden inside the sandbox. Several contents may be trusted for one path, so that
branches can be switched. A store that can't be read trusts nothing and stops whoever asks.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netproxy.errors import InvalidSettings
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_VERSION = 1
_DAMAGED = "it is damaged; mend it, or remove it and trust each project anew: netproxy trust"
_NAME = "trust.json"
_SHA256_LENGTH = 64

# Path of a project file to the SHA-256 of each content that is trusted, and when it was (RFC 3339).
type Entries = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The file `trust.json` in our state folder."""

    folder: Path

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / _NAME

    def entries(self) -> Entries:
        """Everything that is trusted. Raises `InvalidSettings` for a store that can't be read."""
        try:
            return _checked(json.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            cause = ((isinstance(error, OSError) and error.strerror) or _DAMAGED).lower()
            raise InvalidSettings((f"{self.path}: can't be read: {cause}",)) from None

    def add(self, path: Path, sha256: str) -> None:
        """Trust this content at this path."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._change(lambda all_: all_.setdefault(str(path), {}).update({sha256: when}))

    def remove(self, path: Path) -> bool:
        """Trust nothing at this path any more. False if nothing was."""
        if str(path) not in self.entries():
            return False
        self._change(lambda all_: all_.pop(str(path), None))
        return True

    def _change(self, change: Callable[[dict[str, dict[str, str]]], object]) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.folder / f"{_NAME}.lock"):
                entries = {path: dict(found) for path, found in self.entries().items()}
                change(entries)
                self._write(json.dumps({"version": _VERSION, "files": entries}, indent=1))
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise InvalidSettings((f"{self.path}: can't be written: {cause}",)) from None

    def _write(self, text: str) -> None:
        """Replace the store as a whole: after a power cut it is the old one or the new one."""
        new = self.folder / f"{_NAME}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  # a descriptor
            file.write(text + "\n")
            file.flush()
            os.fsync(descriptor)
        new.replace(self.path)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _checked(found: Any) -> Entries:
    """Raise ValueError for anything but a store of this version."""
    if not isinstance(found, dict) or found.get("version") != _VERSION:
        raise ValueError("version")
    files = found.get("files")
    if not isinstance(files, dict) or not all(_is_entry(entry) for entry in files.values()):
        raise ValueError("files")
    return files


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(
        len(sha256) == _SHA256_LENGTH and isinstance(when, str) for sha256, when in entry.items()
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
