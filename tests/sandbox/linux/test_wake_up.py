"""A process that is stopped goes on when its time has come, and not before."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from sandbox.linux.wake_up import awake_at

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
    with awake_at(began + 0.01), awake_at(None):
        time.sleep(0.05)
    assert time.monotonic() - began >= 0.05
