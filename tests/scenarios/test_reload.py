"""Rules that are edited while a command runs: they hold within a second, or not at all."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.at_terminal import Terminal
from tests.support.fair_clock import share
from tests.support.origins import echo, origin
from tests.support.runs import PATIENCE_SECONDS, Netproxy
from tests.support.sites import Site, named

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.support.people import Person

# From the edit to the cut is a second (docs/adr/0006); a busy machine takes longer for everything,
# which `share` takes off.
WITHIN_SECONDS = 2.0
# For a rule that expires: time enough for a busy machine to take it up.
LEFT_SECONDS = 4

_PROXY = """
import os, signal, socket, sys, time
def ask(name):
    host, port = os.environ["NETPROXY_HTTP"].rsplit(":", 1)
    client = socket.create_connection((host, int(port)), 10)
    client.sendall(f"CONNECT {name} HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
    return client, client.recv(4096).decode(errors="replace").split()[1]
def say(*words):
    print(*words, flush=True)
"""
# Holds a tunnel until it is cut, then asks again.
HOLD = """
client, status = ask(sys.argv[1])
say("opened", status)
try:
    while client.recv(10):
        pass
except OSError:
    say("cut")
say("again", ask(sys.argv[1])[1])
"""
# Asks until it is let through.
RETRY = """
say("first", ask(sys.argv[1])[1])
while ask(sys.argv[1])[1] != "200":
    time.sleep(0.05)
say("allowed")
"""
# Lives until the test has seen enough.
STAY = """
say("ready")
sys.stdin.read()
"""
# Lives, and says which signals it gets.
WAIT = """
signal.signal(signal.SIGHUP, lambda *_: (say("got SIGHUP"), os._exit(9)))
say("ready")
time.sleep(30)
"""


class Running:
    """A run in the background; `says` waits for a line of its output."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def says(self, line: str, *, within: float = PATIENCE_SECONDS) -> float:
        """Seconds until the command said this next."""
        assert self.process.stdout is not None
        before = time.monotonic()
        ready, _, _ = select.select([self.process.stdout], [], [], within)
        assert ready, f"did not say {line!r} within {within} s"
        assert self.process.stdout.readline() == f"{line}\n"
        return time.monotonic() - before

    def ends(self) -> tuple[int, str]:
        """Status, and what netproxy said at the end."""
        _, said = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, said


class Rules:
    """A settings file that a person edits, in place or as editors do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **network: object) -> None:
        lines = [f"{key} = {_toml(value)}" for key, value in network.items()]
        self.text("\n".join(["[profiles.dev.network]", *lines, ""]))

    def text(self, text: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.rename(self.path)


def _toml(value: object) -> str:
    return repr(value).replace("'", '"')


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def rules(base: Path) -> Rules:
    made = Rules(base / "rules.toml")
    made.write(default="deny", on_denial="block")
    return made


@contextmanager
def running(netproxy: Netproxy, rules: Rules, script: str, *words: str) -> Iterator[Running]:
    options = ("--config", str(rules.path), *named("a.test"))
    command = [sys.executable, "-I", "-u", "-c", _PROXY + script, *words]
    with netproxy.begin(*options, command=command) as process:
        yield Running(process)


def applied(netproxy: Netproxy) -> list[dict[str, Any]]:
    return netproxy.events("netproxy.config.applied")


def test_a_deny_that_is_added_cuts_the_tunnel_and_the_command_goes_on(
    netproxy: Netproxy, rules: Rules
) -> None:
    with origin(echo) as far:
        rules.write(default="deny", on_denial="block", allow=[f"a.test:{far.port}"])
        with running(netproxy, rules, HOLD, f"a.test:{far.port}") as run:
            run.says("opened 200")
            rules.write(
                default="deny", on_denial="block", allow=[f"a.test:{far.port}"], deny=["a.test"]
            )
            assert run.says("cut") * share() < WITHIN_SECONDS
            run.says("again 403")
            assert run.ends() == (0, "")
    first, second = applied(netproxy)
    assert (first["netproxy.config.source"], second["netproxy.config.source"]) == ("start", "files")
    assert second["netproxy.policy.previous_digest"] == first["netproxy.policy.digest"]
    assert second["netproxy.change.summary"] == ["+ deny a.test"]
    (closed,) = netproxy.events("netproxy.connection.closed")
    assert closed["netproxy.close.reason"] == "policy_changed"
    last = netproxy.decisions()[-1]
    assert last["network.policy.reason"] == "denied_by_rule"


def test_a_rule_that_expires_cuts_its_tunnel(netproxy: Netproxy, rules: Rules) -> None:
    with origin(echo) as far:

        def expiring(seconds: float) -> str:
            end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
            return (
                '[profiles.dev.network]\ndefault = "deny"\non_denial = "block"\n'
                '[[profiles.dev.network.rules]]\nhost = "a.test"\nverdict = "allow"\n'
                f"ports = [{far.port}]\nexpires = {end}\n"
            )

        rules.text(expiring(3600))
        with running(netproxy, rules, HOLD, f"a.test:{far.port}") as run:
            run.says("opened 200")
            rules.text(expiring(LEFT_SECONDS))
            assert run.says("cut") * share() < LEFT_SECONDS + WITHIN_SECONDS
            run.says("again 403")
            assert run.ends() == (0, "")
    assert [event["netproxy.config.source"] for event in applied(netproxy)] == [
        "start",
        "files",
        "expiry",
    ]
    (closed,) = netproxy.events("netproxy.connection.closed")
    assert closed["netproxy.close.reason"] == "policy_changed"


def test_an_allow_that_is_added_holds_for_the_next_try(netproxy: Netproxy, rules: Rules) -> None:
    with Site() as site, running(netproxy, rules, RETRY, f"a.test:{site.port}") as run:
        run.says("first 403")
        rules.write(default="deny", on_denial="block", allow=[f"a.test:{site.port}"])
        assert run.says("allowed") * share() < WITHIN_SECONDS
        assert run.ends() == (0, "")


def test_what_is_wrong_is_said_once_and_mending_it_helps(netproxy: Netproxy, rules: Rules) -> None:
    with Site() as site, running(netproxy, rules, RETRY, f"a.test:{site.port}") as run:
        run.says("first 403")
        rules.text('[profiles.dev.network]\ndefault = "alow"\n')
        _eventually(lambda: netproxy.events("netproxy.config.rejected"))
        time.sleep(1.2)  # two more looks
        rules.write(default="deny", on_denial="block", allow=[f"a.test:{site.port}"])
        run.says("allowed")
        assert run.ends() == (0, "")
    rejections = netproxy.events("netproxy.config.rejected")
    assert len(rejections) == 1, rejections
    rejected = rejections[0]
    assert rejected["error.type"] == "invalid"
    assert "rules.toml:2:" in rejected["netproxy.config.errors"][0]
    assert len(applied(netproxy)) == 2


def test_what_stays_wrong_is_one_line_at_the_end(netproxy: Netproxy, rules: Rules) -> None:
    with running(netproxy, rules, STAY) as run:
        run.says("ready")
        rules.path.unlink()
        _eventually(lambda: netproxy.events("netproxy.config.rejected"))
        status, said = run.ends()
    assert status == 0
    assert said == (
        "netproxy run: the settings were changed meanwhile, and can't be used: "
        f"{rules.path}: is gone; the rules from before held\n"
    )


def test_a_folder_that_is_swapped_behind_a_link_is_taken(
    netproxy: Netproxy, rules: Rules, base: Path
) -> None:
    """As Kubernetes updates a mounted ConfigMap."""
    with Site() as site:
        for name, allow in (("..1", []), ("..2", [f"a.test:{site.port}"])):
            (base / name).mkdir()
            Rules(base / name / "rules.toml").write(default="deny", on_denial="block", allow=allow)
        rules.path.unlink()
        (base / "..data").symlink_to("..1")
        rules.path.symlink_to("..data/rules.toml")
        with running(netproxy, rules, RETRY, f"a.test:{site.port}") as run:
            run.says("first 403")
            (base / "..new").symlink_to("..2")
            (base / "..new").rename(base / "..data")
            assert run.says("allowed") * share() < WITHIN_SECONDS


def test_a_project_is_taken_when_its_new_content_is_trusted(
    netproxy: Netproxy, rules: Rules
) -> None:
    project = Rules(netproxy.workspace / "netproxy.toml")
    with origin(echo) as far:
        rules.write(default="deny", on_denial="block", allow=[f"a.test:{far.port}"])
        project.write(deny=["b.test"])
        assert netproxy("trust", "--yes").status == 0
        with running(netproxy, rules, HOLD, f"a.test:{far.port}") as run:
            run.says("opened 200")
            project.write(deny=["a.test"])
            _eventually(lambda: netproxy.events("netproxy.config.rejected"))
            assert len(applied(netproxy)) == 1
            assert netproxy("trust", "--yes").status == 0
            assert run.says("cut") * share() < WITHIN_SECONDS
            run.says("again 403")
            status, said = run.ends()
    # Its mount went with the file that was replaced: the command is told of, and nothing else.
    assert (status, said.count("\n")) == (0, 1)
    assert f"{project.path} was put there from outside" in said
    (rejected,) = netproxy.events("netproxy.config.rejected")
    assert "changed since it was trusted" in rejected["netproxy.config.errors"][0]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be the administrator")
def test_a_managed_file_that_appears_binds_at_once_and_to_the_end(
    netproxy: Netproxy, rules: Rules, base: Path
) -> None:
    (base / "etc" / "netproxy").mkdir(parents=True)
    (base / "managed").mkdir()
    script = (
        f"mount -t overlay overlay -o lowerdir={base}/etc:/etc /etc && "
        f'mount --bind {base}/managed /etc/netproxy && exec "$@"'
    )
    enter = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    netproxy.person = replace(netproxy.person, prefix=enter)
    managed = base / "managed" / "requirements.toml"
    with origin(echo) as far:
        rules.write(default="deny", on_denial="block", allow=[f"a.test:{far.port}"])
        with running(netproxy, rules, HOLD, f"a.test:{far.port}") as run:
            run.says("opened 200")
            managed.write_text('[network]\ndeny = ["a.test"]\n')
            assert run.says("cut") * share() < WITHIN_SECONDS
            managed.unlink()
            run.says("again 403")
    assert applied(netproxy)[1]["netproxy.change.summary"] == ["+ deny a.test"]


def test_sighup_without_a_terminal_asks_for_a_reload(netproxy: Netproxy, rules: Rules) -> None:
    """As systemctl reload sends it."""
    with running(netproxy, rules, WAIT) as run:
        run.says("ready")
        rules.write(default="deny", on_denial="block", allow=["b.test:443"])
        os.kill(run.process.pid, signal.SIGHUP)
        _eventually(lambda: len(applied(netproxy)) == 2)
        assert run.process.poll() is None


def at_terminal(netproxy: Netproxy, rules: Rules, *prefix: str) -> Terminal:
    run = netproxy.argv(
        "run", "--config", str(rules.path), "--audit-dir", str(netproxy.audit), "--"
    )
    command = [sys.executable, "-I", "-u", "-c", _PROXY + WAIT]
    return Terminal(
        [*prefix, *run, *command], cwd=netproxy.workspace, environment=netproxy.environment()
    )


def test_sighup_at_a_terminal_asks_for_a_reload_and_the_command_hears_nothing(
    netproxy: Netproxy, rules: Rules
) -> None:
    with at_terminal(netproxy, rules) as terminal:
        terminal.see("ready")
        rules.write(default="deny", on_denial="block", allow=["b.test:443"])
        os.kill(_netproxy_of(terminal), signal.SIGHUP)
        _eventually(lambda: len(applied(netproxy)) == 2)
        assert b"SIGHUP" not in terminal.rest()


def test_a_terminal_that_hangs_up_ends_the_command(
    netproxy: Netproxy, rules: Rules, base: Path
) -> None:
    """What the command does about it is its own affair: this one leaves a note."""
    with at_terminal(netproxy, rules) as terminal:
        terminal.see("ready")
    _eventually(lambda: netproxy.events("netproxy.run.exited"))
    (exited,) = netproxy.events("netproxy.run.exited")
    assert exited["process.exit.code"] == 9
    assert len(applied(netproxy)) == 1


def _netproxy_of(terminal: Terminal) -> int:
    """The process behind `setsid --wait`, which forks only where it has to."""
    pid = terminal._process.pid
    if b"setsid" not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]:
        return pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _eventually(holds: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
