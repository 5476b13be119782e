"""Descriptors run out: nobody is let out unrecorded, nobody hangs, and it goes on afterwards."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.handing import Office
from tests.support.origins import echo, origin, read_all
from tests.support.runs import Netproxy
from tests.support.services import Service

if TYPE_CHECKING:
    from tests.support.people import Person

ASKED = b"CONNECT refused.test:443 HTTP/1.1\r\nHost: refused.test\r\nConnection: close\r\n\r\n"


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def answered(service: Service) -> bytes:
    with socket.create_connection(service.where, 10) as client:
        client.sendall(ASKED)
        return read_all(client)[:12]


def test_it_turns_away_while_they_are_scarce_and_recovers(netproxy: Netproxy) -> None:
    with (
        Service(netproxy, "--ask", "never", prefix=("prlimit", "--nofile=128")) as service,
        ExitStack() as stack,
    ):
        assert answered(service) == b"HTTP/1.1 403"
        held = [stack.enter_context(socket.create_connection(service.where, 10)) for _ in range(60)]
        for client in held:
            client.sendall(b"C")
        deadline = time.monotonic() + 30
        while answered(service) != b"HTTP/1.1 503":
            assert time.monotonic() < deadline
        for client in held:
            client.close()
        deadline = time.monotonic() + 30
        while answered(service) != b"HTTP/1.1 403":
            assert time.monotonic() < deadline
        assert service.stop() == 0
    (first, *_) = netproxy.events("netproxy.clients.turned_away")
    assert first["netproxy.limit.name"] == "descriptors"


def test_when_there_is_none_at_all_it_waits_and_goes_on(netproxy: Netproxy) -> None:
    """So few that accept(2) itself fails, with EMFILE."""
    with (
        origin(echo) as far,
        Service(
            netproxy,
            "--ask",
            "never",
            "--allow",
            f"127.0.0.1:{far.port}",
            prefix=("prlimit", "--nofile=40"),
        ) as service,
    ):
        with ExitStack() as stack:
            for _ in range(80):
                client = stack.enter_context(socket.create_connection(service.where, 10))
                with suppress(OSError):
                    client.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % far.port)
            time.sleep(0.3)
            used = len(list(_descriptors(service)))
            assert used <= 40
        deadline = time.monotonic() + 30
        while answered(service)[:8] != b"HTTP/1.1":
            assert time.monotonic() < deadline
        assert service.stop() == 0
    assert netproxy("audit", "verify", "--audit-dir", str(netproxy.audit)).status == 0


def test_a_launcher_that_waits_for_one_costs_nothing_meanwhile(me: Person, base: Path) -> None:
    """Its connection can't be accepted, so the socket stays ready to be."""
    office = Office(me, base)
    with office.gateway("--ask", "never") as service, socket.socket(socket.AF_UNIX) as launcher:
        process = service.process.pid
        before = resource.prlimit(process, resource.RLIMIT_NOFILE)
        resource.prlimit(process, resource.RLIMIT_NOFILE, (3, before[1]))
        launcher.connect(str(office.sockets / "runs.sock"))
        time.sleep(0.2)  # it has found out
        began = _processor_seconds(process)
        time.sleep(1)
        assert _processor_seconds(process) - began < 0.5
        resource.prlimit(process, resource.RLIMIT_NOFILE, before)
        assert office.run("--ask", "never", command=["true"]).status == 0
        assert office.gateways() == 1


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


MANY = """
import os, resource, socket
host, _, port = os.environ["NETPROXY_HTTP"].rpartition(":")
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for _ in range(300):
    one = socket.create_connection((host, int(port)), 10)
    one.sendall(b"GET http://refused.test/ HTTP/1.1\\r\\nHost: refused.test\\r\\n\\r\\n")
    held.append(one)
print(soft, {one.recv(12) for one in held})
"""


def test_a_low_soft_limit_is_the_commands_and_not_the_gateways(netproxy: Netproxy) -> None:
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--on-denial", "block")
    argv = netproxy.argv(*words, "--", sys.executable, "-I", "-c", MANY)
    done = subprocess.run(
        ["prlimit", "--nofile=128:4096", *argv],
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "128 {b'HTTP/1.1 403'}\n", done.stderr


def _descriptors(service: Service) -> list[str]:
    return [each.name for each in Path(f"/proc/{service.process.pid}/fd").iterdir()]
