"""Clients that try to use a shared gateway up, so that another session's clients notice.

The defences: limits for each session, on heads, on time and on descriptors; turning away costs
little and leaves one record a second. Each attack goes to one session's listener of a real service,
and how long a client of the other session waits for its answer is measured meanwhile.
"""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.fair_clock import FairClock
from tests.support.origins import Recorder, origin, read_all, read_head
from tests.support.runs import Netproxy
from tests.support.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.people import Person

CONFIG = """
default_profile = "busy"
[profiles.busy.network]
default = "deny"
allow = ["127.0.0.1:*"]
[profiles.other.network]
default = "deny"
"""
ASKED = b"GET http://refused.test/ HTTP/1.1\r\nHost: refused.test\r\nConnection: close\r\n\r\n"
# Alone it is a millisecond. What others of the machine take is not counted (`FairClock`).
WORST_SECONDS = 1.0
GROWTH_BYTES = 48 << 20
CHUNKS = b"1\r\nx\r\n" * 11_000
# Of an attack that nothing ends but the test.
LONGEST_SECONDS = 4.0
PAGE_BYTES = resource.getpagesize()


class Target:
    """A service with two sessions: the one that is attacked, and the one that must not notice."""

    def __init__(self, service: Service) -> None:
        self.service = service
        (host, busy), (_, other) = (address.rsplit(":", 1) for address in service.addresses)
        self.busy, self.other = (host, int(busy)), (host, int(other))
        self._before = self._memory()

    def attacks(self) -> socket.socket:
        """One more client of the attacked session."""
        return socket.create_connection(self.busy, 10)

    def notices_nothing(self, seconds: float = 0.5) -> None:
        """A client of the other session, again and again."""
        clock = FairClock(self.service.process.pid)
        worst, until = 0.0, time.monotonic() + seconds
        while time.monotonic() < until:
            clock.restart()
            with socket.create_connection(self.other, 10) as client:
                client.sendall(ASKED)
                assert read_all(client).startswith(b"HTTP/1.1 403 ")
            worst = max(worst, clock())
            time.sleep(0.002)  # it has a limit of its own on new connections
        assert worst < WORST_SECONDS

    def grew_little(self) -> None:
        assert self._memory() - self._before < GROWTH_BYTES

    def _memory(self) -> int:
        statm = Path(f"/proc/{self.service.process.pid}/statm").read_text()
        return int(statm.split()[1]) * PAGE_BYTES


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def target(netproxy: Netproxy) -> Iterator[Target]:
    path = netproxy.config / "netproxy" / "config.toml"
    path.parent.mkdir()
    path.write_text(CONFIG)
    listen = ("--listen", "busy@127.0.0.1:0", "--listen", "other@127.0.0.1:0")
    with Service(netproxy, "--drain", "0.1", listen=listen) as service:
        yield Target(service)
        assert service.stop() == 0
    assert "Traceback" not in service.err
    assert "failed inside" not in service.err


