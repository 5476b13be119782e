"""The monitor runs as the command's own user: what can the command make of it?

It can neither be traced nor robbed of its control socket (the kernel filter), and what it says is
not obeyed blindly all the same (`tests/sandbox/test_command.py`). The launcher reads what the
terminal holds only, and owns the end of everything. Each test was seen to fail without its defence.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.at_terminal import Terminal
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def test_a_killed_monitor_takes_everything_along(netproxy: Netproxy) -> None:
    done = netproxy.run(
        "--ask",
        "never",
        command=["sh", "-c", "setsid sleep 15 & kill -9 $PPID; sleep 15; echo survived"],
    )
    assert done.status == 125
    assert "the sandbox was killed, or its monitor" in done.err
    assert "survived" not in done.out


_INIT = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
for code in (
    "check(libc.process_vm_readv(1, None, 0, None, 0, 0))",
    "check(libc.process_vm_writev(1, None, 0, None, 0, 0))",
    "os.open('/proc/1/mem', os.O_RDWR)",
    "os.open('/proc/1/task/1/mem', os.O_RDWR)",
    "os.open('/proc/self/../1/mem', os.O_RDWR)",
    "check(libc.ptrace(16, 1, 0, 0))",  # attach
    "check(libc.ptrace(0x4206, 1, 0, 0))",  # seize
):
    try:
        exec(code)
        print("reached:", code)
    except OSError:
        print("refused")
"""


def test_the_namespaces_init_is_out_of_reach(netproxy: Netproxy) -> None:
    """Made to forget its parent-death signal, it would outlive a killed gateway."""
    done = netproxy.run("--ask", "never", command=[sys.executable, "-I", "-c", _INIT])
    assert (done.status, done.out) == (0, "refused\n" * 7), done.err


def test_a_stopped_monitor_stops_no_denial(netproxy: Netproxy) -> None:
    script = "kill -STOP $PPID; curl -s http://refused.test/; sleep 15; echo survived"
    done = netproxy.run("--ask", "never", command=["sh", "-c", script])
    assert done.status == 77
    assert "survived" not in done.out


def test_a_command_that_stops_itself_stops_no_bystander(netproxy: Netproxy) -> None:
    """Without a terminal nobody would continue the script around us."""
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    argv = netproxy.argv(*words, "sh", "-c", "kill -TSTP $$; sleep 0.1")
    bystander = subprocess.Popen(
        ["sh", "-c", '"$@" & sleep 1; echo on; kill -KILL $!', "sh", *argv],
        stdout=subprocess.PIPE,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        process_group=0,  # in our session: the kernel stops no group without a parent in it
    )
    try:
        said, _ = bystander.communicate(timeout=10)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(bystander.pid, signal.SIGKILL)
    assert said == b"on\n"


def test_a_daemon_that_never_stops_writing_does_not_keep_us(netproxy: Netproxy) -> None:
    """The terminal is drained at the end: of what it holds, not of what keeps coming."""
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    argv = netproxy.argv(*words, "sh", "-c", "trap '' HUP; yes & sleep 0.2")
    with Terminal(argv, cwd=netproxy.workspace, environment=netproxy.environment()) as terminal:
        try:
            assert terminal.wait() == 0
        except AssertionError:
            pytest.fail("it does not end")  # and not the whole screen, which is long
