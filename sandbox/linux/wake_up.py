"""Continues this very process at a set time or for a word, should it be stopped: nobody else would.

The kernel sends SIGCONT (timer_create(2), fcntl(2)), which a process that runs doesn't notice.
It needs no second process, and can meet no stranger of our number: it ends with us.
"""

from __future__ import annotations

import fcntl
import os
import select
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
_F_SETSIG = 10  # linux/fcntl.h
_NS = 1_000_000_000
# struct sigevent: a value of ours, SIGCONT, and SIGEV_SIGNAL, which is 0; it has 64 bytes.
_EVENT = struct.pack("Pii48x", 0, signal.SIGCONT, 0)


def time_after(seconds: float | None) -> float | None:
    """So long from now, as `awake_at` takes it; None is never."""
    return None if seconds is None else time.monotonic() + seconds


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


def awake_for(descriptor: int) -> None:
    """Be continued whenever something comes at this socket, its end included."""
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    # Before it is asked for: without it the signal would be SIGIO, which ends us.
    fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGCONT)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)


def stop_until_heard(number: int, descriptor: int) -> None:
    """Stop by this signal until somebody continues us; not at all if there is something to read.

    After `awake_for`. What comes while we are about to stop takes back a stop that waits to be
    delivered (signal(7)). SIGSTOP can't wait: there it is lost between two system calls.
    """
    if number == signal.SIGSTOP and has_word(descriptor):
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    os.kill(os.getpid(), number)
    if has_word(descriptor):
        os.kill(os.getpid(), signal.SIGCONT)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def has_word(descriptor: int) -> bool:
    """Whether something is to be read there, or nothing ever will."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _checked(result: int) -> None:
    if result < 0:
        import ctypes

        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
