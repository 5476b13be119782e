"""Reads a settings file that somebody else may have put there: never a FIFO, device or folder."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path

# Without waiting for a FIFO's writer, and without making a terminal ours.
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# As much as `netproxy.policy.reading` takes, and a little, so that it can say so.
_LIMIT = (32 << 20) + 1


def read_regular(path: Path) -> tuple[bytes, os.stat_result]:
    """Return the content, and whose file it is: asked of what was opened, not of the path.

    Raises `FileNotFoundError` where there is nothing, else `InvalidSettings` in one line.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InvalidSettings((f"{path}: can't be read: {_cause(error)}",)) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidSettings((f"{path}: is not a regular file",))
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(_LIMIT), found
    except OSError as error:
        raise InvalidSettings((f"{path}: can't be read: {_cause(error)}",)) from None
    finally:
        os.close(descriptor)


def _cause(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
