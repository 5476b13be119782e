"""What a gateway that takes runs over needs, taken away: a thread's directory, and its journal."""

from __future__ import annotations

import json
import platform
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, override

import pytest

from tests.faults.test_gateway_killed import wait_for
from tests.support.handing import Office

if TYPE_CHECKING:
    from tests.support.people import Person
    from tests.support.services import Service

# A filter that refuses unshare(CLONE_FS), and no other use of it; inherited by what is executed.
_WITHOUT = """
import ctypes, os, struct, sys
number, allow, refuse = int(sys.argv[1]), 0x7fff0000, 0x00050000 | 1  # EPERM
rows = ((0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 0x200),
        (6, 0, 0, refuse), (6, 0, 0, allow))
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
told = ctypes.create_string_buffer(struct.pack("@HP", len(rows), ctypes.addressof(program)))
kernel = ctypes.CDLL(None, use_errno=True)
assert kernel.prctl(38, 1, 0, 0, 0) == 0 and kernel.prctl(22, 2, told) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""
_UNSHARE = {"x86_64": "272", "aarch64": "97"}
# Says what a launcher says, without a sandbox: a child of its own is what it has built. Prints the
# gateway's last word, and how that child ended.
_LAUNCHER = """
import os, socket, subprocess, sys
from pathlib import Path
from netproxy.app.control_socket import RUNS, connect
from netproxy.app.frames import Line
from netproxy.app.launcher import request
from sandbox.launch import Listeners
from sandbox.proof import Proof
from sandbox.wire import Handle
line = Line(connect(Path(sys.argv[1]), RUNS.first, 10))
words = ["--ask", "never", "--audit-dir", sys.argv[2], "--", "true"]
line.send("run", request(words, os.environ, os.open(".", os.O_PATH)))
kind, value = line.receive()
if kind != "build":
    sys.exit(f"{kind} {value}")
init = subprocess.Popen(["sleep", "20"])
http, socks = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
built = {"proof": Proof(attempts=(), duration_us=0), "listeners": Listeners(http=http, socks=socks)}
line.send("built", {**built, "init": Handle(os.pidfd_open(init.pid))})
kind, value = line.receive()
print(kind)
if kind == "go":
    init.kill()
print(init.wait(30), file=sys.stderr)
"""


def launching(office: Office) -> list[str]:
    return [sys.executable, "-I", "-c", _LAUNCHER, str(office.sockets), str(office.audit)]


def launched(office: Office, argv: list[str]) -> tuple[str, str]:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=office.workspace,
        env=office.environment(), timeout=60,
    )  # fmt: skip
    return done.stdout.strip(), done.stderr.strip()


class Confined(Office):
    """All of it runs under that filter: what differed from its gateway would not be taken."""

    @override
    def argv(self, *words: str) -> list[str]:
        return self.under_the_filter(*super().argv(*words))

    @staticmethod
    def under_the_filter(*argv: str) -> list[str]:
        number = _UNSHARE[platform.machine()]
        return [sys.executable, "-I", "-c", _WITHOUT, number, *argv]


def test_without_a_thread_of_its_own_a_run_has_its_own_gateway(me: Person, base: Path) -> None:
    """Two of them: the first look is the one that finds out."""
    office = Confined(me, base)
    with office.gateway("--ask", "never") as service:
        for ran in ("1", "2"):
            done = office.run("--ask", "never", command=("echo", ran))
            assert (done.status, done.out, done.err) == (0, f"{ran}\n", "")
        said = launched(office, office.under_the_filter(*launching(office)))
        assert said == ("", "own no thread here may have a working directory of its own")
        assert service.stop() == 0
    assert office.gateways() == 3


# What is on record of a run before its command starts, in this order.
_STARTS = (
    "netproxy.session.started",
    "netproxy.config.applied",
    "netproxy.sandbox.probed",
    "netproxy.run.started",
)


def size_with_half_of(office: Office, which: str) -> int:
    """Of the journal's file, once the next run has written so much: it will write as the last."""
    (journal,) = office.audit.rglob("*.jsonl")
    size = journal.stat().st_size
    for line in journal.read_bytes().splitlines():
        record = json.loads(line)
        if record["attrs"].get("sandbox.enforced") and record["name"] in _STARTS:
            if record["name"] == which:
                return size + len(line) // 2
            size += len(line) + 1
    raise AssertionError(which)


def take_room_from(service: Service, size: int) -> tuple[int, int]:
    """No file of the gateway grows beyond that size. Returns the limits that it had."""
    limits = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    return resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (size, limits[1]))


@pytest.mark.parametrize("which", _STARTS)
def test_no_word_of_go_before_all_is_on_record(me: Person, base: Path, which: str) -> None:
    """The disk takes one record by half: what was built is ended, and nothing starts in it."""
    office = Office(me, base)
    with office.gateway("--ask", "never") as service:
        assert launched(office, launching(office)) == ("go", "-9")
        wait_for(lambda: len(office.events("netproxy.session.ended")) == 1)
        take_room_from(service, size_with_half_of(office, which))
        assert launched(office, launching(office)) == ("failed", "-9")

    written = [each["event.name"] for each in office.events() if each["sandbox.enforced"]]
    second = written[written.index("netproxy.session.ended") + 1 :]
    assert [name for name in second if name in _STARTS] == [*_STARTS[: _STARTS.index(which)]]


def test_a_run_without_a_record_executes_nothing_and_the_next_one_goes_on(
    me: Person, base: Path
) -> None:
    office = Office(me, base)
    with office.gateway("--ask", "never") as service:
        assert office.run("--ask", "never", command=("true",)).status == 0
        limits = take_room_from(service, size_with_half_of(office, "netproxy.run.started"))
        done = office.run("--ask", "never", command=("touch", "ran"))
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, limits)

        assert (done.status, done.out) == (125, "")
        (line,) = done.err.splitlines()
        assert line.startswith("netproxy run: the command could not be run: journal took ")
        assert not (office.workspace / "ran").exists()
        wait_for(lambda: office.run("--ask", "never", command=("true",)).status == 0)
        assert office.gateways() == 1
    assert len(office.events("netproxy.audit.gap")) == 1


def test_a_store_that_is_busy_costs_a_session_its_past_and_nothing_else(
    me: Person, base: Path
) -> None:
    office = Office(me, base)
    with office.gateway():
        assert office.run("--session", "rel", command=("true",)).status == 0
        with closing(sqlite3.connect(office.state / "netproxy" / "approvals.db")) as store:
            store.execute("BEGIN EXCLUSIVE")
            done = office.run("--session", "rel", command=("true",))
        assert done.status == 0, done.err
        # The first of its lines: one that waited too long for this gateway has one of its own.
        assert done.err.startswith("netproxy run: warning: the session rel begins anew: ")
        wait_for(lambda: len(office.events("netproxy.run.exited")) == 2)


def test_without_open_files_to_spare_a_run_has_its_own_gateway(me: Person, base: Path) -> None:
    office = Office(me, base)
    with office.gateway("--ask", "never") as service:
        assert office.run("--ask", "never", command=("true",)).status == 0
        most = len(list(Path(f"/proc/{service.pid}/fd").iterdir())) + 20
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (most, most))
        done = office.run("--ask", "never", command=("true",))
        assert (done.status, done.err) == (0, "")
    assert office.gateways() == 2
