"""A command has the gateway dial itself, or its own host: behind every firewall in front of it.

Without a sandbox the listeners are on the host's loopback, where a rule can name them; a public
address of the host looks like any other.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.ports import free_port
from tests.support import world
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# Says what each way to each listener is answered, or how far it got.
CLIENT = """
import json, os, socket, sys
http, socks = (os.environ[name].rsplit(":", 1) for name in ("NETPROXY_HTTP", "NETPROXY_SOCKS"))
def connect(host, port):
    with socket.create_connection((http[0], int(http[1])), 10) as client:
        head = f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n"
        client.sendall(head.encode())
        answer = client.recv(4096).decode()
    return json.loads(answer.split("\\r\\n\\r\\n")[1])["reason"] if " 403 " in answer else answer
def tunnel(host, port):
    name = host.encode()
    with socket.create_connection((socks[0], int(socks[1])), 10) as client:
        client.sendall(b"\\x05\\x01\\x00\\x05\\x01\\x00\\x03" + bytes([len(name)]) + name)
        client.sendall(int(port).to_bytes(2, "big"))
        answer = client.recv(4096)
        return answer[3] if len(answer) > 3 else client.recv(4096)[1]
for alias in sys.argv[1:]:
    for port in (http[1], socks[1]):
        print(connect(alias, port), tunnel(alias.strip("[]"), port))
"""


def client_of(port: int) -> list[str]:
    """The same, for one port of the caller's choice."""
    return [sys.executable, "-I", "-c", CLIENT.replace("(http[1], socks[1])", f"({port},)")]


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def test_no_alias_leads_back_to_the_gateway(netproxy: Netproxy) -> None:
    numbers = ("127.0.0.1", "0.0.0.0", "[::]")
    aliases = (*numbers, "localhost", "x.localhost", "[::ffff:127.0.0.1]", "own.test")
    done = netproxy.run(
        "--no-sandbox",
        *("--ask", "never", "--on-denial", "block"),
        *(word for rule in (*aliases, "[::1]") for word in ("--allow", f"{rule}:*")),
        *("--resolve", "own.test=127.0.0.1", "--resolve", "x.localhost=127.0.0.1"),
        *("--allow-private", "127.0.0.0/8"),
        *("--allow-private", "::1"),
        command=[sys.executable, "-I", "-c", CLIENT, *aliases],
    )
    assert done.status == 0, done.err
    assert done.out == "not_allowed_local 2\n" * 2 * len(aliases)
    assert netproxy.events("netproxy.connection.opened") == []


@pytest.mark.parametrize("fence", [(), ("--no-sandbox",)], ids=["sandbox", "no sandbox"])
def test_no_alias_leads_to_where_reviewers_answer(
    netproxy: Netproxy, fence: tuple[str, ...]
) -> None:
    """Whoever asks may not answer: not even where the rules open all of loopback."""
    port = free_port()
    aliases = ("127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "own.test")
    done = netproxy.run(
        *fence,
        *("--on-denial", "block", "--inbox", f"127.0.0.1:{port}"),
        *(word for rule in aliases for word in ("--allow", f"{rule}:*")),
        *("--resolve", "own.test=127.0.0.1", "--allow-private", "127.0.0.0/8"),
        command=[*client_of(port), *aliases],
    )
    assert done.status == 0, done.err
    assert done.out == "not_allowed_local 2\n" * len(aliases)


def test_another_port_of_loopback_is_still_for_the_rules_to_open(netproxy: Netproxy) -> None:
    """The control: it is the listeners that are refused, and not all of loopback."""
    done = netproxy.run(
        "--no-sandbox",
        *("--ask", "never", "--on-denial", "block", "--allow", "127.0.0.1:*"),
        command=[*client_of(9), "127.0.0.1"],
    )
    assert "connection_refused" in done.out, done.err


# Says what each name is answered, until one is refused as local; then once more.
WATCHER = """
import json, os, socket, sys, time
def ask(name):
    host, port = os.environ["NETPROXY_HTTP"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(f"CONNECT {name} HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
        answer = client.recv(4096).decode()
    return json.loads(answer.split("\\r\\n\\r\\n")[1])["reason"]
seen = []
while len(seen) < 100 and "not_allowed_local" not in seen:
    seen.append(ask(sys.argv[1]))
    open("asked", "w").close()
    time.sleep(0.05)
print(seen[0], *(ask(name) for name in sys.argv[1:]))
"""
PUBLIC = "93.184.216.34"
ADD = f"ip address add {PUBLIC}/32 dev lo"


@pytest.mark.parametrize(
    ("add", "first"),
    [
        pytest.param(
            f"ip address add {PUBLIC}/32 dev lo", "not_allowed_local", id="from-the-start"
        ),
        pytest.param(
            f"(until [ -e asked ]; do sleep 0.05; done; {ADD}) >/dev/null 2>&1 &",
            "destination_ip_unroutable",
            id="since-a-moment",
        ),
    ],
)
def test_a_public_address_of_this_host_is_not_the_internet(
    netproxy: Netproxy, add: str, first: str
) -> None:
    if why := world.can_enter():
        pytest.skip(why)
    script = f'ip link set lo up; {add}\nexec "$@"'
    netproxy.person = replace(netproxy.person, prefix=(*world._unshare(), "sh", "-c", script, "sh"))
    done = netproxy.run(
        *("--ask", "never", "--on-denial", "block", "--resolve", f"pub.test={PUBLIC}"),
        *("--allow", "93.184.216.0/24:80", "--allow", "pub.test:80"),
        command=[sys.executable, "-I", "-c", WATCHER, "pub.test:80", f"{PUBLIC}:80"],
    )
    assert done.out == f"{first} not_allowed_local not_allowed_local\n", done.err


def test_without_a_sandbox_another_user_is_not_served(netproxy: Netproxy) -> None:
    """Anybody on the host can connect to the listeners, and would be taken for the command."""
    if os.getuid() != 0:
        pytest.skip("being another user needs root")
    options = ("--no-sandbox", "--ask", "never", "--on-denial", "block")
    done = netproxy.run(*options, command=[sys.executable, "-c", STRANGER])
    assert done.out.split() == ["ours=403", "strangers="], done.err


STRANGER = """
import os, socket
host, port = os.environ["NETPROXY_HTTP"].rsplit(":", 1)
def asked():
    with socket.socket() as client:
        client.settimeout(10)
        client.connect((host, int(port)))
        try:
            client.sendall(b"GET http://127.0.0.1:1/ HTTP/1.1\\r\\nHost: 127.0.0.1:1\\r\\n\\r\\n")
            return client.recv(4096).decode()[9:12]
        except OSError:
            return ""
print("ours=" + asked())
os.setresuid(65534, 65534, 65534)
print("strangers=" + asked())
"""
