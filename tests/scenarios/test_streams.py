"""Every verb with a standard stream that is closed, full or read by nobody: its status holds."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from bench.ports import free_port
from netproxy.app.cli import VERBS
from tests.support.people import myself, open_folder, remove
from tests.support.runs import PATIENCE_SECONDS, Netproxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

# Typed like this, each writes to stdout, and ends with 0.
TALKERS = (
    "--help",
    "--version",
    "run --help",
    "run --dry-run -- true",
    "connect --help",
    "approvals openapi",
    "policy check",
    "policy explain a.test",
    "serve --help",
    "trust --list --json",
    "webhook --help",
    "audit query",
    "audit stats",
    "audit report --output -",
    "audit export --format ocsf",
    "audit verify",
    "doctor --help",
    "demo --help",
)
# Each says something on stderr, and ends with that status.
COMPLAINERS = (
    ("nosuch", 64),
    ("", 64),
    ("audit nosuch", 64),
    ("policy test nosuch", 78),
    ("trust nosuch", 78),
    ("approvals list", 69),
    ("connect a 80", 69),
    ("webhook test nosuch", 64),
    ("serve --config nosuch --listen 127.0.0.1:0", 78),
    ("run --nosuch", 64),
    ("run --config nosuch -- true", 78),
    ("run --ask never -- nosuch", 127),
    ("run --ask never -- curl -s http://x.test", 77),
    ("run --ask never --timeout 0.2 -- sleep 60", 124),
    ("run --ask never --no-sandbox -- sh -c exit${IFS}3", 3),
)


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def live_in(netproxy: Netproxy) -> None:
    """A project that is trusted, and a journal."""
    (netproxy.workspace / "netproxy.toml").write_text("")
    assert netproxy("trust", "--yes").status == 0
    assert netproxy("run", "--ask", "never", "--", "true").status == 0


@pytest.fixture(scope="module")
def lived_in() -> Iterator[Netproxy]:
    """Everybody's: what is typed here only reads."""
    folder = open_folder()
    netproxy = Netproxy(myself(folder), folder)
    live_in(netproxy)
    yield netproxy
    remove(folder)


def test_every_verb_is_here() -> None:
    assert {words.split()[0] for words in TALKERS if words[0] != "-"} == set(VERBS)


@pytest.mark.parametrize("words", TALKERS)
def test_where_stdout_fails_that_is_the_outcome(lived_in: Netproxy, words: str) -> None:
    assert end(lived_in, words, ">&-")[0] == 0
    status, said = end(lived_in, words, ">/dev/full")
    assert (status, said.count("\n")) == (73, 1), said
    assert said.endswith("No space left on device\n")
    assert end(lived_in, words, "| :") == (141, "")


@pytest.mark.parametrize(("words", "status"), COMPLAINERS)
def test_where_stderr_fails_the_status_holds(netproxy: Netproxy, words: str, status: int) -> None:
    for redirected in ("2>&1 | :", ">&- 2>&- <&-"):
        assert end(netproxy, words, redirected) == (status, ""), redirected


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_a_service_that_nobody_hears_serves(netproxy: Netproxy, where: str) -> None:
    port = free_port()
    words = ("serve", "--listen", f"127.0.0.1:{port}", "--ask", "never")
    with subprocess.Popen(
        ["sh", "-c", f'exec "$@" {where}', "sh", *netproxy.argv(*words)],
        cwd=netproxy.workspace,
        env=netproxy.environment(),
    ) as service:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers(port):
            assert service.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE_SECONDS) == 0


def test_damage_that_can_not_be_told_hides_no_record(netproxy: Netproxy) -> None:
    """A damaged line in the middle: what is after it is shown, whoever hears of it."""
    live_in(netproxy)
    (journal,) = netproxy.state.rglob("*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([lines[0], "damaged\n", *lines[1:]]))
    heard = netproxy("audit", "query", "--json")
    assert len(heard.out.splitlines()) == len(lines)
    for where in ("2>&-", "2>/dev/full"):
        assert end(netproxy, "audit query --json", where) == (heard.status, heard.out)


def answers(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(PATIENCE_SECONDS)
        if client.connect_ex(("127.0.0.1", port)):
            return False
        client.sendall(b"CONNECT x.test:443 HTTP/1.1\r\nHost: x.test:443\r\n\r\n")
        return client.recv(64).startswith(b"HTTP/1.1 403 ")


def end(netproxy: Netproxy, words: str, redirected: str) -> tuple[int, str]:
    """Type it to a shell: the status, and all that was said. `| :` is a reader that has left."""
    left, _, reader = redirected.partition("|")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {left}', "sh", *netproxy.argv(*words.split())],
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        stdin=subprocess.DEVNULL,
        stdout=write if reader else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    os.close(write)
    return done.returncode, (done.stdout or "") + done.stderr
