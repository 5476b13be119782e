"""A run beside a gateway that runs already: the same as ever, but for the gateway of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.support.handing import Office
from tests.support.proxies import eventually
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# Says where it is and what it was given, and what it got from outside.
STORY = """
cat; pwd; echo "$MARK $NETPROXY_RUN"
curl -sS -o page "$1" && wc -c < page
exit 3
"""


def test_it_is_run_decided_and_recorded_as_ever(person: Person, base: Path) -> None:
    """Streams, folder, environment, status: its own. Rules, files and relative names, too."""
    office = Office(person, base)
    folder = person.owns(office.workspace / "below")
    person.owns(office.workspace / ".git")  # what it lacks is in the plan, with its content
    (folder / "rules.toml").write_text("default_profile = 'd'\n[profiles.d.network]\nallow = []\n")
    with Site() as site, office.gateway("--ask", "never") as service:
        url = f"http://site.test:{site.port}/"
        rules = (*named("site.test"), "--allow", f"site.test:{site.port}", "--ask", "never")
        done = office.run(
            *rules, "--session", "release",
            command=("env", "-C", "below", "sh", "-c", STORY, "sh", url),
            stdin="words\n", environment={"MARK": "kept"},
        )  # fmt: skip
        run_id = done.out.split()[3]
        size = done.out.split()[4]
        assert done.out == f"words\n{folder}\nkept {run_id}\n{size}\n"
        assert (done.status, done.err) == (3, "")
        refused = office.run("--ask", "never", command=("curl", "-sS", url))
        relative = office.run("--config", "below/rules.toml", "--ask", "never", command=("true",))
        assert relative.status == 0, relative.err
        assert service.stop() == 0
    assert refused.status == 77
    assert "site.test" in refused.err.splitlines()[-1]
    assert "to allow it: --allow" in refused.err.splitlines()[-1]
    assert office.gateways() == 1
    mine = [each for each in office.events() if each.get("execution.id") == run_id]
    assert [each["event.name"].removeprefix("netproxy.") for each in mine] == [
        "session.started",
        "config.applied",
        "sandbox.probed",
        "run.started",
        "policy_decision",
        "connection.opened",
        "connection.closed",
        "run.exited",
        "session.ended",
    ]
    assert mine[0]["netproxy.session.name"] == "release"
    assert mine[3]["process.working_directory"] == str(office.workspace)
    assert mine[4]["sandbox.enforced"] is True
    assert mine[7]["process.exit.code"] == 3
    assert (office("audit", "verify", "--audit-dir", str(office.audit))).status == 0


def test_a_dozen_at_once_are_a_dozen_runs(me: Person, base: Path) -> None:
    office = Office(me, base)
    with office.gateway("--ask", "never"), ThreadPoolExecutor(12) as pool:

        def one(number: int) -> tuple[int, str, str]:
            done = office.run(
                "--ask", "never", command=("sh", "-c", f"echo {number}; exit {number}")
            )
            return done.status, done.out, done.err

        assert list(pool.map(one, range(12))) == [(each, f"{each}\n", "") for each in range(12)]
    assert office.gateways() == 1
    exits = office.events("netproxy.run.exited")
    assert sorted(each["process.exit.code"] for each in exits) == list(range(12))
    assert len({each["execution.id"] for each in exits}) == 12
    assert office("audit", "verify", "--audit-dir", str(office.audit)).status == 0


def test_every_end_is_its_own(me: Person, base: Path) -> None:
    office = Office(me, base)
    with office.gateway("--ask", "never"):
        never = ("--ask", "never")
        assert office.run(*never, command=("no-such-program",)).status == 127
        late = office.run(*never, "--timeout", "0.2", command=("sleep", "20"))
        assert (late.status, "did not end within 0.2 s" in late.err) == (124, True)
        stopped = office.run(*never, "--timeout", "0.5", command=("sh", "-c", "kill -STOP $$"))
        assert (stopped.status, "did not end within 0.5 s" in stopped.err) == (124, True)
        script = "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done"
        with office.begin(*never, command=("sh", "-c", script)) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "up\n"
            running.terminate()
            running.communicate(timeout=60)
            assert running.returncode == 5
        # What a run can't be used for is said by the run itself.
        wrong = office("run", "--askk", "never", "--", "true")
        assert (wrong.status, "did you mean --ask?" in wrong.err) == (64, True)
        missing = office.run(*never, "--write", "/nowhere", command=("true",))
        assert (missing.status, "no such file" in missing.err) == (64, True)
        assert office.gateways() == 1


def test_who_wants_a_gateway_of_its_own_has_one(me: Person, base: Path) -> None:
    """Other audit settings, no sandbox, and a run that asks where the gateway doesn't."""
    office = Office(me, base)
    with office.gateway("--ask", "never"):
        for number, options in enumerate(
            (
                ("--ask", "never", "--gateway", "own"),
                ("--ask", "never", "--audit-mode", "strict"),
                ("--ask", "never", "--no-sandbox"),
                (),
            ),
            2,
        ):
            assert office.run(*options, command=("true",)).status == 0
            assert office.gateways() == number, options


