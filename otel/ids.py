"""ULIDs with a one-letter prefix: sortable by time, unique without coordination.

`r-` a run, `s-` a session, `c-` a connection, `a-` an approval, `g-` a grant, `w-` a journal
writer, `e-` its records. They join prompt, decision, refusal and the connection's end in the
records.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Final

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]
_TIME_SHIFTS: Final = range(40, -1, -10)
_CHANCE_SHIFTS: Final = range(70, -1, -10)
_CHANCE_BYTES: Final = 10
# One system call for so many ids.
_DRAWN_BYTES: Final = 256 * _CHANCE_BYTES


class _Chance:
    """Random bytes that were drawn ahead, each given out once."""

    def __init__(self) -> None:
        self._drawn = b""
        self._next = 0

    def take(self) -> int:
        """80 bits."""
        at = self._next
        if at == len(self._drawn):
            self._drawn, at = os.urandom(_DRAWN_BYTES), 0
        self._next = at + _CHANCE_BYTES
        return int.from_bytes(self._drawn[at : at + _CHANCE_BYTES])

    def forget(self) -> None:
        """A forked child must not give out what its parent does."""
        self._drawn, self._next = b"", 0


_chance = _Chance()
os.register_at_fork(after_in_child=_chance.forget)


def new_id(prefix: str) -> str:
    """A fresh id such as `c-01JD2Q…`: 48 bits of milliseconds, 80 bits of chance."""
    chance = _chance.take()
    pairs = [_PAIRS[(chance >> shift) & 0x3FF] for shift in _CHANCE_SHIFTS]
    return f"{prefix}-{_spelled_time(time.time_ns() // 1_000_000)}{''.join(pairs)}"


@lru_cache(maxsize=2)
def _spelled_time(milliseconds: int) -> str:
    return "".join([_PAIRS[(milliseconds >> shift) & 0x3FF] for shift in _TIME_SHIFTS])
