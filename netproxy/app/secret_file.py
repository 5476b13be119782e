"""Reads a file with a secret: one that its owner alone may read, in a folder no command can see."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from netproxy.app.regular_file import read_regular
from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def read_secret(key: str, path: Path, *, folder: Path, forbidden: int = OTHERS) -> bytes:
    """Return what the file holds. Raises `InvalidSettings` in a line that begins with the key.

    `folder` is hidden from commands, so the file has to lie in it; `forbidden` are the bits of its
    mode that may not be set.
    """
    if not _lies_in(path, folder):
        raise InvalidSettings((f"{key} must lie in {folder}, which a command can't see",))
    try:
        content, found = read_regular(path)
    except OSError as error:
        raise InvalidSettings((f"{key}: {path}: {error.strerror or error}",)) from None
    if found.st_mode & forbidden:
        raise InvalidSettings((f"{key}: {path}: others may open it: chmod 600",))
    if found.st_uid not in {0, os.geteuid()}:
        raise InvalidSettings((f"{key}: {path}: belongs to somebody else",))
    return content


def _lies_in(path: Path, folder: Path) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)