def test_a_run_is_seen_reloaded_and_waited_for(me: Person, base: Path) -> None:
    """Reviewers see it, its files are followed, and a gateway that stops lets it end."""
    office = Office(me, base)
    config = office.config / "netproxy" / "config.toml"
    config.parent.mkdir(mode=0o700)
    rules = "default_profile = 'd'\n[profiles.d.network]\ndefault = 'deny'\non_denial = 'block'\n"
    config.write_text(rules)
    with Site() as site, office.gateway() as service:
        url = f"http://site.test:{site.port}/"
        script = 'echo up; read -r _; until curl -sSf -o page "$0"; do sleep 0.05; done; read -r _'
        with office.begin(*named("site.test"), command=("sh", "-c", script, url)) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            assert running.stdout.readline() == "up\n"
            listed = office("approvals", "sessions", "--json").out.splitlines()
            assert any("echo up" in json.loads(line)["command"] for line in listed)
            config.write_text(f"{rules}allow = ['site.test:{site.port}']\n")
            running.stdin.write("\n")
            running.stdin.flush()
            eventually((office.workspace / "page").exists)
            service.signal()
            running.stdin.write("\n")
            running.stdin.close()
            assert running.wait(30) == 0
        assert service.ends() == 0
    (exited,) = office.events("netproxy.run.exited")
    assert exited["process.exit.code"] == 0


def test_runs_in_one_session_at_once_are_each_on_record_as_themselves(
    me: Person, base: Path
) -> None:
    """What the first one asks is its own, while the second runs and when that has ended."""
    office = Office(me, base)
    script = (
        'echo "$NETPROXY_RUN"; for host in a b; do read -r _; curl -s "http://$host.test"; done'
    )
    with office.gateway() as service:
        options = ("--session", "dev", "--on-denial", "block")
        with office.begin(*options, command=("sh", "-c", script)) as first:
            assert first.stdin is not None
            assert first.stdout is not None
            run_id = first.stdout.readline().strip()
            with office.begin(*options, command=("sh", "-c", "echo up; read -r _")) as second:
                assert second.stdout is not None
                assert second.stdout.readline() == "up\n"
                first.stdin.write("\n")
                first.stdin.flush()
                eventually(lambda: len(office.events("netproxy.policy_decision")) == 1)
                second.communicate("\n", timeout=60)
            first.communicate("\n", timeout=60)
        assert service.stop() == 0
    asked = office.events("netproxy.approval.requested")
    assert [each["server.address"] for each in asked] == ["a.test", "b.test"]
    ended = office.events("netproxy.approval.resolved")
    assert [each["execution.id"] for each in (*asked, *ended)] == [run_id] * 4


def test_a_gateway_that_may_not_wait_ends_its_runs(me: Person, base: Path) -> None:
    office = Office(me, base)
    with office.gateway("--ask", "never", "--drain", "0.1") as service:
        script = "echo up; sleep 30"
        with office.begin("--ask", "never", command=("sh", "-c", script)) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "up\n"
            assert service.stop() == 0
            _, err = running.communicate(timeout=60)
    assert running.returncode == 125, err
    assert err == "netproxy run: stopped the command: its gateway was told to stop\n"
    (exited,) = office.events("netproxy.run.exited")
    assert exited["process.exit.code"] == 125
    assert exited["netproxy.cancel.cause"] == "gateway_stopped"


# A terminal emulator that closes: it sends the signal, and is gone a moment later.
_WINDOW = """
import signal, subprocess, sys, time
from pathlib import Path
run = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
while not Path("ready").exists():
    time.sleep(0.01)
run.send_signal(signal.SIGHUP)
time.sleep(0.005)
"""


def test_a_window_that_closes_takes_its_command_along(me: Person, base: Path) -> None:
    """The signal is there before anything is gone: the first look finds a reload."""
    office = Office(me, base)
    script = "trap 'exit 9' HUP; touch ready; while :; do sleep 0.1; done"
    with office.gateway("--ask", "never"):
        words = ("run", "--audit-dir", str(office.audit), "--ask", "never", "--timeout", "20")
        subprocess.run(
            [sys.executable, "-c", _WINDOW, *office.argv(*words, "--", "sh", "-c", script)],
            check=True, cwd=office.workspace, env=office.environment(), start_new_session=True,
        )  # fmt: skip
        eventually(lambda: bool(office.events("netproxy.run.exited")))
    (exited,) = office.events("netproxy.run.exited")
    assert exited["process.exit.code"] == 9
    assert office.gateways() == 1


def test_a_gateway_that_drains_is_not_found(me: Person, base: Path) -> None:
    """Whoever waited for it would wait in vain, as long as it lets its clients finish."""
    office = Office(me, base)
    with office.gateway("--ask", "never", "--drain", "30") as service:
        script = "echo up; read -r _"
        with office.begin("--ask", "never", command=("sh", "-c", script)) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "up\n"
            service.signal()
            eventually(lambda: not (office.sockets / "runs.sock").exists())
            assert office.run("--ask", "never", command=("true",)).status == 0
            assert office.gateways() == 2
            running.communicate("\n", timeout=30)
        assert running.returncode == 0
        assert service.ends() == 0
