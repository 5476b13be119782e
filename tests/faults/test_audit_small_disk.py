"""A gateway whose journal is on a real file system of 1 MiB: it fills up, and is cleared."""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING

from bench.ports import free_port
from bench.processes import started
from otel import read, verify

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
[profiles.small.network]
allow = ["127.0.0.0/8:{port}"]
default = "deny"
allow_private = ["127.0.0.0/8"]
"""
PATIENCE_SECONDS = 30.0


def said(port: int, line: str) -> bytes:
    """The first line of the answer, and the body's end."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as client:
        client.sendall(f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return client.recv(4000)


def asked_for_a_tunnel(port: int, origin: int) -> bytes:
    return said(port, f"CONNECT 127.0.0.1:{origin}").split(b"\r\n")[0].split(b" ")[1]


def wait_for(port: int, answer: bytes) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not said(port, "GET /health").endswith(answer):
        assert time.monotonic() < until, answer
        time.sleep(0.05)


def test_it_fills_up_and_is_cleared(small_disk: Path, tmp_path: Path) -> None:
    audit, filler = small_disk / "audit", small_disk / "filler"
    filler.write_bytes(b"x" * 900 * 1024)
    port, health = free_port(), free_port()
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        origin = listener.getsockname()[1]
        settings = tmp_path / "config.toml"
        settings.write_text(SETTINGS.format(port=origin))
        command = [
            *(sys.executable, "-m", "netproxy", "serve", "--listen", f"127.0.0.1:{port}"),
            *("--health", f"127.0.0.1:{health}", "--config", str(settings), "--profile", "small"),
            *("--no-project", "--ask", "never", "--audit-dir", str(audit), "--drain", "0.1"),
        ]
        with started(command, [port, health], tmp_path):
            wait_for(health, b"ok\n")
            allowed = 0
            while asked_for_a_tunnel(port, origin) == b"200":
                allowed += 1
            assert 5 < allowed < 500
            wait_for(health, b"\r\n\r\naudit_unavailable\n")
            assert asked_for_a_tunnel(port, origin) == b"403"
            assert asked_for_a_tunnel(port, origin + 1) == b"403"
            filler.unlink()
            wait_for(health, b"\r\n\r\nok\n")
            assert asked_for_a_tunnel(port, origin) == b"200"
    assert all(verdict.holds for verdict in verify(audit))
    records = list(read(audit, print))
    steps = [r.attributes["netproxy.journal.space"] for r in records if r.name.endswith("space")]
    assert steps[-2:] == ["full", "ok"]
    decisions = [r.attributes.get("network.policy.decision") for r in records]
    assert decisions.count("allow") >= allowed + 1
    refused = [r for r in records if r.attributes.get("server.port") == origin + 1]
    assert refused, "a refusal is on record while the disk is full"
    assert "netproxy.gateway.stopped" in [r.name for r in records]
