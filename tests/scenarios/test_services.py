"""Services of this host inside, and the command's outside: real programs, as both users."""

from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.crossing import fetched, free_port, said_until, serving
from tests.support.origins import echo, origin
from tests.support.postgres import cluster, program
from tests.support.runs import PATIENCE_SECONDS, Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

QUERY = """
import os, psycopg, sys
host, port = os.environ["NETPROXY_REACH_POSTGRES"].split(":")
for place in (host, sys.argv[1]):
    where = f"host={place} port={port} user=netproxy dbname=postgres"
    with psycopg.connect(where) as connection:
        print(connection.execute("SELECT 6 * 7").fetchone()[0])
"""


def test_a_service_in_and_a_service_out(person: Person, base: Path) -> None:
    netproxy, port = Netproxy(person, base), free_port()
    with origin(echo) as far:
        reach = f"echo=127.0.0.1:{far.port}"
        options = ("--ask", "never", "--reach", reach, "--expose", f"8080:{port}")
        with serving(netproxy, *options) as running:
            assert said_until(running, "serving") == ["reached ping 127.0.0.1", "serving"]
            assert fetched(netproxy.person, port) == (0, "inside")
            _, said = running.communicate(timeout=PATIENCE_SECONDS)
            assert (running.returncode, said) == (0, "")
    (decision,) = netproxy.decisions()
    assert (decision["server.address"], decision["server.port"]) == ("127.0.0.1", far.port)
    assert decision["network.transport.protocol"] == "tcp"
    assert decision["security_rule.name"] == f"{reach} (--reach #1)"
    (ended,) = netproxy.events("netproxy.connection.closed")
    assert (ended["netproxy.bytes.sent"], ended["netproxy.bytes.received"]) == (4, 4)
    (opened,) = netproxy.events("netproxy.expose.opened")
    assert (opened["netproxy.expose.port"], opened["netproxy.expose.host_port"]) == (8080, port)
    (closed,) = netproxy.events("netproxy.expose.closed")
    assert closed["connection.id"] == opened["connection.id"]
    assert closed["netproxy.bytes.received"] > len("inside")


@pytest.mark.skipif(program("postgres") is None, reason="PostgreSQL is not installed")
def test_a_database_of_this_host(me: Person, base: Path) -> None:
    """Over TCP and by its unix socket."""
    netproxy, port = Netproxy(me, base), free_port()
    with cluster(base, port=port) as name:
        folder = name.split()[0].removeprefix("host=")
        done = netproxy.run(
            *("--ask", "never", "--reach", f"postgres=127.0.0.1:{port}"),
            *("--unix", f"{folder}/.s.PGSQL.{port}"),
            command=[sys.executable, "-c", QUERY, folder],
        )
    assert (done.status, done.out) == (0, "42\n42\n"), done.err


def test_a_unix_socket_of_this_host(person: Person, base: Path) -> None:
    netproxy, path = Netproxy(person, base), base / "web.sock"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o777)
        thread = threading.Thread(target=answered, args=(server, answer))
        thread.start()
        url = "http://localhost/"
        done = netproxy.run(
            *("--ask", "never", "--unix", str(path)),
            command=["curl", "-sS", "--unix-socket", str(path), "-o", "got", url],
        )
        thread.join()
    assert (done.status, done.err) == (0, "")
    assert (netproxy.workspace / "got").stat().st_size == 2_000_000
    (closed,) = netproxy.events("netproxy.unix.closed")
    assert closed["netproxy.bytes.received"] == len(answer)
    assert closed["netproxy.unix.path"] == str(path)
    gone = netproxy.run("--unix", str(base / "absent"), command=["true"])
    assert gone.status == 125
    assert "absent: no such file or directory" in gone.err


def test_a_program_that_may_not_be_dumped_has_its_sockets(ordinary: Person, base: Path) -> None:
    """As ssh-agent and gpg-agent are: the kernel gives what /proc shows of it to root."""
    netproxy, path = Netproxy(ordinary, base), base / "s"
    code = (
        "import ctypes, os, socket, sys\n"
        "assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0\n"  # PR_SET_DUMPABLE
        "host, port = os.environ['NETPROXY_HTTP'].split(':')\n"
        "socket.create_connection((host, int(port))).close()\n"
        "with socket.socket(socket.AF_UNIX) as s:\n"
        "    s.connect(sys.argv[1])\n"
        "    print('connected')\n"
    )
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o777)
        words = ("--ask", "never", "--unix", str(path))
        done = netproxy.run(*words, command=[sys.executable, "-c", code, str(path)])
    assert (done.status, done.out) == (0, "connected\n"), done.err


def answered(server: socket.socket, answer: bytes) -> None:
    client, _ = server.accept()
    with client:
        client.recv(4096)
        client.sendall(answer)


def test_what_the_file_names_is_there_until_it_no_longer_does(me: Person, base: Path) -> None:
    """The rule goes with the line, and what it carries is cut."""
    netproxy = Netproxy(me, base)
    file = netproxy.config / "netproxy" / "config.toml"
    file.parent.mkdir()
    code = (
        "import os, socket\n"
        "where = os.environ['NETPROXY_REACH_ECHO'].split(':')\n"
        "with socket.create_connection((where[0], int(where[1]))) as client:\n"
        "    client.sendall(b'ping')\n"
        "    print(client.recv(9).decode(), flush=True)\n"
        "    try:\n"
        "        print(client.recv(9))\n"
        "    except ConnectionResetError:\n"
        "        print('cut')\n"
    )
    with origin(echo) as far:
        file.write_text(f'[sandbox]\nreach = ["echo=127.0.0.1:{far.port}"]\n')
        with serving(netproxy, "--ask", "never", code=code) as running:
            assert said_until(running, "ping") == ["ping"]
            file.write_text("[sandbox]\nreach = []\n")
            out, err = running.communicate(timeout=PATIENCE_SECONDS)
            assert out == "cut\n", err
    (ended,) = netproxy.events("netproxy.connection.closed")
    assert ended["netproxy.close.reason"] == "policy_changed"


def test_a_command_may_be_over_before_anybody_comes(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    done = netproxy.run("--expose", f"8080:{free_port()}", command=["true"])
    assert (done.status, done.err) == (0, "")
