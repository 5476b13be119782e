"""Which of our signals are the command's, and what a SIGHUP means.

The user's terminal is gone, or somebody asks us to read our settings again: both customs are old,
and the signal says nothing of who meant which. A shell passes a hang-up on by kill(2), as an
operator does. So it is judged by what is left: docs/adr/0006 has the cases.
"""

from __future__ import annotations

import errno
import os
import select
import signal

# What a person or a service manager sends; the rest keeps its meaning for us (SIGCHLD, SIGPIPE).
FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
)
# When to look again after a signal that was none: terminal emulators (xterm, VTE) send SIGHUP first
# and close the terminal a moment later.
LOOK_AGAIN_SECONDS = (0.05, 0.25, 1.0)
_TERMINAL = "/dev/tty"
_OPEN = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
# open(2) of a terminal that hung up, and of a session that has none any more.
_GONE = frozenset({errno.EIO, errno.ENXIO})


class HangUp:
    """Knows what this process hangs on: its terminal, or without one its parent."""

    def __init__(self) -> None:
        self._has_terminal = _problem() is None
        self._parent = os.getppid()

    def has_come(self) -> bool:
        """Whether it is gone. True once: what is gone can't hang up again."""
        if self._has_terminal:
            if _problem() not in _GONE:
                return False
            self._has_terminal = False
        elif self._parent == os.getppid():
            return False
        self._parent = os.getppid()
        return True


def _problem() -> int | None:
    """Open our terminal for a moment: the error's number, or None where it lives."""
    try:
        terminal = os.open(_TERMINAL, _OPEN)
    except OSError as error:
        return error.errno
    try:
        poll = select.poll()
        poll.register(terminal, 0)
        return errno.EIO if any(events & select.POLLHUP for _, events in poll.poll(0)) else None
    finally:
        os.close(terminal)
