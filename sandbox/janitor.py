"""A child of ours that does nothing, until we were killed: then it ends and removes what we can't.

bwrap ends with us (die-with-parent). But between its clone and the first word to its child, that
child waits for the word for ever, with our streams open; and mount points stay where they are.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The command's processes die with ours within milliseconds (die-with-parent); then nobody is left
# who could make what is removed.
_DYING_SECONDS = 0.2
# Until bwrap has said what its child is: milliseconds, but a hundred may start at once.
_HEARING_SECONDS = 10.0
_RELEASED = b"."
_WORD_BYTES = 64
# linux/pidfd.h, since Linux 6.9.
_PROCESS_GROUP = 1 << 2


class Janitor:
    """Make it before there are threads (it forks), and before what it shall end. `dismiss` it."""

    def __init__(
        self, held: Iterable[int], release: Callable[[], None], *, info: int | None = None
    ) -> None:
        """`held`: what it keeps open for `release`, which it calls if we were killed.

        `info`: where bwrap reports, if we don't live to say which process it is.
        """
        theirs, self._ours = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            _wait(theirs, held, release, info)
        os.close(theirs)

    def started(self, pid: int) -> None:
        """Have that process group ended as well."""
        self._say(b"%d" % pid)

    def dismiss(self) -> None:
        """There is nothing left to do."""
        self._say(_RELEASED)
        os.close(self._ours)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _say(self, word: bytes) -> None:
        with suppress(BrokenPipeError):  # somebody killed it
            os.write(self._ours, word)


class _Group:
    """A process group, whoever has its leader's number later."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._leader = os.pidfd_open(pid)

    def end(self) -> None:
        # It ended with us, or is another user's by now: what is held is let go all the same.
        with suppress(ProcessLookupError, PermissionError):
            try:
                signal.pidfd_send_signal(self._leader, signal.SIGKILL, None, _PROCESS_GROUP)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                # Without the flag: we are woken as the killed process closes its files, and all
                # numbers would have to be given out until here for this one to be another's.
                os.killpg(self._pid, signal.SIGKILL)


def _wait(pipe: int, held: Iterable[int], release: Callable[[], None], info: int | None) -> None:
    """Run in the forked child; never returns. Keeps nothing of ours open but what is held."""
    group: _Group | None = None
    try:
        os.setsid()
        kept = sorted({pipe, *held} if info is None else {pipe, info, *held})
        for before, after in zip([-1, *kept], [*kept, 1 << 20], strict=True):
            os.closerange(before + 1, after)
        while word := os.read(pipe, _WORD_BYTES):
            if word.endswith(_RELEASED):
                return
            with suppress(ProcessLookupError):  # it ended with us, just now
                group = _Group(int(word))
        if group is not None:
            group.end()
        elif info is not None:
            _hear_out(info)
        time.sleep(_DYING_SECONDS)
        release()
    finally:
        os._exit(0)


def _hear_out(info: int) -> None:
    """Let bwrap say what its child is, to its end: it may have started just before we were killed.

    It goes on then, and ends by itself, as the monitor inside finds nobody. Without anybody to tell
    it would end before it has given its child the word.
    """
    poll = select.poll()
    poll.register(info, select.POLLIN)
    while poll.poll(_HEARING_SECONDS * 1000) and os.read(info, _WORD_BYTES):
        pass
