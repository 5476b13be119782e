"""`netproxy run` as a person uses it: the command is as it would be alone, and the rules hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from tests.support.people import Person


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


@pytest.mark.parametrize("status", [0, 1, 3, 77, 125, 255])
def test_the_commands_own_status_is_ours(me: Person, base: Path, status: int) -> None:
    done = Netproxy(me, base).run("--ask", "never", command=["sh", "-c", f"exit {status}"])
    assert (done.status, done.out, done.err) == (status, "", "")


@pytest.mark.parametrize(("name", "number"), [("TERM", 15), ("KILL", 9), ("SEGV", 11)])
def test_a_signal_is_reported_as_a_shell_does(
    me: Person, base: Path, name: str, number: int
) -> None:
    done = Netproxy(me, base).run("--ask", "never", command=["sh", "-c", f"kill -{name} $$"])
    assert done.status == 128 + number


def test_a_caller_that_reaps_nobody_gets_the_status(netproxy: Netproxy) -> None:
    """What it ignores is handed on, and the kernel then keeps no status of any child."""
    words = netproxy.argv("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    script = "grep SigIgn /proc/self/status; (exit 4); exit $?"
    done = subprocess.run(
        ["sh", "-c", 'trap "" CHLD; exec "$@"', "sh", *words, "sh", "-c", script],
        cwd=netproxy.workspace, env=netproxy.environment(), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (4, "")
    assert int(done.stdout.split()[1], 16) & 1 << signal.SIGCHLD - 1 == 0


def test_a_caller_that_blocks_signals_can_send_them(me: Person, base: Path) -> None:
    """As one does that waits for them by sigwait(3) or signalfd(2)."""
    netproxy = Netproxy(me, base)
    blocks = (
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32));"
        " os.execvp(sys.argv[1], sys.argv[1:])"
    )
    words = netproxy.argv("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    script = "trap 'exit 6' TERM; echo up; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [sys.executable, "-c", blocks, *words, "sh", "-c", script],
        cwd=netproxy.workspace, env=netproxy.environment(), stdout=subprocess.PIPE,
    ) as running:  # fmt: skip
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"up\n"
            running.terminate()
            assert running.wait(30) == 6
        finally:
            running.kill()


def test_streams_pass_through_untouched(netproxy: Netproxy) -> None:
    done = netproxy.run(
        "--ask", "never", command=["sh", "-c", "cat; echo error >&2"], stdin="in\0put\n"
    )
    assert (done.status, done.out, done.err) == (0, "in\0put\n", "error\n")


def test_no_shell_reads_the_arguments(netproxy: Netproxy) -> None:
    words = ["$HOME", "a b", "", "*", ";", "'", '"', "\\", "--ask", "--", "\udcff"]
    script = "import sys; sys.stdout.write(repr(sys.argv[1:]))"
    done = netproxy.run("--ask", "never", command=[sys.executable, "-c", script, *words])
    assert done.out == repr(words)


def test_a_command_that_is_not_there(netproxy: Netproxy) -> None:
    done = netproxy.run("--ask", "never", command=["no-such-command"])
    assert done.status == 127
    assert done.err == "netproxy run: no-such-command: command not found\n"


def test_a_command_that_cannot_be_executed(netproxy: Netproxy) -> None:
    done = netproxy.run("--ask", "never", command=["/etc/passwd"])
    assert done.status == 126
    assert "cannot be executed" in done.err


def test_an_allowed_site_is_reached_and_recorded(netproxy: Netproxy) -> None:
    with Site() as site:
        done = netproxy.run(
            *named("site.test"),
            "--allow",
            f"site.test:{site.port}",
            "--ask",
            "never",
            command=["curl", "-sS", f"http://site.test:{site.port}/page?secret=1"],
        )
    assert (done.status, done.out, done.err) == (0, "hello\n", "")
    assert site.visits == ["/page?secret=1"]
    (decision,) = netproxy.decisions()
    assert decision["network.policy.decision"] == "allow"
    assert decision["network.policy.reason"] == "allowed_by_rule"
    assert decision["network.transport.protocol"] == "http"
    assert decision["server.address"] == "site.test"
    assert decision["sandbox.enforced"] is True
    assert "secret" not in str(netproxy.events())


def test_what_no_rule_allows_ends_the_command(netproxy: Netproxy) -> None:
    with Site() as site:
        done = netproxy.run(
            *named("site.test"),
            "--ask",
            "never",
            command=["sh", "-c", f"curl -s http://site.test:{site.port}/; sleep 30; echo late"],
        )
    assert done.status == 77
    assert "late" not in done.out
    assert site.visits == []
    assert f"http://site.test:{site.port}" in done.err
    assert "not_allowed" in done.err
    assert "--allow" in done.err
    assert done.err.count("\n") == 1, "one closing line"


def test_the_hint_of_the_closing_line_works(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    with Site() as site:
        command = ["curl", "-sS", f"http://site.test:{site.port}/"]
        done = netproxy.run(*named("site.test"), "--ask", "never", command=command)
        words = done.err.split()
        hint = words[words.index("--allow") : words.index("--allow") + 2]
        again = netproxy.run(*named("site.test"), *hint, "--ask", "never", command=command)
    assert (again.status, again.out) == (0, "hello\n")


def test_on_denial_block_refuses_the_connection_only(netproxy: Netproxy) -> None:
    done = netproxy.run(
        "--ask",
        "never",
        "--on-denial",
        "block",
        command=["sh", "-c", "curl -s -o /dev/null -w '%{http_code} ' http://x.test/; echo on"],
    )
    assert (done.status, done.out) == (0, "403 on\n")


def test_time_runs_out(netproxy: Netproxy) -> None:
    done = netproxy.run("--ask", "never", "--timeout", "0.3", command=["sleep", "30"])
    assert done.status == 124
    assert "0.3 s" in done.err


def test_time_runs_out_for_who_is_stopped_too(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    options = ("--ask", "never", "--timeout", "2")
    with netproxy.begin(*options, command=["sh", "-c", "echo up; sleep 60"]) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        running.send_signal(signal.SIGSTOP)
        _, said = running.communicate(timeout=30)
    assert (running.returncode, "did not end within 2 s" in said) == (124, True)


@pytest.mark.parametrize("where", ["/", "home"])
def test_from_the_root_and_the_home_folder_nothing_is_written_or_made(
    netproxy: Netproxy, where: str
) -> None:
    folder = Path("/") if where == "/" else netproxy.person.home
    before = {path.name for path in folder.iterdir()} | {
        path.name for path in Path("/etc").iterdir()
    }
    done = netproxy.run("--ask", "never", command=["sh", "-c", "touch x 2>&1; pwd"], cwd=folder)
    assert done.status == 0, done.err
    assert "Read-only file system" in done.out
    assert done.out.endswith(f"{folder}\n")
    after = {path.name for path in folder.iterdir()} | {
        path.name for path in Path("/etc").iterdir()
    }
    assert after == before


def test_in_a_home_folder_below_tmp_what_is_hidden_stays_hidden(netproxy: Netproxy) -> None:
    """As containers have it; inside, /tmp is private, and a working directory comes back in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        home = netproxy.person.owns(Path(name))
        (netproxy.person.owns(home / ".ssh") / "id").write_text("secret")
        environment = {"HOME": name, "XDG_STATE_HOME": f"{name}/state"}
        command = ["sh", "-c", "cat .ssh/id; ls state/netproxy; pwd"]
        words = ("run", "--ask", "never", "--", *command)
        done = netproxy(*words, environment=environment, cwd=home)
    assert (done.status, done.out) == (0, f"{name}\n"), done.err


