"""Real programs without a proxy variable: each reaches a name, by the name, and nothing else.

One sandbox for all that succeed; what is refused ends its own.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.at_terminal import Terminal
from tests.support.packages import bare_repository
from tests.support.runs import Done, Netproxy
from tests.support.sites import Site, named
from tests.support.sshd import Sshd, sshd
from tests.support.tls import Authority, Pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

HOST = "origin.test"
CAPTURED = ("--capture", "only", "--ask", "never", *named(HOST, "git.test"))
SSH = ("BatchMode=yes", "IdentitiesOnly=yes", "ProxyCommand=none")
NODE = (
    "require('http').get(process.argv[1], r => r.on('data', d => process.stdout.write(d)))"
    ".on('error', e => { console.log(e.message); process.exit(1) })"
)
URLLIB = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode(), end='')"
# Says all that it has to say, and half-closes.
TALK = """
import socket, sys
host, port = sys.argv[1:]
client = socket.create_connection((host, int(port)), 10)
client.sendall(b"GET /said HTTP/1.0\\r\\n\\r\\n")
client.shutdown(socket.SHUT_WR)
print(client.makefile().read().rpartition("\\n\\n")[2], end="")
"""
FAMILIES = """
import socket
for family in (socket.AF_UNSPEC, socket.AF_INET):
    for flags in (0, socket.AI_ADDRCONFIG):
        found = socket.getaddrinfo("origin.test", 80, family, socket.SOCK_STREAM, 0, flags)
        assert [where[0].rpartition(".")[0] for *_, where in found] == ["198.18.0"], found
name, _ = socket.getnameinfo(found[0][4], 0)
assert name == "origin.test", name
print("hello")
"""


@pytest.fixture
def netproxy(ordinary: Person, base: Path) -> Netproxy:
    return Netproxy(ordinary, base)


@pytest.fixture
def server(ordinary: Person, base: Path) -> Iterator[Sshd]:
    bare_repository(base / "repo.git")
    with sshd(base / "sshd", reader=ordinary.uid) as running:
        yield running


def programs(site: Pages, secure: Pages, bundle: Path) -> dict[str, list[str]]:
    url, secure_url = f"http://{HOST}:{site.port}/page", f"https://{HOST}:{secure.port}/page"
    words = {
        "curl": ["curl", "-sS", url],
        "curl-tls": ["curl", "-sS", "--cacert", str(bundle), secure_url],
        "curl-4": ["curl", "-4", "-sS", url],
        "wget": ["wget", "-q", "-O", "-", url],
        "node": ["node", "-e", NODE, url],
        "urllib": [sys.executable, "-I", "-c", URLLIB, url],
        "half": [sys.executable, "-I", "-c", TALK, HOST, str(site.port)],
        "families": [sys.executable, "-I", "-c", FAMILIES],
    }
    return {name: each for name, each in words.items() if shutil.which(each[0])}


def git(server: Sshd, repository: Path) -> list[str]:
    """Clone over ssh, which connects to the name by itself."""
    ssh = ["ssh", "-i", str(server.key), "-o", f"UserKnownHostsFile={server.known_hosts}"]
    told = shlex.join([*ssh, *(word for each in SSH for word in ("-o", each))])
    url = f"ssh://{server.login}@git.test:{server.port}{repository}"
    steps = f"git clone -q {url} copy && cat copy/README"
    return [f"GIT_SSH_COMMAND={told}", "HOME=/nowhere", "sh", "-c", steps]


def script(commands: dict[str, list[str]]) -> str:
    """Each with its name before what it says."""
    return "\n".join(
        f"printf '{name} '; env -i PATH=\"$PATH\" {shlex.join(words)} || exit"
        for name, words in commands.items()
    )


def test_programs_that_know_of_no_proxy_reach_a_name(
    netproxy: Netproxy, server: Sshd, base: Path, authority: Authority
) -> None:
    pages = {"/page": b"hello\n", "/said": b"hello\n"}
    with Pages(pages) as site, Pages(pages, authority) as secure:
        commands = programs(site, secure, authority.bundle)
        if shutil.which("git"):
            commands["git"] = git(server, base / "repo.git")
        ports = (f"{HOST}:{site.port}", f"{HOST}:{secure.port}", f"git.test:{server.port}")
        allowed = [word for each in ports for word in ("--allow", each)]
        done = netproxy.run(*CAPTURED, *allowed, command=["sh", "-c", script(commands)])
    assert done.status == 0, done
    assert done.out.splitlines() == [f"{name} hello" for name in commands]
    decisions = {
        (each["server.address"], each["network.transport.protocol"], each["network.policy.reason"])
        for each in netproxy.decisions()
    }
    hosts = {HOST, "git.test"} if "git" in commands else {HOST}
    assert decisions == {(host, "tcp", "allowed_by_rule") for host in hosts}
    answered = [each["server.address"] for each in netproxy.events("netproxy.dns.answered")]
    assert sorted(answered) == sorted(hosts)


# A program that looks a name up itself, and then has the proxy connect it to what it got.
BY_ADDRESS = """
import socket, sys
where = f"{socket.gethostbyname(sys.argv[1])}:{sys.argv[2]}"
for _ in range(2):
    client = socket.create_connection(("127.0.0.1", 3128), 10)
    client.sendall(f"GET http://{where}/ HTTP/1.1\\r\\nHost: {where}\\r\\n\\r\\n".encode())
    print(client.recv(12).decode())