@contextmanager
def descriptors(wanted: int) -> Iterator[int]:
    """As many as there may be for this test's own side."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield min(wanted, hard - 500)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def many(target: Target, count: int, stack: ExitStack, sent: bytes) -> list[socket.socket]:
    clients = []
    for _ in range(count):
        client = socket.socket()
        stack.enter_context(client)
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect(target.busy)
        clients.append(client)
    for client in clients:
        with suppress(OSError):
            client.send(sent)
    return clients


def test_ten_thousand_half_open_connections(target: Target) -> None:
    with descriptors(10_000) as count, ExitStack() as stack:
        many(target, count, stack, b"GET http://")
        target.notices_nothing()
        target.grew_little()
        held = list(Path(f"/proc/{target.service.process.pid}/fd").iterdir())
        assert len(held) < 1024 + 64 + 100, "the rest waits in the kernel's queue"


def test_slowloris(target: Target) -> None:
    """Each says a little now and then, so none of them is idle."""
    with ExitStack() as stack:
        clients = many(
            target, 1500, stack, b"GET http://refused.test/ HTTP/1.1\r\nHost: refused.test\r\n"
        )
        for _ in range(5):
            for client in clients:
                with suppress(OSError):
                    client.send(b"X")
            target.notices_nothing(0.2)
        target.grew_little()


def test_a_head_of_a_hundred_megabytes(target: Target) -> None:
    fields = b"X-Filling: " + b"x" * 8000 + b"\r\n"
    for first in (
        b"GET http://refused.test/ HTTP/1.1\r\nHost: refused.test\r\n",
        b"GET /" + b"x" * 70_000,
    ):
        with target.attacks() as client:
            with suppress(ConnectionError):
                client.sendall(first)
                for _ in range((100 << 20) // len(fields)):
                    client.sendall(fields)
            answered = read_all(client)
            # A client that reads on while it sends sees why; one that doesn't may see a reset.
            assert answered[:12] in {b"HTTP/1.1 431", b"HTTP/1.1 414", b""}
    target.notices_nothing()
    target.grew_little()


@pytest.mark.parametrize(
    "endless",
    [b"0" * 1000, b"1;" + b"x" * 1000, b"1\r\nx\r\n" * 100, b"ffffffff\r\n" + b"x" * 60_000],
    ids=["size", "extension", "chunks", "one-chunk"],
)
def test_a_chunk_that_never_ends(target: Target, endless: bytes) -> None:
    """An origin that reads nothing: nothing may pile up on the way."""

    def reads_nothing(connection: socket.socket) -> None:
        time.sleep(0.3)

    with origin(reads_nothing) as far, target.attacks() as client:
        authority = b"127.0.0.1:%d" % far.port
        client.sendall(
            b"POST http://%s/ HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
            % (authority, authority)
        )
        client.settimeout(0.3)
        with suppress(OSError):
            while True:
                client.sendall(endless)
        target.notices_nothing()
        target.grew_little()


@contextmanager
def endless(client: socket.socket, sent: bytes) -> Iterator[None]:
    """A client that sends this again and again meanwhile, and reads all that comes."""

    def sends() -> None:
        with suppress(OSError):
            while sent and not is_over.is_set():
                client.sendall(sent)
            is_over.wait()
            client.shutdown(socket.SHUT_RDWR)

    def reads() -> None:
        with suppress(OSError):
            while client.recv(1 << 20):
                pass

    is_over = threading.Event()
    # Whatever the gateway does, the test comes to an end.
    late = threading.Timer(LONGEST_SECONDS, is_over.set)
    threads = [late, threading.Thread(target=sends), threading.Thread(target=reads)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        late.cancel()
        is_over.set()
        for thread in threads:
            thread.join(20)


def test_an_upload_as_fast_as_it_is_read_stops_nobody(target: Target) -> None:
    """Nothing in it ever has to be waited for."""

    def reads(connection: socket.socket) -> None:
        while connection.recv(1 << 20):
            pass

    with origin(reads) as far, target.attacks() as client:
        authority = b"127.0.0.1:%d" % far.port
        client.sendall(
            b"POST http://%s/ HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
            % (authority, authority)
        )
        with endless(client, CHUNKS):
            target.notices_nothing()
        target.grew_little()


def test_an_answer_as_fast_as_it_is_read_stops_nobody(target: Target) -> None:
    def sends(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with endless(connection, CHUNKS):
            is_measured.wait(LONGEST_SECONDS)

    is_measured = threading.Event()
    with origin(sends) as far, target.attacks() as client:
        authority = b"127.0.0.1:%d" % far.port
        asked = b"GET http://%s/ HTTP/1.1\r\nHost: %s\r\n\r\n" % (authority, authority)
        with endless(client, b""):
            client.sendall(asked)
            target.notices_nothing()
        is_measured.set()
        target.grew_little()


def test_refused_requests_one_upon_the_other_stop_nobody(target: Target) -> None:
    asked = b"GET http://refused.test/ HTTP/1.1\r\nHost: refused.test\r\n\r\n"
    with target.attacks() as client, endless(client, asked * 700):
        target.notices_nothing()
    target.grew_little()


STORM = """
import socket, sys, time
where, until = ("127.0.0.1", int(sys.argv[1])), time.monotonic() + 1.5
while time.monotonic() < until:
    try:
        with socket.create_connection(where, 5) as one:
            if len(sys.argv) > 2:
                one.sendall(b"GET http://a.test/ HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n")
                one.recv(100)
    except OSError:
        pass
"""


@pytest.mark.parametrize("says", [(), ("something",)], ids=["connect-close", "and-asks"])
def test_a_storm_of_new_connections(
    target: Target, netproxy: Netproxy, says: tuple[str, ...]
) -> None:
    words = [sys.executable, "-I", "-c", STORM, str(target.busy[1]), *says]
    storms = [subprocess.Popen(words) for _ in range(2)]
    try:
        target.notices_nothing(1.5)
    finally:
        for storm in storms:
            storm.wait(30)
    target.grew_little()
    turned_away = netproxy.events("netproxy.clients.turned_away")
    assert len(turned_away) < 10, "sums, however many they were"
    assert ("a.test" in {each["server.address"] for each in netproxy.decisions()}) is bool(says)


@pytest.mark.parametrize(
    ("limits", "prefix"),
    [
        pytest.param("", (), id="default"),
        pytest.param("[limits]\nconnections_total = 50\n", (), id="few-places"),
        pytest.param("", ("prlimit", "--nofile=512"), id="few-descriptors"),
    ],
)
def test_who_shows_no_token_keeps_nobody_out_who_has_one(
    netproxy: Netproxy, limits: str, prefix: tuple[str, ...]
) -> None:
    own = netproxy.config / "netproxy" / "config.toml"
    own.parent.mkdir(exist_ok=True)
    own.write_text(limits)
    token = "0123456789abcdef"
    path = netproxy.config / "tokens"
    path.write_text(f"anna:{token}\n")
    path.chmod(0o600)
    asked = ASKED.replace(
        b"\r\n\r\n", b"\r\nProxy-Authorization: Bearer %s\r\n\r\n" % token.encode()
    )
    options = ("--ask", "never", "--token-file", str(path), "--drain", "0.1")
    with (
        Service(netproxy, *options, prefix=prefix) as service,
        descriptors(5000) as count,
        ExitStack() as stack,
    ):
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(service.where)
            with suppress(OSError):
                client.send(b"G")
        clock = FairClock(service.process.pid)
        for _ in range(20):
            with socket.create_connection(service.where, 10) as anna:
                anna.sendall(asked)
                assert read_all(anna).startswith(b"HTTP/1.1 403 ")
        assert clock() < 5.0
    assert len(netproxy.decisions()) == 20


def test_an_upload_without_end_stops_nobody(target: Target) -> None:
    recorder = Recorder(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with origin(recorder) as far, ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(target.attacks())
            authority = b"127.0.0.1:%d" % far.port
            client.sendall(
                b"POST http://%s/ HTTP/1.1\r\nHost: %s\r\nContent-Length: 999999999\r\n\r\n%s"
                % (authority, authority, b"x" * 10_000)
            )
        target.notices_nothing()
        target.grew_little()
