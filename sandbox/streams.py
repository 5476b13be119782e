"""Which of our own streams are terminals: the command's will be like them."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Which of the command's streams are terminals, and which terminal that is."""

    terminals: tuple[int, ...]
    path: str | None  # of the user's terminal; None without one

    @property
    def word(self) -> str:
        """As the monitor reads it."""
        return "".join(map(str, self.terminals)) or "-"


def inspect_streams() -> Streams:
    """Look at our own standard streams; the command's will be like them."""
    terminals = tuple(number for number in (0, 1, 2) if _is_terminal(number))
    path = os.ttyname(terminals[0]) if terminals else None
    return Streams(terminals=terminals, path=path)


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def starts_in_foreground(streams: Streams) -> bool:
    """Whether the command starts in its terminal's foreground.

    In a pipeline, or as a background job, it starts in the background as it would without us; the
    kernel stops it when it first needs the terminal, and then it gets it (sudo's use_pty does so).
    """
    if streams.path is None or not {0, 1} <= set(streams.terminals):
        return False
    try:
        return os.tcgetpgrp(streams.terminals[0]) == os.getpgrp()
    except OSError:
        return False
