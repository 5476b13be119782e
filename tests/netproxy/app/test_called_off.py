"""What is called off unwinds first, and then ends by the signal that came."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_HEAD = """
import os, signal, threading
from netproxy.app.called_off import held_back, unwinding

def tell(number):
    os.kill(os.getpid(), number)

def say(text):
    print(text, flush=True)
"""


def story(text: str) -> tuple[int, list[str]]:
    """How a process ends that does this, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", _HEAD + text], capture_output=True, text=True, check=False
    )
    assert not done.stderr
    return done.returncode, done.stdout.split()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_unwinds_and_ends_by_the_signal(number: signal.Signals) -> None:
    text = f"""
with unwinding():
    try:
        tell({number:d})
        say("not reached")
    finally:
        say("unwound")
say("not reached")
"""
    assert story(text) == (-number, ["unwound"])


def test_its_status_is_what_a_shell_makes_of_the_signal() -> None:
    text = """
with unwinding():
    try:
        tell(signal.SIGTERM)
    except SystemExit as called_off:
        say(called_off.code)
"""
    assert story(text) == (0, ["143"])


def test_a_second_one_does_not_break_off_what_the_first_began() -> None:
    text = """
with unwinding():
    try:
        tell(signal.SIGTERM)
    finally:
        tell(signal.SIGTERM)
        tell(signal.SIGHUP)
        tell(signal.SIGINT)
        say("unwound")
"""
    assert story(text) == (-signal.SIGTERM, ["unwound"])


def test_nor_what_ctrl_c_began() -> None:
    text = """
try:
    with unwinding():
        try:
            tell(signal.SIGINT)
        finally:
            tell(signal.SIGINT)
            tell(signal.SIGTERM)
            say("unwound")
except KeyboardInterrupt:
    say("interrupted")
"""
    assert story(text) == (0, ["unwound", "interrupted"])


def test_who_has_waited_and_sends_another_is_heard() -> None:
    text = """
from netproxy.app import called_off

called_off._PATIENCE_SECONDS = 0.0
with unwinding():
    try:
        tell(signal.SIGTERM)
    finally:
        try:
            tell(signal.SIGHUP)
        finally:
            say("unwound")
        say("not")
"""
    assert story(text) == (-signal.SIGHUP, ["unwound"])


def test_what_is_ignored_stays_ignored() -> None:
    text = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with unwinding():
    tell(signal.SIGHUP)
    say("goes on")
say(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    assert story(text) == (0, ["goes", "on", "True", "True"])


def test_one_that_is_held_back_comes_at_the_end_of_the_block() -> None:
    text = """
with unwinding():
    with held_back():
        tell(signal.SIGTERM)
        say("done")
    say("not reached")
"""
    assert story(text) == (-signal.SIGTERM, ["done"])


def test_so_does_ctrl_c_and_with_other_threads_about() -> None:
    """The kernel gives a signal to any thread that takes it."""
    text = """
stop = threading.Event()
threading.Thread(target=stop.wait).start()
try:
    with unwinding():
        with held_back():
            with held_back():
                tell(signal.SIGINT)
                sum(range(100_000))
            say("done")
        say("not")
except KeyboardInterrupt:
    say("interrupted")
stop.set()
say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    assert story(text) == (0, ["done", "interrupted", "True"])


def test_the_first_that_waits_is_the_one_that_ends_us() -> None:
    text = """
with unwinding():
    with held_back():
        tell(signal.SIGHUP)
        tell(signal.SIGTERM)
        say("done")
    say("not")
"""
    assert story(text) == (-signal.SIGHUP, ["done"])
