"""ULIDs with a one-letter prefix: sortable by time, unique without coordination.

`r-` a run, `s-` a session, `c-` a connection, `a-` an approval, `g-` a grant, `w-` a journal
writer, `e-` its records. They join prompt, decision, refusal and the connection's end in the
records.
"""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def new_id(prefix: str) -> str:
    """A fresh id such as `c-01JD2Q…`: 48 bits of milliseconds, 80 bits of chance."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    pairs = [_PAIRS[(value >> shift) & 0x3FF] for shift in range(120, -1, -10)]
    return f"{prefix}-{''.join(pairs)}"