"""


def test_a_proxy_that_is_asked_for_the_address_of_a_name_takes_it_for_the_name(
    netproxy: Netproxy,
) -> None:
    options = ("--ask", "never", *named(HOST))
    with Site() as site:
        command = [sys.executable, "-I", "-c", BY_ADDRESS, HOST, str(site.port)]
        done = netproxy.run(*options, "--allow", f"{HOST}:{site.port}", command=command)
    assert (done.status, done.out) == (0, "HTTP/1.1 200\n" * 2), done
    assert {each["server.address"] for each in netproxy.decisions()} == {HOST}


def test_a_person_is_asked_about_the_name(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    with Site() as site:
        command = ["env", "-i", "curl", "-sS", f"http://{HOST}:{site.port}/"]
        with Terminal(
            netproxy.argv("run", "--audit-dir", str(netproxy.audit), *named(HOST), "--", *command),
            cwd=netproxy.workspace,
            environment=netproxy.environment(),
        ) as terminal:
            terminal.see(rf"{HOST}")
            terminal.see("left to answer: ")
            time.sleep(0.6)  # the question is deaf for half a second
            terminal.press("o")
            terminal.see("hello")
            assert terminal.wait() == 0
    (decision,) = netproxy.decisions()
    assert (decision["server.address"], decision["network.policy.reason"]) == (HOST, "approved")
    assert decision["network.transport.protocol"] == "tcp"


def refused(done: Done) -> str:
    """What the closing line says."""
    assert done.status == 77, done
    return done.err


def test_a_no_ends_the_command_and_says_how_to_allow_it(netproxy: Netproxy) -> None:
    command = ["env", "-i", "curl", "-sS", "-m", "5", f"https://{HOST}/"]
    said = refused(netproxy.run(*CAPTURED, command=command))
    assert f"tcp://{HOST}:443 was refused (not_allowed)" in said
    assert f"--allow tcp://{HOST}:443" in said
    # A yes to a tunnel was given to a client that says where it goes.
    said = refused(netproxy.run(*CAPTURED, "--allow", f"https://{HOST}", command=command))
    assert f"rule https://{HOST} (--allow #1) does not cover protocol tcp" in said


def test_a_name_that_is_denied_is_no_address_and_does_not_end_the_command(
    netproxy: Netproxy,
) -> None:
    """To look it up is not to connect: a build that checks for a host goes on."""
    lookups = "; ".join(f"getent hosts {name} || echo no" for name in ("denied.test", "db", HOST))
    command = ["sh", "-c", f"{lookups}; exit 0"]
    done = netproxy.run(*CAPTURED, "--deny", "**.denied.test", command=command)
    assert (done.status, done.out.splitlines()[:2]) == (0, ["no", "no"]), done
    assert done.out.splitlines()[2].split() == ["198.18.0.1", HOST]
    found = {
        each["server.address"]: (each["netproxy.dns.outcome"], each["network.policy.reason"])
        for each in netproxy.events("netproxy.dns.refused")
    }
    assert found["denied.test"] == ("refused", "denied_by_rule")
    assert found["db"] == ("unknown", "not_allowed_local")
    assert netproxy.decisions() == []
