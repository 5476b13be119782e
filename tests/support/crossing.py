"""A command with services across its fence: what runs inside, and what is outside meanwhile."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.people import Person
    from tests.support.runs import Netproxy

# Says what it is told on the service that it may reach, and serves as many pages as it is asked to.
COMMAND = """
import http.server, os, socket, sys
pages, log = int(sys.argv[1]), lambda *_: None
if where := os.environ.get("NETPROXY_REACH_ECHO"):
    with socket.create_connection((where.split(":")[0], int(where.split(":")[1]))) as client:
        client.sendall(b"ping")
        try:
            print("reached", client.recv(100).decode(), socket.gethostbyname("echo"), flush=True)
        except OSError as error:
            print("reached", error.strerror, flush=True)
class Page(http.server.BaseHTTPRequestHandler):
    log_message = log
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"inside")
with http.server.HTTPServer(("127.0.0.1", 8080), Page) as server:
    print("serving", flush=True)
    for _ in range(pages):
        server.handle_request()
"""


def free_port() -> int:
    """One of this host's loopback that nobody has now."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@contextmanager
def serving(
    netproxy: Netproxy,
    *options: str,
    pages: int = 1,
    code: str = COMMAND,
    words: Sequence[str] = (),
) -> Iterator[subprocess.Popen[str]]:
    """A run of that, as long as the block lasts."""
    command = [sys.executable, "-c", code, *(words or [str(pages)])]
    with netproxy.begin(*options, command=command) as running:
        yield running


def said_until(running: subprocess.Popen[str], word: str) -> list[str]:
    """The lines of the command up to the one that is this word."""
    assert running.stdout is not None
    lines: list[str] = []
    while word not in lines:
        line = running.stdout.readline()
        assert line, running.communicate()[1]
        lines.append(line.strip())
    return lines


def fetched(person: Person, port: int) -> tuple[int, str]:
    """What this person's curl says of a page at a port of this host: its status, and the page."""
    command = ["curl", "-sS", "--max-time", "20", "--noproxy", "*", f"http://127.0.0.1:{port}/"]
    done = subprocess.run(
        [*person.prefix, *command],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def helper_of(running: subprocess.Popen[str]) -> int:
    """The process that makes sockets inside for a run: the one child of ours in its network."""
    listed = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    own = [Path(f"/proc/{running.pid}/{name}") for name in ("cmdline", "ns/net")]
    (helper,) = (
        int(pid)
        for pid in listed
        if Path(f"/proc/{pid}/cmdline").read_bytes() == own[0].read_bytes()
        and Path(f"/proc/{pid}/ns/net").readlink() != own[1].readlink()
    )
    return helper
