"""`kill -9` of a gateway that decides about a thousand connections: what dialled is on record.

The origin listens on all of 127.0.0.0/8, and each client asks for an address of its own: the
address on which the origin was reached tells which decision let it be dialled.
"""

from __future__ import annotations

import ipaddress
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchFailed
from bench.ports import free_port
from bench.processes import started
from otel import AuditMode, JournalBroken, read, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST = int(ipaddress.ip_address("127.64.0.1"))
_SECONDS = 10.0
# Bytes that each connection leaves in the journal by the time that it is open.
_RECORDED = 1200
_DESCRIPTORS = 3000  # that a thousand clients take, and the gateway as many again
_SETTINGS = """
[profiles.kill.network]
allow = ["127.0.0.0/8:{port}"]
default = "deny"
allow_private = ["127.0.0.0/8"]

[limits]
connections_per_run = 4096
connections_per_second = 100000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What was left of one gateway."""

    dialled: frozenset[str]  # addresses on which the origin was reached
    answered: int  # clients that were told that they are connected
    recorded: frozenset[str]  # addresses that an allow on record names, of this and earlier ones

    @property
    def unrecorded(self) -> frozenset[str]:
        """What was done and is not on record."""
        return self.dialled - self.recorded


def kills(count: int, connections: int = 1000) -> None:
    """Kill so many gateways in each mode, and print. Raises `BenchFailed`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(_DESCRIPTORS, hard)), hard))
    for mode in AuditMode:
        with tempfile.TemporaryDirectory() as folder:
            outcomes = [
                killed(Path(folder), mode, connections=connections, seed=seed)
                for seed in range(count)
            ]
            records = checked(Path(folder) / "audit")
        dialled = sum(len(each.dialled) for each in outcomes)
        missing = sum(len(each.unrecorded) for each in outcomes)
        print(
            f"{mode}: {count} gateways killed during {connections:,} connections each; "
            f"{dialled:,} were dialled, {missing} of them not on record; "
            f"the chains of {records:,} records hold",
            flush=True,
        )
        if missing:
            raise BenchFailed(f"{missing} connections were dialled and are not on record")


def killed(
    folder: Path,
    mode: AuditMode,
    *,
    connections: int,
    seed: int,
    by: signal.Signals = signal.SIGKILL,
) -> Killed:
    """Start a gateway, have it decide, and kill it at a moment that `seed` chooses."""
    folder.mkdir(exist_ok=True)
    audit = folder / "audit"
    # Each gateway has its own addresses: what an earlier one recorded is no alibi for this one.
    first = _FIRST + seed * connections
    addresses = [str(ipaddress.ip_address(first + n)) for n in range(connections)]
    moment = round(random.Random(seed).uniform(0.05, 0.9) * connections * _RECORDED)
    with socket.create_server(("0.0.0.0", 0), backlog=connections) as listener:
        settings = folder / "config.toml"
        settings.write_text(_SETTINGS.format(port=listener.getsockname()[1]))
        port = free_port()
        command = [
            *(sys.executable, "-m", "netproxy", "serve", "--listen", f"127.0.0.1:{port}"),
            *("--config", str(settings), "--profile", "kill", "--no-project", "--ask", "never"),
            *("--audit-dir", str(audit), "--audit-mode", mode, "--drain", "0.2"),
        ]
        with started(command, [port], folder) as pid:
            watch = threading.Thread(target=_kill_when, args=(pid, audit, moment, by))
            answered = _fire(watch, port, listener, addresses)
        dialled = frozenset(_dialled(listener))
    return Killed(dialled=dialled, answered=answered, recorded=frozenset(_allowed(audit)))


def checked(audit: Path) -> int:
    """How many records there are. Raises `BenchFailed` where a chain does not hold."""
    verdicts = verify(audit)
    for verdict in verdicts:
        # Half a line is what a kill leaves; the next start cuts it off.
        worse = [finding for finding in verdict.findings if finding.kind != "torn"]
        if worse:
            raise BenchFailed(f"{verdict.writer}: {worse[0].message} at line {worse[0].line}")
    return sum(verdict.records for verdict in verdicts)


def _allowed(audit: Path) -> Iterator[str]:
    try:
        for record in read(audit, lambda _: None):
            if record.attributes.get("network.policy.decision") == "allow":
                yield str(record.attributes["server.address"])
    except JournalBroken:
        return  # it was killed before it had one


def _kill_when(pid: int, audit: Path, grown: int, by: signal.Signals) -> None:
    """Wait until its journal has so many more bytes, and kill it."""
    before, until = _size(audit), time.monotonic() + _SECONDS
    while _size(audit) < before + grown and time.monotonic() < until:
        time.sleep(0.0005)
    os.kill(pid, by)


def _size(audit: Path) -> int:
    return sum(path.stat().st_size for path in audit.glob("*/*.jsonl"))


def _fire(
    killer: threading.Thread, port: int, listener: socket.socket, addresses: list[str]
) -> int:
    """Ask for all of them at once, kill it meanwhile; how many were told that it is there."""
    origin_port = listener.getsockname()[1]
    with ExitStack() as stack:
        clients = []
        for _ in addresses:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.settimeout(_SECONDS)
            clients.append(client)
        killer.start()
        with suppress(OSError):  # it may be dead by now
            for client, address in zip(clients, addresses, strict=True):
                target = f"{address}:{origin_port}"
                client.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        killer.join()
        return sum(_head(client).startswith(b"HTTP/1.1 200") for client in clients)


def _head(client: socket.socket) -> bytes:
    with suppress(OSError):
        return client.recv(1000)
    return b""


def _dialled(listener: socket.socket) -> Iterator[str]:
    """On which addresses it was reached: the kernel has kept them all until now."""
    listener.settimeout(0.05)
    with suppress(TimeoutError):
        while True:
            reached, _ = listener.accept()
            yield reached.getsockname()[0]
            reached.close()
