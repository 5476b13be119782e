"""Somebody makes more of a service across the fence than was opened: the command, another user."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.crossing import fetched, free_port, said_until, serving
from tests.support.origins import echo, origin
from tests.support.runs import PATIENCE_SECONDS, Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# Each way to what lies beside the one service: what comes of it.
WAYS = """
import os, socket, sys
reached, other, exposed = map(int, sys.argv[1:])
def tried(connect):
    try:
        return connect()
    except OSError as error:
        return type(error).__name__
def connects(host, port):
    with socket.create_connection((host, port), 20) as client:
        client.sendall(b"ping")
        return client.recv(9).decode()
def tunnels(port):
    with socket.create_connection(("127.0.0.1", 3128), 20) as client:
        client.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" % port)
        return client.recv(4096).decode()[9:12]
def listens():
    with socket.create_server(("127.0.0.1", reached), reuse_port=True):
        return "taken"
print("the service", tried(lambda: connects("127.0.0.1", reached)))
print("another port", tried(lambda: connects("127.0.0.1", other)))
print("another address", tried(lambda: connects("127.0.0.2", reached)))
print("the host's exposed port", tried(lambda: connects("127.0.0.1", exposed)))
print("by another protocol", tried(lambda: tunnels(reached)))
print("in place of it", tried(listens))
"""


def test_one_service_is_one_service(person: Person, base: Path) -> None:
    netproxy = Netproxy(person, base)
    with origin(echo) as far, origin(echo) as beside:
        exposed = free_port()
        done = netproxy.run(
            *("--ask", "never", "--on-denial", "block"),
            *("--reach", f"echo=127.0.0.1:{far.port}", "--expose", f"8080:{exposed}"),
            command=[sys.executable, "-c", WAYS, *map(str, (far.port, beside.port, exposed))],
        )
    assert done.out.splitlines() == [
        "the service ping",
        "another port ConnectionRefusedError",
        "another address ConnectionRefusedError",
        "the host's exposed port ConnectionRefusedError",
        "by another protocol 403",
        "in place of it OSError",
    ], done.err


@pytest.mark.parametrize("options", [("--deny", "127.0.0.1"), ("--deny", "tcp://127.0.0.0/8")])
def test_a_denial_outweighs_it(ordinary: Person, base: Path, options: tuple[str, ...]) -> None:
    netproxy = Netproxy(ordinary, base)
    with origin(echo) as far:
        done = netproxy.run(
            *options,
            *("--reach", f"echo=127.0.0.1:{far.port}"),
            command=[sys.executable, "-c", WAYS, str(far.port), "1", "1"],
        )
    assert done.status == os.EX_NOPERM
    assert "ping" not in done.out
    assert [each["network.policy.reason"] for each in netproxy.decisions()] == ["denied_by_rule"]


def test_another_users_program_does_not_get_in(me: Person, base: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("being another user needs root")
    netproxy, port = Netproxy(me, base), free_port()
    with serving(netproxy, "--expose", f"8080:{port}") as running:
        said_until(running, "serving")
        stranger = os.fork()
        if stranger == 0:
            os._exit(_as_nobody(port))
        assert os.waitstatus_to_exitcode(os.waitpid(stranger, 0)[1]) == 0
        assert fetched(me, port) == (0, "inside")
        running.communicate(timeout=PATIENCE_SECONDS)
    (turned_away,) = netproxy.events("netproxy.clients.turned_away")
    assert turned_away["netproxy.limit.name"] == "other_user"
    assert len(netproxy.events("netproxy.expose.opened")) == 1


def _as_nobody(port: int) -> int:
    """0 if the connection was closed without a word."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with socket.socket() as stranger:
        stranger.settimeout(20)
        try:
            stranger.connect(("127.0.0.1", port))
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return len(stranger.recv(1))
        except ConnectionError:
            return 0
