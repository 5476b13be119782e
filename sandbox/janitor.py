"""A child of ours that does nothing, until we were killed: then it ends and removes what we can't.

bwrap ends with us (die-with-parent). But between its clone and the first word to its child, that
child waits for the word for ever, with our streams open; and mount points stay where they are.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
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
_RELEASED, _HOLD = b".", b"h"
# The most that one message takes (SCM_MAX_FD in the kernel's net/scm.h: 253).
_AT_ONCE = 250
_WORD_BYTES = 64
# linux/pidfd.h, since Linux 6.9.
_PROCESS_GROUP = 1 << 2


class Janitor:
    """Make it before there are threads (it forks), and before what it shall end. `dismiss` it."""

    def __init__(self, tidy: Callable[[], object], *, info: int | None = None) -> None:
        """`tidy` is called, in its process, if we were killed.

        `info`: where bwrap reports, if we don't live to say which process it is.
        """
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            _wait(theirs, tidy, info)
        theirs.close()

    def hold(self, descriptors: Iterable[int]) -> None:
        """Have these kept open as well, until what we started is gone; then it tidies up."""
        left = list(descriptors)
        some: list[int] = []  # first it is to make room for them
        with suppress(BrokenPipeError, ConnectionResetError):
            while some or left:
                socket.send_fds(self._ours, [_HOLD], some)
                self._ours.recv(1)  # the kernel counts what is on its way against our own limit
                some, left = left[:_AT_ONCE], left[_AT_ONCE:]

    def started(self, pid: int) -> None:
        """Have that process group ended as well."""
        self._say(b"%d" % pid)

    def dismiss(self) -> None:
        """There is nothing left to do."""
        self._say(_RELEASED)
        self._ours.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _say(self, word: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # somebody killed it
            self._ours.send(word)


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


def _wait(orders: socket.socket, tidy: Callable[[], object], info: int | None) -> None:
    """Run in the forked child; never returns. Keeps nothing of ours open but what it is given."""
    group: _Group | None = None
    try:
        os.setsid()
        kept = sorted({orders.fileno()} if info is None else {orders.fileno(), info})
        for before, after in zip([-1, *kept], [*kept, 1 << 20], strict=True):
            os.closerange(before + 1, after)
        held: list[int] = []
        while word := (message := socket.recv_fds(orders, _WORD_BYTES, _AT_ONCE))[0]:
            held += message[1]
            if word == _RELEASED:
                return
            if word == _HOLD:
                _have_room()
                orders.send(_HOLD)
                continue
            with suppress(ProcessLookupError):  # it ended with us, just now
                group = _Group(int(word))
        if group is not None:
            group.end()
        elif info is not None:
            _hear_out(info)
        time.sleep(_DYING_SECONDS)
        for descriptor in held:
            os.close(descriptor)
        tidy()
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


def _have_room() -> None:
    """As many files as we may have: with thousands of repositories as many are held."""
    from resource import RLIMIT_NOFILE, getrlimit, setrlimit

    most = getrlimit(RLIMIT_NOFILE)[1]
    setrlimit(RLIMIT_NOFILE, (most, most))
