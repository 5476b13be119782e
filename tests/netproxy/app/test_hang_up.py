"""A hang-up is told from a signal that somebody sent, with real terminals and real parents."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.support.people import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# Says for each SIGHUP whether it was a hang-up; without `parent`, after its parent has ended.
PROGRAM = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from netproxy.app.hang_up import HangUp
out = int(sys.argv[2])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
if sys.argv[3] == "orphan":
    gone, ready = os.pipe()
    if os.fork():
        os.read(gone, 1)
        os._exit(0)
    hang_up = HangUp()
    parent = os.getppid()
    os.write(ready, b"x")
    while os.getppid() == parent:
        pass
else:
    hang_up = HangUp()
os.write(out, b"%d\\n" % os.getpid())
while True:
    signal.sigwait([signal.SIGHUP])
    os.write(out, b"yes\\n" if hang_up.has_come() else b"no\\n")
"""


class Listener:
    """A process that says what it makes of each SIGHUP."""

    def __init__(self, said: int) -> None:
        self._said = os.fdopen(said)
        self.pid = int(self._said.readline())

    def signal(self) -> str:
        os.kill(self.pid, signal.SIGHUP)
        return self.says()

    def says(self) -> str:
        return self._said.readline().strip()

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._said.close()


@contextmanager
def listener(kind: str = "", *, terminal: int | None = None) -> Iterator[Listener]:
    said, out = os.pipe()
    session = ["setsid", "--ctty"] if terminal is not None else ["setsid"]
    process = subprocess.Popen(
        [*session, sys.executable, "-c", PROGRAM, str(ROOT), str(out), kind],
        stdin=terminal if terminal is not None else subprocess.DEVNULL,
        pass_fds=(out,),
    )
    os.close(out)
    listening = Listener(said)
    try:
        yield listening
    finally:
        listening.close()
        process.wait()


def test_with_its_terminal_there_it_is_no_hang_up() -> None:
    master, slave = pty.openpty()
    with listener(terminal=slave) as listening:
        assert listening.signal() == "no"
        assert listening.signal() == "no"
    os.close(slave)
    os.close(master)


def test_a_terminal_that_is_closed_hangs_up_once() -> None:
    """What has gone can't go again: a later signal is somebody's request."""
    master, slave = pty.openpty()
    with listener(terminal=slave) as listening:
        os.close(slave)
        assert listening.signal() == "no"
        os.close(master)  # the kernel sends the signal by itself
        assert listening.says() == "yes"
        assert listening.signal() == "no"


def test_without_a_terminal_a_service_is_asked_to_reload() -> None:
    with listener() as listening:
        assert listening.signal() == "no"


def test_without_a_terminal_whose_parent_is_gone_it_hangs_on_nothing() -> None:
    with listener("orphan") as listening:
        assert listening.signal() == "yes"
        assert listening.signal() == "no"
