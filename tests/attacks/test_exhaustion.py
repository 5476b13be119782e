"""A command that uses the gateway up, to be let out, to go unrecorded or to be unstoppable.

The defences: bounds on connections, heads and questions, each with its own refusal; a denial ends
the command whatever else the gateway is busy with.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.at_terminal import Terminal
from tests.support.proxies import eventually
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

_PROXY = """
import os, resource, socket, sys, threading, time
host, _, port = os.environ["NETPROXY_HTTP"].rpartition(":")
def open_one():
    return socket.create_connection((host, int(port)), 20)
def ask(name):
    with open_one() as one:
        one.sendall(f"CONNECT {name}:443 HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
        return one.recv(65536).decode(errors="replace")
"""


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def python(netproxy: Netproxy, script: str, *options: str) -> tuple[int, str]:
    done = netproxy.run(
        "--ask", "never", *options, command=[sys.executable, "-I", "-c", _PROXY + script]
    )
    return done.status, done.out + done.err


@pytest.mark.parametrize(
    "sent", [b"", b"G", b"CONNECT refused.test:443 HTTP/1.1\r\nX: ", b"\x05\xff"]
)
def test_a_thousand_idle_clients_do_not_shield_a_refused_one(
    netproxy: Netproxy, sent: bytes
) -> None:
    script = f"""
held = []
for _ in range(1000):
    one = open_one()
    one.sendall({sent!r})
    held.append(one)
ask("refused.test")
time.sleep(100)
"""
    began = time.monotonic()
    assert python(netproxy, script)[0] == 77
    assert time.monotonic() - began < 35


def test_more_clients_than_allowed_wait_and_the_denial_still_comes(netproxy: Netproxy) -> None:
    """The first refusal is among those that are open, whatever queues behind."""
    script = """
held = [open_one() for _ in range(500)]
def flood():
    while True:
        try:
            held.append(open_one())
        except OSError:
            return
for _ in range(4):
    threading.Thread(target=flood, daemon=True).start()
held[0].sendall(b"CONNECT refused.test:443 HTTP/1.1\\r\\nHost: refused.test\\r\\n\\r\\n")
time.sleep(100)
"""
    assert python(netproxy, script)[0] == 77


def test_a_gateway_without_descriptors_lets_nothing_out_and_ends(netproxy: Netproxy) -> None:
    """Its limit is the caller's, often 1024: what it can't open, it refuses."""
    script = """
held = []
try:
    while len(held) < 300:
        held.append(open_one())
except OSError:
    pass
held[0].sendall(b"CONNECT refused.test:443 HTTP/1.1\\r\\nHost: refused.test\\r\\n\\r\\n")
for one in held[-20:]:
    one.sendall(b"CONNECT refused.test:443 HTTP/1.1\\r\\nHost: refused.test\\r\\n\\r\\n")
time.sleep(100)
"""
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--timeout", "10", "--")
    argv = netproxy.argv(*words, sys.executable, "-I", "-c", _PROXY + script)
    done = subprocess.run(
        ["prlimit", "--nofile=128", *argv],
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=False,
        capture_output=True,
    )
    assert done.returncode in {77, 124}, done.stderr
    assert not [e for e in netproxy.decisions() if e["network.policy.decision"] == "allow"]


def test_a_loop_of_refused_requests_is_recorded_to_the_last(netproxy: Netproxy) -> None:
    script = """
def loop(number):
    for index in range(400):
        ask(f"h{number}-{index}.test")
def rounds():
    threads = [threading.Thread(target=loop, args=(n,)) for n in range(4)]
    for one in threads: one.start()
    for one in threads: one.join()
rounds()
print("done")
"""
    status, said = python(netproxy, script, "--on-denial", "block")
    assert (status, said) == (0, "done\n")
    assert len(netproxy.decisions()) == 1600
    assert netproxy("audit", "verify", "--audit-dir", str(netproxy.audit)).status == 0


def limited(netproxy: Netproxy) -> list[dict[str, Any]]:
    return [e for e in netproxy.decisions() if e["network.policy.reason"] == "limit_exceeded"]


def test_questions_are_bounded_and_one_no_ends_them_all(netproxy: Netproxy) -> None:
    """Two hundred new hosts at once: the person sees one question, and how many wait."""
    script = """
answers = []
def one(number):
    answers.append(ask(f"h{number}.test"))
threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in range(200)]
for each in threads: each.start()
while len(answers) < 200 - 64: time.sleep(0.05)
print("told", sum("limit_exceeded" in text for text in answers), flush=True)
time.sleep(100)
"""
    words = ("run", "--audit-dir", str(netproxy.audit), "--on-denial", "cancel", "--")
    argv = netproxy.argv(*words, sys.executable, "-I", "-c", _PROXY + script)
    with Terminal(argv, cwd=netproxy.workspace, environment=netproxy.environment()) as terminal:
        terminal.see("left to answer")
        time.sleep(1)  # the question is deaf for half a second
        eventually(lambda: len(limited(netproxy)) == 200 - 64)
        terminal.rest()
        assert terminal.screen.count(b"netproxy asks") == 1
        terminal.press("d")
        assert terminal.wait() == 77
    assert len(limited(netproxy)) == 200 - 64
    # One more only where the run takes longer than a second to end.
    assert terminal.screen.count(b"netproxy asks") <= 2
