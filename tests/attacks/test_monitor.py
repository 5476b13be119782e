"""The monitor runs as the command's own user: what can the command make of it?

It can neither be traced nor robbed of its control socket (the kernel filter), and what it says is
not obeyed blindly all the same (`tests/sandbox/test_command.py`). The launcher reads what the
terminal holds only, and owns the end of everything. Each test was seen to fail without its defence
(and without the probe, which would end the run before). Where there are two, both had to go:

    killed, it takes everything along   the launcher's kill, and the PID namespace
    its files in /proc                  Landlock, and stay_unreadable
    init's files in /proc               Landlock, and the cover (init's calls: the filter alone)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.linux import landlock
from tests.support.at_terminal import Terminal
from tests.support.handing import Office
from tests.support.runs import NETPROXY, Netproxy

if TYPE_CHECKING:
    from tests.support.people import Person


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def monitor_below(ancestor: int) -> int:
    """The monitor's pid, as this host numbers it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                behind_name = (entry / "stat").read_bytes().rpartition(b")")[2]
                parents[int(entry.name)] = int(behind_name.split()[1])
    for pid in sorted(parents, reverse=True):
        above, name = pid, b""
        with suppress(OSError):
            name = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0]
        while above in parents and above != ancestor:
            above = parents[above]
        if above == ancestor and b"python" in name and pid != ancestor:
            return pid
    raise AssertionError("no monitor runs")


def test_a_killed_monitor_takes_everything_along(netproxy: Netproxy) -> None:
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    script = "setsid sleep 15 & echo up; sleep 15; echo survived"
    run = subprocess.Popen(
        netproxy.argv(*words, "sh", "-c", script),
        stdout=subprocess.PIPE,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
    )
    assert run.stdout is not None
    with run.stdout as said:
        assert said.readline() == b"up\n"
        os.kill(monitor_below(run.pid), signal.SIGKILL)
        assert said.read() == b"", "everybody who could write there is gone"
    assert run.wait(30) == 125


def test_nobody_inside_reads_or_robs_the_monitor(netproxy: Netproxy) -> None:
    """It runs as the same user; what it holds open is the way to our launcher."""
    script = """
import os, signal
for name in ("mem", "environ", "fd/3", "maps", "cwd", "root"):
    path = f"/proc/{os.getppid()}/{name}"
    try:
        if name in ("fd/3", "cwd", "root"):
            print(name, os.readlink(path))
        elif open(path, "rb").read(1):
            print(name, "read")
    except OSError:
        continue
"""
    done = netproxy.run("--ask", "never", command=[sys.executable, "-I", "-c", script])
    assert (done.status, done.out) == (0, ""), done.err


@pytest.mark.skipif(landlock.version() < landlock.SCOPES, reason="this kernel's has no scopes")
def test_nobody_inside_stops_or_ends_the_monitor(netproxy: Netproxy) -> None:
    script = "kill -STOP $PPID 2>/dev/null || kill -9 $PPID 2>/dev/null || echo refused"
    done = netproxy.run("--ask", "never", command=["sh", "-c", script])
    assert (done.status, done.out) == (0, "refused\n")


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
    """From outside: where Landlock keeps signals, nobody inside can stop it."""
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    script = "echo up; read -r _; curl -s http://refused.test/; sleep 15; echo survived"
    with subprocess.Popen(
        netproxy.argv(*words, "sh", "-c", script),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
    ) as run:
        assert run.stdout is not None
        try:
            assert run.stdout.readline() == b"up\n"
            os.kill(monitor_below(run.pid), signal.SIGSTOP)
            said, _ = run.communicate(b"\n", timeout=60)
        finally:
            run.kill()
    assert (run.returncode, said) == (77, b"")


def test_a_command_that_stops_itself_stops_no_bystander(netproxy: Netproxy) -> None:
    """Without a terminal nobody would continue the script around us."""
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    argv = [*NETPROXY, *words, "sh", "-c", "kill -TSTP $$; sleep 0.1"]
    # Once the run is stopped, whoever was stopped along with it says nothing any more.
    waits = 'until grep -q "^State:.T" /proc/$!/status; do sleep 0.05; done'
    script = f'"$@" & {waits}; echo on; kill -KILL $!'
    bystander = subprocess.Popen(
        # The script is his, too: nobody could stop another user's.
        [*netproxy.person.prefix, "sh", "-c", script, "sh", *argv],
        stdout=subprocess.PIPE,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        process_group=0,  # in our session: the kernel stops no group without a parent in it
    )
    try:
        said, _ = bystander.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(bystander.pid, signal.SIGKILL)
    assert said == b"on\n"


@pytest.mark.parametrize("is_served", [False, True], ids=["own gateway", "handed over"])
def test_a_command_that_stops_itself_gets_no_more_time(
    me: Person, base: Path, *, is_served: bool
) -> None:
    """Its stop is ours as well, and whoever is stopped sees no time-out come."""
    office = Office(me, base)
    script = "(sleep 4; echo survived) & kill -STOP $$; echo went on"
    with office.gateway("--ask", "never") if is_served else nullcontext():
        done = office.run("--ask", "never", "--timeout", "1", command=["sh", "-c", script])
        assert (done.status, done.out) == (124, "")
        assert "it did not end within 1 s (--timeout)" in done.err
        assert office.gateways() == 1


def test_a_daemon_that_never_stops_writing_does_not_keep_us(netproxy: Netproxy) -> None:
    """The terminal is drained at the end: of what it holds, not of what keeps coming.

    Whoever looks reads slowly: else the writer is not always ahead, and a drain without end ends.
    """
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    argv = netproxy.argv(*words, "sh", "-c", "trap '' HUP; yes & sleep 0.2")
    with Terminal(argv, cwd=netproxy.workspace, environment=netproxy.environment()) as terminal:
        try:
            assert terminal.wait(slowly=True) == 0
        except AssertionError:
            pytest.fail("it does not end")  # and not the whole screen, which is long
