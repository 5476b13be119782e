"""Continues this very process at a set time, should it be stopped then: nobody else would.

A timer of the kernel's sends SIGCONT (timer_create(2)), which a process that runs doesn't notice.
It needs no second process, and can meet no stranger of our number: it ends with us.
"""

from __future__ import annotations

import os
import signal
import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOCK_MONOTONIC, _TIMER_ABSTIME = 1, 1  # linux/time.h
# A signal that comes before we are stopped does nothing, and it comes once.
_LEAST_SECONDS = 0.2
_NS = 1_000_000_000
# struct sigevent: a value of ours, SIGCONT, and SIGEV_SIGNAL, which is 0; it has 64 bytes.
_EVENT = struct.pack("Pii48x", 0, signal.SIGCONT, 0)


@contextmanager
def awake_at(deadline: float | None) -> Iterator[None]:
    """Be continued at this time of `time.monotonic`; None: never. Raises OSError."""
    if deadline is None:
        yield
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "timer_create"):  # before glibc 2.34
        libc = ctypes.CDLL("librt.so.1", use_errno=True)
    timer = ctypes.c_void_p()
    _checked(libc.timer_create(_CLOCK_MONOTONIC, _EVENT, ctypes.byref(timer)))
    try:
        at = max(deadline, time.monotonic() + _LEAST_SECONDS)
        times = (ctypes.c_long * 4)(0, 0, *divmod(round(at * _NS), _NS))  # struct itimerspec
        _checked(libc.timer_settime(timer, _TIMER_ABSTIME, times, None))
        yield
    finally:
        libc.timer_delete(timer)


def _checked(result: int) -> None:
    if result < 0:
        import ctypes

        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
