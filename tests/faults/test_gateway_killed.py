"""kill -9 of any of ours: the command and all its children die, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.host import find_bwrap
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.people import Person

# Nobody waits so long where all is well; a busy machine may take a while to end a family.
PATIENCE_SECONDS = 40.0

VICTIMS = ("gateway", "bwrap", "init", "monitor")
FAMILY = """
trap '' TERM HUP
for n in 1 2 3; do (trap '' TERM HUP; sleep {mark}) & done
setsid sh -c 'trap "" TERM HUP; sleep {mark} & sleep {mark}' &
touch here
sleep {mark}
"""


def processes(mark: str) -> set[int]:
    """Every process of the machine with `mark` among its arguments."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words:
            found.add(int(entry.name))
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def seen_on_the_machine(netproxy: Netproxy) -> set[str]:
    """What a run could leave: mounts, sockets, files outside the journal.

    The folder of control sockets stays: it is there so that the next command finds it hidden.
    """
    sockets = Path("/proc/net/unix").read_text().splitlines()
    return {
        *Path("/proc/self/mountinfo").read_text().splitlines(),
        *(line.split(maxsplit=6)[-1] for line in sockets if "netproxy" in line),
        *(str(path) for path in Path("/tmp").iterdir() if "netproxy" in path.name),
        *(str(path) for path in netproxy.workspace.iterdir()),
        *(str(path) for path in netproxy.state.rglob("*") if not path.is_dir()),
    }


def assert_nothing_is_left(netproxy: Netproxy, before: set[str]) -> None:
    """Tests beside this one make things too. Theirs go away by themselves."""
    left = seen_on_the_machine(netproxy) - before
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left &= seen_on_the_machine(netproxy)
    assert not left


def started(netproxy: Netproxy, mark: str) -> subprocess.Popen[bytes]:
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--", "sh", "-c")
    run = subprocess.Popen(
        netproxy.argv(*words, FAMILY.format(mark=mark)),
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: len(processes(mark)) >= 6)
    return run


def gateway(run: subprocess.Popen[bytes]) -> int:
    """The netproxy process itself, below whatever started it."""
    waiting = [run.pid]
    while waiting:
        pid = waiting.pop(0)
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"netproxy" in words and not words[0].endswith((b"unshare", b"sh")):
            return pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        waiting += [int(child) for child in children]
    raise AssertionError("no gateway")


def bwraps(pid: int) -> list[int]:
    """The outer bwrap, the namespace's init below it, and the monitor below that."""
    _janitor, outer = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[:2])
    inner = int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
    leader = int(Path(f"/proc/{inner}/task/{inner}/children").read_text().split()[0])
    return [outer, inner, leader]


@pytest.mark.parametrize("victim", VICTIMS)
def test_nothing_survives_and_nothing_is_left(person: Person, base: Path, victim: str) -> None:
    netproxy = Netproxy(person, base)
    mark = f"8{os.getpid()}{VICTIMS.index(victim)}.{int(person.name == 'user')}"
    (netproxy.workspace / "here").touch()
    os.chown(netproxy.workspace / "here", person.uid, person.uid)
    before = seen_on_the_machine(netproxy)
    run = started(netproxy, mark)
    try:
        pid = gateway(run)
        target = dict(zip(VICTIMS, [pid, *bwraps(pid)], strict=True))
        os.kill(target[victim], signal.SIGKILL)
        wait_for(lambda: not processes(mark))
        _, err = run.communicate(timeout=PATIENCE_SECONDS)
    finally:
        run.kill()
        run.wait()
    assert_nothing_is_left(netproxy, before)
    if victim != "gateway":
        assert run.returncode == 125, err
        assert b"the sandbox was killed" in err
        assert netproxy.events("netproxy.run.exited")
    done = netproxy("audit", "verify", "--audit-dir", str(netproxy.audit))
    assert done.status == 0, done.out + done.err


def test_the_next_run_says_that_the_last_one_did_not_end_well(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    run = started(netproxy, mark := f"8{os.getpid()}.9")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=PATIENCE_SECONDS)
    wait_for(lambda: not processes(mark))
    assert netproxy.run("--ask", "never", command=["true"]).status == 0
    ended = [
        event["netproxy.previous.shutdown"] for event in netproxy.events("netproxy.gateway.started")
    ]
    assert ended == ["none", "unclean"]


# The system's bwrap would come before any in PATH.
_MAIN = """
import sys
from sandbox import host
host._SYSTEM = ()
from netproxy.app.cli import main
main(sys.argv[1:])
"""
# Says nothing of its child, which is there already.
_BWRAP = """#!/bin/sh
sleep {mark} &
exec sleep {mark}
"""


def begun_with(netproxy: Netproxy, base: Path, bwrap: str) -> subprocess.Popen[bytes]:
    """A run whose bwrap is this script."""
    (base / "bin").mkdir()
    (base / "bin" / "bwrap").write_text(bwrap)
    (base / "bin" / "bwrap").chmod(0o755)
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--", "true")
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _MAIN, *words],
        cwd=netproxy.workspace,
        env=netproxy.environment({"PATH": f"{base}/bin:{os.defpath}"}),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_of_a_sandbox_that_is_just_being_built(
    me: Person, base: Path, number: signal.Signals
) -> None:
    netproxy = Netproxy(me, base)
    mark = f"8{os.getpid()}.{number}"
    before = seen_on_the_machine(netproxy)
    run = begun_with(netproxy, base, _BWRAP.format(mark=mark))
    wait_for(lambda: len(processes(mark)) == 2)
    assert (netproxy.workspace / ".vscode").exists()
    run.send_signal(number)
    run.communicate(timeout=PATIENCE_SECONDS)  # nobody else holds the pipe
    wait_for(lambda: not processes(mark))
    assert_nothing_is_left(netproxy, before)
    assert run.returncode == -number
    ended = [event["process.exit.code"] for event in netproxy.events("netproxy.run.exited")]
    assert ended == ([] if number == signal.SIGKILL else [128 + number])
    assert len(netproxy.events("netproxy.session.started")) == 1
    assert len(netproxy.events("netproxy.session.ended")) == len(ended)


# The real one; whoever starts it is ended before it has done anything.
_BEHIND = """#!/bin/sh
kill -{number} $PPID
sleep 0.2
exec {bwrap} "$@"
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_sandbox_that_has_just_been_begun(
    me: Person, base: Path, number: signal.Signals
) -> None:
    """Nobody knows of bwrap yet, and it finds nobody to tell of its child: that would wait."""
    netproxy = Netproxy(me, base)
    before = seen_on_the_machine(netproxy)
    behind = _BEHIND.format(number=int(number), bwrap=find_bwrap(os.defpath))
    with begun_with(netproxy, base, behind) as run:
        run.communicate(timeout=PATIENCE_SECONDS)  # nobody else holds the pipe
    wait_for(lambda: not processes(str(netproxy.workspace)))
    assert_nothing_is_left(netproxy, before)
    ended = netproxy.events("netproxy.session.ended")
    assert len(ended) == (number != signal.SIGKILL)
