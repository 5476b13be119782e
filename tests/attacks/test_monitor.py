"""The monitor runs as the command's own user, and may be its puppet: what can it say that hurts?

Where no yama(7) forbids it, the command takes the monitor's control socket (pidfd_getfd(2)) or
traces it. The defences: the launcher obeys numbers in a narrow range only, stops for stop signals
only, reads what the terminal holds only, and owns the end of everything. Each test was seen to
fail without its defence.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.at_terminal import Terminal
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# Takes the control socket out of the monitor, which is the command's parent.
_TAKE = """
import ctypes, os, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def take():
    monitor = os.pidfd_open(os.getppid())
    for name in os.listdir(f"/proc/{os.getppid()}/fd"):
        if os.readlink(f"/proc/{os.getppid()}/fd/{name}").startswith("socket:"):
            number = libc.syscall(438, monitor, int(name), 0)
            if number < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            return socket.socket(fileno=number)
try:
    control = take()
except OSError:
    sys.exit(99)
"""
_OUT_OF_REACH = 99


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def say(netproxy: Netproxy, script: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command that holds the control socket, in a group with a bystander."""
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", *options, "--")
    argv = netproxy.argv(*words, sys.executable, "-I", "-c", _TAKE + script)
    done = subprocess.run(
        ["sh", "-c", '"$@"; echo "status $?"', "sh", *argv],
        capture_output=True,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        start_new_session=True,
        timeout=20,
        check=False,
    )
    if done.stdout.endswith(b"status %d\n" % _OUT_OF_REACH):
        pytest.skip("this kernel keeps the monitor's descriptors from the command")
    return done


# One after the other in one run: none of them ends the conversation.
_MESSAGES = (
    b"t9",  # SIGKILL to our job, if it were obeyed
    b"t15",
    b"t0",
    b"t65",
    b"t" + b"9" * 60,
    b"x" + b"9" * 60,
    b"x4991",  # stopped: not the end of anything
    b"x65535",  # continued
    b"x-1",
    b"p",
    b"s",
    b"\xff\x00",
    b"e" + b"9" * 60,
)


def test_no_message_hurts_our_job(ordinary: Person, base: Path) -> None:
    script = f"""
for message in {_MESSAGES!r}:
    control.send(message)
    time.sleep(0.05)
    print("still here after", message, flush=True)
"""
    done = say(Netproxy(ordinary, base), script)
    said = "".join(f"still here after {message!r}\n" for message in _MESSAGES)
    assert done.stdout.decode().startswith(said), done
    assert b"status " in done.stdout, "the bystander in our group lives"
    assert b"Traceback" not in done.stderr


def test_nor_does_the_end_of_the_conversation(ordinary: Person, base: Path) -> None:
    done = say(Netproxy(ordinary, base), "control.send(b''); time.sleep(0.2); print('still here')")
    assert b"status " in done.stdout, "the bystander in our group lives"
    assert b"Traceback" not in done.stderr


def test_a_lie_about_the_end_ends_everything(netproxy: Netproxy) -> None:
    """Who says `ended` while the command goes on gets just that."""
    began = time.monotonic()
    done = say(netproxy, "control.send(b'x0'); time.sleep(15); print('survived')")
    assert done.stdout == b"status 0\n"
    assert time.monotonic() - began < 10


def test_a_descriptor_that_comes_with_a_message_is_dropped(netproxy: Netproxy) -> None:
    script = """
for _ in range(300):
    null = os.open("/dev/null", os.O_RDONLY)
    socket.send_fds(control, [b"p"], [null] * 10)
    os.close(null)
    time.sleep(0)
print("sent")
"""
    done = say(netproxy, script)
    assert done.stdout == b"sent\nstatus 0\n", done.stderr


def test_a_flood_of_stops_delays_no_cancellation(netproxy: Netproxy) -> None:
    script = """
os.fork()
import urllib.request
while True:
    control.send(b"g" if os.getpid() % 2 else b"t99")
    if os.getpid() % 2 == 0: continue
    try: urllib.request.urlopen("http://refused.test/", timeout=5)
    except OSError: pass
"""
    done = say(netproxy, script)
    assert done.stdout == b"status 77\n"


def test_a_killed_monitor_takes_everything_along(netproxy: Netproxy) -> None:
    done = netproxy.run(
        "--ask",
        "never",
        command=["sh", "-c", "setsid sleep 15 & kill -9 $PPID; sleep 15; echo survived"],
    )
    assert done.status == 128 + signal.SIGKILL
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


def test_a_debugger_still_works_on_its_own(netproxy: Netproxy) -> None:
    script = """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if not child:
    signal.pause()
assert libc.ptrace(16, child, 0, 0) == 0
os.kill(child, signal.SIGKILL)
"""
    done = netproxy.run("--ask", "never", command=[sys.executable, "-I", "-c", script])
    assert done.status == 0, done.err


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
