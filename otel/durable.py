"""Small files that are there as a whole or not at all: keys, heads.

Written beside, then put in place by one system call.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from otel import folders
from otel.ids import new_id

if TYPE_CHECKING:
    from pathlib import Path


def put_new(directory: Path, name: str, content: bytes) -> bool:
    """Make a file (0600), durably. False when it is there already: then that one stays."""
    folder = folders.open_base(directory)
    try:
        beside = _write_beside(folder, name, content, synced=True)
        try:
            os.link(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileExistsError:
            return False
        finally:
            os.unlink(beside, dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def replace(directory: Path, name: str, content: bytes) -> None:
    """Put a file in place of the one that is there. A power cut may undo or empty it."""
    folder = folders.open_base(directory)
    try:
        beside = _write_beside(folder, name, content, synced=False)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _write_beside(folder: int, name: str, content: bytes, *, synced: bool) -> str:
    beside = f".{name}.{new_id('n')}"
    descriptor = folders.open_for_writing(folder, beside, os.O_WRONLY | os.O_EXCL)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
            file.write(content)
            file.flush()
            if synced:
                os.fdatasync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise
    return beside
