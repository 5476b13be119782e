"""What the probe's answers come to, and where its connections must be found."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sandbox import proof as module
from sandbox.errors import FenceBroken, LaunchFailed
from sandbox.launch import CaptureSockets, Listeners
from sandbox.linux import attempts, landlock
from sandbox.plan import Access, Mount, Plan
from sandbox.proof import Prover

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAN = Plan(
    mounts=(
        Mount(Access.READ, "/"),
        Mount(Access.DEVICES, "/dev"),
        Mount(Access.PROCESSES, "/proc"),
        Mount(Access.PRIVATE, "/tmp"),
        Mount(Access.WRITE, "/srv/work"),
        Mount(Access.READ, "/srv/work/.git"),
        Mount(Access.READ, "/srv/work/.vscode"),
        Mount(Access.HIDDEN, "/home/me/.ssh"),
        Mount(Access.UNREADABLE, "/home/me/.netrc"),
        Mount(Access.SPARSE, "/home/me"),
    ),
    working_directory="/srv/work",
    identities={},
)
HELD = (
    "writing to /=EROFS",
    "a direct IPv4 connection=ENETUNREACH",
    "a direct IPv6 connection=ENETUNREACH",
    "a direct UDP datagram=ENETUNREACH",
    "a direct UDP datagram over IPv6=ENETUNREACH",
    "this host's loopback=ECONNREFUSED",
    "the proxy can be reached=OK",
)
CAPTURED = tuple(
    answer.replace("ENETUNREACH", "OK") if "connection" in answer else answer for answer in HELD
)


def listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


@pytest.fixture
def prover() -> Iterator[Prover]:
    prover = Prover(PLAN)
    yield prover
    prover.close()


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    listeners = Listeners(http=listen(), socks=listen())
    yield listeners
    listeners.close()


@pytest.fixture
def captured() -> Iterator[Listeners]:
    capture = CaptureSockets(tcp=(listen(),), dns_udp=(), dns_tcp=())
    listeners = Listeners(http=listen(), socks=listen(), capture=capture)
    yield listeners
    listeners.close()


def said(*answers: str) -> bytes:
    return "\0".join(("v4200", *answers)).encode()


def told(prover: Prover, *, is_captured: bool = False) -> dict[str, list[str]]:
    orders: dict[str, list[str]] = {}
    for order in prover.orders(is_captured=is_captured):
        name, _, words = order.partition("=")
        orders.setdefault(name, []).append(words)
    return orders


def test_the_probe_is_told_what_to_try(prover: Prover) -> None:
    orders = told(prover)
    assert orders["protected"] == ["/srv/work/.git", "/srv/work/.vscode"], "/ is another attempt"
    assert orders["hidden"] == ["/home/me/.ssh", "/home/me/.netrc", "/home/me"]
    assert orders["proxy"] == ["3128"]
    assert orders["landlock"] == [str(landlock.version())]
    if landlock.version():
        assert orders["write"] == ["/dev", "/proc", "/tmp", "/srv/work"]
    assert orders["root"] == [""]
    assert orders.keys().isdisjoint({"capture", "unix"})
    open_to_some = Prover(PLAN, unix_by_path=True)
    assert {"capture", "unix"} <= told(open_to_some, is_captured=True).keys()
    open_to_some.close()


def test_a_plan_that_closes_nothing_has_nothing_to_try() -> None:
    mounts = (Mount(Access.WRITE, "/"),)
    prover = Prover(Plan(mounts=mounts, working_directory="/", identities={}))
    assert told(prover).keys().isdisjoint({"root", "protected", "hidden"})
    prover.close()


def test_what_lies_in_a_root_that_is_hidden_may_be_seen_by_name() -> None:
    mounts = (Mount(Access.SPARSE, "/"), Mount(Access.READ, "/usr"), Mount(Access.SEALED, "/"))
    prover = Prover(Plan(mounts=mounts, working_directory="/", identities={}))
    assert "hidden" not in told(prover)
    assert told(prover)["protected"] == ["/usr"]
    prover.close()


def test_what_no_mount_holds_is_not_tried(tmp_path: Path) -> None:
    """Whoever opened a FIFO there waited for a reader, and a read-only mount keeps nobody out."""
    os.mkfifo(tmp_path / ".agents")
    (tmp_path / ".git").mkdir()
    kept = tuple(Mount(Access.READ, f"{tmp_path}/{name}") for name in (".agents", ".git"))
    prover = Prover(Plan(mounts=kept, working_directory="/", identities={}))
    assert told(prover)["protected"] == [f"{tmp_path}/.git"]
    prover.close()
    only = Prover(Plan(mounts=kept[:1], working_directory="/", identities={}))
    assert "protected" not in told(only)
    only.close()
    attempts._read(f"{tmp_path}/.agents")
    with pytest.raises(OSError, match="No such device"):
        attempts._write(f"{tmp_path}/.agents")


def test_where_all_failed_that_must_it_held(prover: Prover, listeners: Listeners) -> None:
    proof = prover.judge(said(*HELD), listeners)

    assert proof.held
    assert proof.duration_us == 4200
    assert [attempt.name for attempt in proof.attempts] == [each.split("=")[0] for each in HELD]
    proof.demand()


def test_what_got_through_is_named(prover: Prover, listeners: Listeners) -> None:
    proof = prover.judge(said("!io_uring=OK", "!a mount=EINVAL", *HELD), listeners)

    assert not proof.held
    with pytest.raises(FenceBroken, match=r"nothing was executed: io_uring \(OK\), a mount"):
        proof.demand()


@pytest.mark.parametrize(
    "message", [b"", b"r", b"v", b"v1", b"v1\0io_uring=ENOSYS", b"x1\0the proxy can be reached=OK"]
)
def test_half_an_answer_is_none(prover: Prover, listeners: Listeners, message: bytes) -> None:
    with pytest.raises(LaunchFailed, match="did not answer"):
        prover.judge(message, listeners)


def test_what_was_ordered_must_be_answered_for(prover: Prover, listeners: Listeners) -> None:
    """Orders that were cut on their way made a probe that tried less, and a sandbox that held."""
    told(prover)
    answers = {f"{name}=EPERM" for name in prover._ordered}
    assert prover.judge(said(*answers), listeners).held
    without = answers - {"writing a protected path=EPERM", "this host's loopback=EPERM"}
    with pytest.raises(LaunchFailed, match=r"must: this host's loopback, writing a protected path"):
        prover.judge(said(*without), listeners)


def test_who_reaches_this_host_was_seen_whatever_he_says(
    prover: Prover, listeners: Listeners
) -> None:
    """The probe might be wrong about where it got to."""
    (port,) = told(prover)["host"]
    rest = (f"{name}=EPERM" for name in sorted(prover._ordered))
    with socket.create_connection(("127.0.0.1", int(port))):
        proof = prover.judge(said(*rest, *HELD), listeners)
    assert [attempt.name for attempt in proof.surprises] == ["this host's loopback"]


def test_nobody_finds_the_probes_connections(prover: Prover, listeners: Listeners) -> None:
    """A gateway would take them for a client, and for the command's."""
    with socket.create_connection(listeners.http.getsockname()):
        assert prover.judge(said(*HELD), listeners).held
        with pytest.raises(BlockingIOError):
            listeners.http.accept()


