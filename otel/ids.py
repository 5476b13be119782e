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
# For each byte the digit of its lower five bits.
_DIGITS: Final = (_ALPHABET * 8).encode()
_TIME_SHIFTS: Final = range(45, -1, -5)
_CHANCE_DIGITS: Final = 16
# One system call for so many ids.
_DRAWN_BYTES: Final = 256 * _CHANCE_DIGITS


class _Chance:
    """Random digits that were drawn ahead, each given out once."""

    def __init__(self) -> None:
        self._drawn = ""
        self._next = 0

    def take(self) -> str:
        """80 bits."""
        at = self._next
        if at == len(self._drawn):
            self._drawn, at = os.urandom(_DRAWN_BYTES).translate(_DIGITS).decode("ascii"), 0
        self._next = end = at + _CHANCE_DIGITS
        return self._drawn[at:end]

    def forget(self) -> None:
        """A forked child must not give out what its parent does."""
        self._drawn, self._next = "", 0


_chance = _Chance()
os.register_at_fork(after_in_child=_chance.forget)


def new_id(prefix: str) -> str:
    """A fresh id such as `c-01JD2Q…`: 48 bits of milliseconds, 80 bits of chance."""
    return f"{prefix}-{_spelled_time(time.time_ns() // 1_000_000)}{_chance.take()}"


@lru_cache(maxsize=2)
def _spelled_time(milliseconds: int) -> str:
    return "".join([_ALPHABET[(milliseconds >> shift) & 0x1F] for shift in _TIME_SHIFTS])
