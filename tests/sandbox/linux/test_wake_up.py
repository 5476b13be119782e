"""A process that is stopped goes on when its time has come, and not before."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from sandbox.linux.wake_up import awake_at, time_after

# Stops itself, and says for how many seconds it was.
_STOPS = """
import os, signal, sys, time
from sandbox.linux.wake_up import awake_at
began = time.monotonic()
with awake_at(began + float(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGSTOP)
print(time.monotonic() - began)
"""


@pytest.mark.parametrize(
    ("seconds", "least"),
    [
        pytest.param(0.3, 0.3, id="later"),
        pytest.param(-5.0, 0.0, id="it-was-over-before"),
    ],
)
def test_it_is_continued_in_time(seconds: float, least: float) -> None:
    words = [sys.executable, "-c", _STOPS, str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
    assert float(done.stdout) >= least


def test_who_is_not_stopped_notices_nothing() -> None:
    began = time.monotonic()
    with awake_at(time_after(0.01)), awake_at(time_after(None)):
        time.sleep(0.05)
    assert time.monotonic() - began >= 0.05


# Is told something by its other half after a while, or before it stops.
_HEARS = """
import os, signal, socket, sys, time
from sandbox.linux.wake_up import awake_for, has_word, stop_until_heard
number, seconds, word = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
ours, theirs = socket.socketpair()
awake_for(ours.fileno())
assert not has_word(ours.fileno())
if not os.fork():
    os.setsid()
    ours.close()
    time.sleep(seconds)
    theirs.send(b"x") if word else theirs.close()
    time.sleep(seconds)
    os._exit(0)
theirs.close()
if not seconds:
    while not has_word(ours.fileno()):
        pass
began = time.monotonic()
stop_until_heard(number, ours.fileno())
assert has_word(ours.fileno())
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
print(time.monotonic() - began)
"""


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN])
@pytest.mark.parametrize(("seconds", "word"), [(0.3, "word"), (0.3, ""), (0.0, "word")])
def test_a_word_continues_it(number: int, seconds: float, word: str) -> None:
    """The end of the line is one, too. What was there before keeps it from stopping."""
    words = [sys.executable, "-c", _HEARS, str(int(number)), str(seconds), word]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=30, process_group=0
    )
    assert float(done.stdout) >= seconds - 0.1