def test_a_captured_connection_must_say_where_it_wanted_to_go(
    prover: Prover, captured: Listeners
) -> None:
    """Here nothing captures: the connection was made straight to the listener."""
    assert captured.capture is not None
    with socket.create_connection(captured.capture.tcp[0].getsockname()):
        proof = prover.judge(said(*CAPTURED), captured)
    assert {attempt.name for attempt in proof.surprises} == {
        "a direct IPv4 connection",
        "a direct IPv6 connection",
    }


def test_a_connection_that_nobody_captured_left(prover: Prover, captured: Listeners) -> None:
    assert not prover.judge(said(*CAPTURED), captured).held
    assert prover.judge(said(*HELD), captured).held, "none of them got anywhere"


def test_reports_are_forgotten_however_many_files_are_open(
    prover: Prover, captured: Listeners
) -> None:
    """Those of a thousand mount points may be open, and select(2) takes no number above 1,023."""
    assert captured.capture is not None
    reports, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    high = socket.socket(fileno=fcntl.fcntl(reports, fcntl.F_DUPFD_CLOEXEC, 1024))
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    with reports, kernel, high:
        kernel.send(b"a report of nothing")
        refused = tuple(
            each.replace("ENETUNREACH", "EPERM") if "UDP" in each else each for each in HELD
        )
        watched = replace(captured, capture=replace(captured.capture, rejected=high))
        assert prover.judge(said(*refused), watched).held
        with pytest.raises(BlockingIOError):
            high.recv(1, socket.MSG_DONTWAIT)


def test_it_speaks_of_the_attempts_by_their_names() -> None:
    order = {"proxy": "1", "host": "2", "capture": ""}
    kinds = (attempts._of_the_network, attempts._of_what_works)
    found = {name for kind in kinds for name, _, _ in kind(order)}
    assert found <= set(attempts.names(order))
    assert found == {*module._DIRECT, *module._UDP, module._HOST, module._PROXY}
    assert {attempts.TEST_NET, attempts.TEST_NET6} == module._TARGETS
