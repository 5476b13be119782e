"""A start or an end that is called off by a signal: what began on record ends there all the same.

While a command runs, or clients are served, SIGTERM and SIGHUP have their meaning (`own_signals`,
`serving`). At any other time their default would end us between two records; here they unwind as
Ctrl-C does, and end us then, so that whoever waits for us sees the signal.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_ENDING = signal.SIGTERM, signal.SIGHUP


class CalledOff(SystemExit):
    """One of them came. `code`: 128 and its number, as a shell has it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


@contextmanager
def unwinding() -> Iterator[None]:
    """Have them raise `CalledOff` as long as the block lasts; one that is ignored stays ignored."""
    ours = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _call_off)
    try:
        yield
    except CalledOff as called_off:
        signal.signal(called_off.number, signal.SIG_DFL)
        os.kill(os.getpid(), called_off.number)
        raise
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def held_back() -> Iterator[None]:
    """Have them wait until the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call_off(number: int, _: FrameType | None) -> None:
    for each in _ENDING:  # the next one would break off what the first one began
        signal.signal(each, signal.SIG_IGN)
    raise CalledOff(number)