def test_without_a_sandbox_it_says_so_and_every_event_does(netproxy: Netproxy) -> None:
    with Site() as site:
        done = netproxy.run(
            *named("site.test"),
            "--no-sandbox",
            "--allow",
            f"site.test:{site.port}",
            "--ask",
            "never",
            command=["curl", "-sS", f"http://site.test:{site.port}/"],
        )
    assert (done.status, done.out) == (0, "hello\n")
    assert done.err.count("\n") == 1
    assert "warning" in done.err
    run_events = [event for event in netproxy.events() if event.get("execution.id")]
    assert len(run_events) >= 4
    assert {event["sandbox.enforced"] for event in run_events} == {False}


def test_without_a_sandbox_a_denial_ends_daemons_too(me: Person, base: Path) -> None:
    mark = f"31.{os.getpid()}"  # another suite may run on this machine
    script = f"setsid sh -c 'trap \"\" TERM; sleep {mark}' & curl -s http://x.test/; sleep {mark}"
    netproxy = Netproxy(me, base)
    done = netproxy.run("--no-sandbox", "--ask", "never", command=["sh", "-c", script])
    assert done.status == 77
    assert not running(mark)


def test_a_denial_ends_grandchildren_and_daemons(netproxy: Netproxy) -> None:
    mark = f"27.{os.getpid()}{netproxy.person.uid}"  # another suite may run on this machine
    script = f"""
trap '' TERM
(trap '' TERM; sleep {mark}) &
(setsid sh -c 'trap "" TERM; sleep {mark} & sleep {mark}' &)
curl -s http://x.test/
sleep {mark}
"""
    done = netproxy.run("--ask", "never", command=["sh", "-c", script])
    assert done.status == 77
    assert not running(mark)
    phases = [event["netproxy.cancel.phase"] for event in netproxy.events("netproxy.run.cancelled")]
    assert phases == ["requested", "terminated", "killed"]
    (decision,) = netproxy.decisions()
    (exited,) = netproxy.events("netproxy.run.exited")
    assert exited["netproxy.cancel.cause"] == decision["connection.id"]


def running(word: str) -> list[str]:
    """Command lines on this machine that contain `word` as an argument."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in words:
            found.append(entry.name)
    return found


def test_ten_runs_at_once_and_exactly_the_denied_one_dies(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    with Site() as site, ThreadPoolExecutor(10) as pool:
        allowed = f"curl -sS http://site.test:{site.port}/ && sleep 0.1"
        denied = "curl -s http://other.test/; sleep 30"

        def one(number: int) -> int:
            script = denied if number == 4 else allowed
            rule = ("--allow", f"site.test:{site.port}")
            return netproxy.run(
                *named("site.test"), *rule, "--ask", "never", command=["sh", "-c", script]
            ).status

        statuses = list(pool.map(one, range(10)))
    assert statuses == [77 if number == 4 else 0 for number in range(10)]
    assert netproxy("audit", "verify", "--audit-dir", str(netproxy.audit)).status == 0
