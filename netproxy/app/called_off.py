"""A start or an end that is called off by a signal: what began on record ends there all the same.

While a command runs, or clients are served, SIGTERM and SIGHUP have their meaning (`own_signals`,
`serving`). At any other time their default would end us between two records; here they unwind as
Ctrl-C does, and end us then, so that whoever waits for us sees the signal. What has to be done as a
whole holds them back.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_ENDING = signal.SIGTERM, signal.SIGHUP
_USUAL = signal.SIG_DFL, signal.default_int_handler
# Whoever is impatient sends several at once, and would break off what the first one began: the
# records of an end. It takes less than this; who sends one later means it.
_PATIENCE_SECONDS = 5.0


class CalledOff(SystemExit):
    """One of them came. `code`: 128 and its number, as a shell has it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


class _Hold:
    """Whether to wait, and what came meanwhile.

    A signal mask would be the main thread's only: the kernel picks another one, and Python's
    handler runs in the main thread all the same.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.waiting: int | None = None  # the first
        self.called_off_at: float | None = None  # by the clock that only grows


_hold = _Hold()


@contextmanager
def unwinding() -> Iterator[None]:
    """Have them raise `CalledOff` as long as the block lasts; one that is ignored stays ignored.

    Ctrl-C raises KeyboardInterrupt as ever, but can be held back, too.
    """
    before = {number: signal.getsignal(number) for number in (*_ENDING, signal.SIGINT)}
    before = {number: handler for number, handler in before.items() if handler in _USUAL}
    for number in before:
        signal.signal(number, _call_off)
    try:
        yield
    except CalledOff as called_off:
        signal.signal(called_off.number, signal.SIG_DFL)
        os.kill(os.getpid(), called_off.number)
        raise
    finally:
        _hold.called_off_at = None
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Have them wait until the end of the block. For what is short: nobody can break it off."""
    _hold.depth += 1
    try:
        yield
    finally:
        _hold.depth -= 1
        if not _hold.depth and (number := _hold.waiting) is not None:
            _hold.waiting = None
            _call_off(number, None)


def _call_off(number: int, _: FrameType | None) -> None:
    if _hold.depth:
        _hold.waiting = _hold.waiting or number
        return
    now, before = time.monotonic(), _hold.called_off_at
    if before is not None and now - before < _PATIENCE_SECONDS:
        return
    _hold.called_off_at = now
    raise KeyboardInterrupt if number == signal.SIGINT else CalledOff(number)
