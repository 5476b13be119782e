"""Root reads and writes every file, by two capabilities. A test of what may not be read drops them.

Only of the calling thread, and of those that it starts (capabilities(7)): the other tests of the
process go on as they were.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION_3 = 0x20080522  # linux/capability.h: two words for each set
_OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_EFFECTIVE = 0  # of effective, permitted, inheritable, twice


@contextmanager
def like_anybody() -> Iterator[None]:
    """Read and write what the permissions of files allow, and nothing else."""
    before = _sets()
    dropped = _sets()
    dropped[_EFFECTIVE] &= ~_OVERRIDES
    _call("capset", dropped)
    try:
        yield
    finally:
        _call("capset", before)


def _sets() -> ctypes.Array[ctypes.c_uint32]:
    sets = (ctypes.c_uint32 * 6)()
    _call("capget", sets)
    return sets


def _call(name: str, sets: ctypes.Array[ctypes.c_uint32]) -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    if getattr(ctypes.CDLL(None, use_errno=True), name)(header, sets) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
