"""What we can't end and remove any more because we were killed is ended and removed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import janitor
from tests.support.loops import until

if TYPE_CHECKING:
    from collections.abc import Callable

# The leader of a group has ended, as bwrap has, and nobody reaped it: its child waits.
_KILLED = """
import subprocess, sys, time
from pathlib import Path
from sandbox import janitor
if sys.argv[2] == "old":
    janitor._PROCESS_GROUP = 1 << 20  # what a kernel does not know
mine = janitor.Janitor(Path(sys.argv[1]).touch)
words = ["sh", "-c", "sleep 60 & echo $!"]
with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as leader:
    child = leader.stdout.readline()
    mine.started(leader.pid)
    print(child, end="", flush=True)
    time.sleep(60)
"""


def is_gone(pid: int) -> bool:
    """Ended; where nobody reaps what lost its parent, it stays as a zombie."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@pytest.mark.parametrize("kernel", ["new", "old"])
def test_what_waits_for_ever_is_ended_and_the_rest_released(tmp_path: Path, kernel: str) -> None:
    words = [sys.executable, "-c", _KILLED, str(tmp_path / "released"), kernel]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        child = int(run.stdout.readline())
        assert not is_gone(child)
        run.send_signal(signal.SIGKILL)
    asyncio.run(until(lambda: is_gone(child)))
    asyncio.run(until((tmp_path / "released").exists))


# Killed before anybody was told which process bwrap is, which reports what its child is later.
_STARTING = """
import os, signal, subprocess, sys
from sandbox import janitor
info, theirs = os.pipe()
mine = janitor.Janitor(lambda: None, info=info)
bwrap = (
    "import os, signal, sys, time; signal.signal(signal.SIGPIPE, signal.SIG_DFL)\\n"
    "while os.getppid() == int(sys.argv[3]): time.sleep(0.01)\\n"
    "os.write(int(sys.argv[1]), b'{}'); open(sys.argv[2], 'w')"
)
words = [sys.executable, "-c", bwrap, str(theirs), sys.argv[1], str(os.getpid())]
subprocess.Popen(words, pass_fds=[theirs], start_new_session=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_has_just_started_finds_somebody_to_report_to(tmp_path: Path) -> None:
    """Else it ends before it has given its child the word."""
    done = subprocess.run([sys.executable, "-c", _STARTING, str(tmp_path / "on")], check=False)
    assert done.returncode == -signal.SIGKILL
    asyncio.run(until((tmp_path / "on").exists))


# A group that is not ours to end.
_REFUSED = """
import os, subprocess, time
from sandbox import janitor
with subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, start_new_session=True) as theirs:
    os.setresuid(65534, 65534, 65534)
    # Standard output is what it keeps.
    mine = janitor.Janitor(lambda: os.write(1, b"released"), info=1)
    mine.started(theirs.pid)
    print(theirs.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, who has somebody else's processes")
def test_what_it_may_not_end_keeps_nothing_from_being_released() -> None:
    words = [sys.executable, "-c", _REFUSED]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        theirs = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
        said = run.stdout.read()
    assert not is_gone(theirs)
    os.kill(theirs, signal.SIGKILL)
    assert said == "released"


@pytest.mark.parametrize("say", [lambda _: None, lambda mine: mine.started(os.getpid())])
def test_one_that_is_dismissed_does_nothing(
    tmp_path: Path, say: Callable[[janitor.Janitor], None]
) -> None:
    mine = janitor.Janitor((tmp_path / "released").touch)
    say(mine)
    mine.dismiss()
    assert not (tmp_path / "released").exists()


def test_one_that_was_killed_keeps_nobody(tmp_path: Path) -> None:
    mine = janitor.Janitor(tmp_path.touch)
    os.kill(mine.pid, signal.SIGKILL)
    os.waitpid(mine.pid, 0)
    mine.hold([0])
    mine.started(1)
    mine.dismiss()


# What is locked stays so, until all that we started is gone.
_HOLDING = """
import fcntl, os, resource, signal, sys
from sandbox import janitor
janitor._DYING_SECONDS = 60
count = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 50, count + 100))
mine = janitor.Janitor(lambda: None)
held = [os.open(f"{sys.argv[1]}/{number}", os.O_RDWR | os.O_CREAT) for number in range(count)]
for each in held:
    fcntl.flock(each, fcntl.LOCK_SH)
mine.hold(held)
print(mine.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [1, 600])
def test_what_it_holds_nobody_else_takes(tmp_path: Path, count: int) -> None:
    words = [sys.executable, "-c", _HOLDING, str(tmp_path), str(count)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    try:
        for number in (0, count - 1):
            with (
                (tmp_path / str(number)).open() as file,
                pytest.raises(BlockingIOError),
            ):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)
