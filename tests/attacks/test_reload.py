"""A command that wants other rules while it runs: it writes them itself, or gains by the change.

The defences: policy files are read-only for it (`sandbox.plan`), a file that took the place of one
where it can write is not taken, and a change is judged against every connection before it dials.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.proxies import eventually
from tests.support.runs import PATIENCE_SECONDS, Netproxy
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# Waits until its own rules can be written, writes them, and tries until it is told to end.
WRITER = """
import os, select, socket, sys
site, rules = sys.argv[1:]
def ask():
    host, port = os.environ["NETPROXY_HTTP"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(f"CONNECT {site} HTTP/1.1\\r\\nHost: {site}\\r\\n\\r\\n".encode())
        return client.recv(4096).decode(errors="replace").split()[1]
mine = f'[profiles.dev.network]\\ndefault = "deny"\\non_denial = "block"\\nallow = ["{site}"]\\n'
def write():
    new = rules + ".mine"
    for attempt in (
        lambda: open(rules, "w"),
        lambda: (open(new, "w").write(mine), os.rename(new, rules), open(rules, "w"))[-1],
        lambda: (os.unlink(rules), open(rules, "w"))[-1],
    ):
        try:
            with attempt() as file:
                file.write(mine)
            return True
        except OSError:
            pass
    return False
print(ask(), "wrote" if write() else "could not write", flush=True)
sys.stdin.readline()
print("wrote" if write() else "could not write", flush=True)
seen = {ask()}
while not select.select([sys.stdin], [], [], 0.05)[0]:
    seen.add(ask())
print(*seen, flush=True)
"""
# Looks come each half second: two of them, and what is in force has been judged again.
LOOKS_SECONDS = 1.2
STRICT = '[profiles.dev.network]\ndefault = "deny"\non_denial = "block"\n'


def applied(netproxy: Netproxy) -> list[dict[str, Any]]:
    return netproxy.events("netproxy.config.applied")


def rejected(netproxy: Netproxy) -> list[dict[str, Any]]:
    return netproxy.events("netproxy.config.rejected")


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.mark.parametrize("folder", ["", "conf"])
def test_a_command_does_not_write_its_own_rules(netproxy: Netproxy, folder: str) -> None:
    """Not even when somebody outside just replaced the file, and with it the mount that kept it."""
    rules = netproxy.workspace / folder / "rules.toml"
    rules.parent.mkdir(exist_ok=True)
    rules.write_text(STRICT)
    with Site() as site:
        where = f"a.test:{site.port}"
        command = [sys.executable, "-I", "-c", WRITER, where, str(rules)]
        options = ("--config", str(rules), *named("a.test"))
        with netproxy.begin(*options, command=command) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "403 could not write\n"
            new = rules.with_suffix(".new")
            new.write_text(STRICT + 'deny = ["b.test"]\n')
            new.rename(rules)
            process.stdin.write("\n")
            process.stdin.flush()
            # The kernel lets it write now: if it did not, this test would show nothing.
            assert process.stdout.readline() == "wrote\n"
            eventually(lambda: bool(rejected(netproxy)))
            time.sleep(LOOKS_SECONDS)
            out, said = process.communicate("\n", timeout=PATIENCE_SECONDS)
            assert out == "403\n"
    assert "was replaced in a folder that the command can write" in said
    assert rejected(netproxy)[0]["error.type"] == "replaced"
    assert len(applied(netproxy)) == 1
    assert site.visits == []


def test_what_is_written_into_the_same_file_from_outside_is_taken(netproxy: Netproxy) -> None:
    """The command still can't, so it was somebody who may."""
    rules = netproxy.workspace / "rules.toml"
    rules.write_text(STRICT)
    with Site() as site:
        where = f"a.test:{site.port}"
        command = [sys.executable, "-I", "-c", WRITER, where, str(rules)]
        options = ("--config", str(rules), *named("a.test"))
        with netproxy.begin(*options, command=command) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "403 could not write\n"
            rules.write_text(f'{STRICT}allow = ["{where}"]\n')
            eventually(lambda: len(applied(netproxy)) == 2)
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "could not write\n"
            out, _ = process.communicate("\n", timeout=PATIENCE_SECONDS)
            assert out == "200\n"


def test_a_command_does_not_write_its_projects_rules(netproxy: Netproxy) -> None:
    """Nobody trusts what it wrote, even where somebody made the file its own to write."""
    rules = netproxy.workspace.parent / "rules.toml"
    project = netproxy.workspace / "netproxy.toml"
    with Site() as site:
        where = f"a.test:{site.port}"
        rules.write_text(f'{STRICT}allow = ["{where}"]\n')
        project.write_text('[profiles.dev.network]\ndeny = ["a.test"]\n')
        assert netproxy("trust", "--yes").status == 0
        command = [sys.executable, "-I", "-c", WRITER, where, str(project)]
        options = ("--config", str(rules), *named("a.test"))
        with netproxy.begin(*options, command=command) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "403 could not write\n"
            new = project.with_suffix(".new")
            new.write_text('[profiles.dev.network]\ndeny = ["a.test", "b.test"]\n')
            new.rename(project)
            assert netproxy("trust", "--yes").status == 0
            eventually(lambda: len(applied(netproxy)) == 2)
            before = len(rejected(netproxy))
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "wrote\n"
            eventually(lambda: len(rejected(netproxy)) > before)
            out, said = process.communicate("\n", timeout=PATIENCE_SECONDS)
            assert out == "403\n"
    assert "changed since it was trusted" in said
    changes = [event["netproxy.change.summary"] for event in applied(netproxy)]
    assert changes == [[], ["+ deny b.test"]]
    assert site.visits == []
