"""A command that runs, watched without an event loop: by a launcher whose gateway is elsewhere.

`sandbox.command` is the same with one. What ends the command early is the gateway's, which has
`sandbox.remote` for it; here its end is noticed, reported and reaped.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from sandbox.config import FAILURE_SECONDS
from sandbox.linux.wake_up import awake_for, has_word, stop_until_heard
from sandbox.model import Ending, Signalled
from sandbox.reports import Reports, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.process import Fence

_MESSAGE_BYTES = 64
_UNREPORTED = Signalled(signal=signal.SIGKILL.value, unreported=True)


class Attended:
    """A command that runs, without a terminal of its own. `watch`, then `finish`."""

    def __init__(self, fence: Fence) -> None:
        """Let the command run. Returns when its process exists; raises what `Fence.begin` does."""
        begun = fence.begin()
        self._fence = fence
        self._control = begun.control
        self._reports = Reports()
        self._process_end = os.pidfd_open(fence.pid)
        self._has_ended = False
        self.pid = begun.pid  # of the command's process group's leader, as this host numbers it

    def watch(self, other: int, heard: Callable[[], bool]) -> Ending | None:
        """Return how it ended.

        `heard` is called when the descriptor `other` is readable; None when it says False. It is
        a socket, and what comes there continues us if we are stopped.
        """
        awake_for(other)
        poll = select.poll()
        for descriptor in (self._control.fileno(), self._process_end, other):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if other in ready and not heard():
                return None
            if self._control.fileno() in ready:
                ending = self._reported(other)
            elif self._process_end in ready:  # something killed it from outside
                ending = _UNREPORTED
            else:
                continue
            if ending is not None:
                self._has_ended = True
                return ending

    def signal(self, number: int) -> None:
        """To the command's own process group, as a terminal would."""
        if not self._has_ended:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def finish(self, *, waits: bool) -> None:
        """Reap it. `waits`: somebody else ends it within a moment; it is killed only after that."""
        if waits:
            poll = select.poll()
            poll.register(self._process_end, select.POLLIN)
            poll.poll(FAILURE_SECONDS * 1000)
        self._fence.abandon()
        os.close(self._process_end)

    def _reported(self, other: int) -> Ending | None:
        try:
            message = self._control.recv(_MESSAGE_BYTES)
        except OSError:
            message = b""
        if not message:  # the monitor is gone, or pretends to be: nobody would report the end
            self._fence.kill()
            return _UNREPORTED
        report = self._reports.read(message)
        if isinstance(report, Stopped):
            self._stop_ourselves(report.signal, other)
            return None
        return report

    def _stop_ourselves(self, number: int, other: int) -> None:
        """Stop as the command did, so that the shell sees it, and continue it with us."""
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        stop_until_heard(number, other)
        signal.signal(signal.SIGTSTP, handler)
        if has_word(other):
            return  # the gateway has ended it, or has ended: it is not continued for that
        with suppress(OSError):
            self._control.send(b"b")
