"""Whoever would have a gateway serve him what his fence, his user or his policy refuses.

Each row was seen to fail without its defence: without the look at one namespace or fence the offer
is taken, and without one look at its bytes rubbish is answered otherwise. To get to the socket the
hidden folder and the filter both had to go, and for another user both looks at who he is.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netproxy.app.frames import Line
from tests.support.handing import Office
from tests.support.people import ordinary_user
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from tests.support.people import Person

# Looks for the socket of launchers by every way that has a name.
KNOCK = """
import os, socket, sys
for root in ("", "/proc/1/root", "/proc/self/root"):
    try:
        socket.socket(socket.AF_UNIX).connect(f"{root}{sys.argv[1]}/runs.sock")
    except OSError as error:
        print(type(error).__name__)
    else:
        print("CONNECTED")
try:
    print(os.listdir(sys.argv[1]))
except OSError as error:
    print(type(error).__name__)
"""
# Offers a run with rules of its own, from within `made`; prints the gateway's answer.
OFFER = """
import ctypes, os, sys
from netproxy.app.control_socket import RUNS, connect
from netproxy.app.frames import Line
from netproxy.app.launcher import request
from pathlib import Path
{made}
line = Line(connect(Path(sys.argv[1]), RUNS.first, 5))
words = ["--ask", "never", "--allow", "*.example.test", "--audit-dir", sys.argv[2], "--", "true"]
line.send("run", request(words, os.environ, os.open(".", os.O_PATH)))
kind, value = line.receive()
print(kind, value if kind == "own" else "")
"""
# A process that is the first of its pid namespace; who made that waits for it.
FIRST_PROCESS = """
os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWPID)
if (child := os.fork()) != 0:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
# A root of its own, in which the folder of sockets has another name.
ROOTED = """
os.chroot(os.path.dirname(sys.argv[1]))
sys.argv[1] = "/" + os.path.basename(sys.argv[1])
"""
# A filter without NoNewPrivs, which takes root: BPF_RET with SECCOMP_RET_ALLOW (seccomp(2)).
FILTERED = """
allow = ctypes.create_string_buffer(bytes.fromhex("06000000 0000ff7f"))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
assert ctypes.CDLL(None).prctl(22, 2, ctypes.byref(Program(1, ctypes.addressof(allow)))) == 0
"""
# Answers questions, and offers a run first.
REVIEWER = """#!{python} -I
import os, subprocess, sys
sys.stdin.read()
said = subprocess.run([sys.executable, "-I", "-c", {offer!r}, {sockets!r}, {audit!r}],
                      capture_output=True, text=True, cwd="/")
with open({told!r}, "w") as told:
    told.write(said.stdout.strip() or said.stderr)
print('{{"verdict":"deny"}}')
"""


def test_a_command_never_reaches_the_socket_of_launchers(person: Person, base: Path) -> None:
    """Handed over or not: the folder is hidden, and the filter refuses unix sockets."""
    office = Office(person, base)
    with office.gateway("--ask", "never"):
        command = (sys.executable, "-I", "-c", KNOCK, str(office.sockets))
        for options in ((), ("--gateway", "own")):
            done = office.run("--ask", "never", *options, command=command)
            *ways, found = done.out.splitlines()
            assert len(ways) == 3, done.err
            assert "CONNECTED" not in ways
            assert found in {"[]", "PermissionError"}


def offered(office: Office, made: str) -> str:
    script = OFFER.format(made=made)
    done = subprocess.run(
        [*office.person.prefix, sys.executable, "-I", "-c", script, str(office.sockets),
         str(office.audit)],
        capture_output=True, text=True, check=False, cwd=office.workspace, timeout=60,
        env=office.environment(),
    )  # fmt: skip
    return done.stdout.strip() or done.stderr


# What a caller made around itself, and what it is answered.
MADE = {
    "": "build",  # else the others would prove nothing
    "ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)": "own it is fenced in",
    "os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)": "own another net namespace",
    "os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)": "own another mnt namespace",
    FIRST_PROCESS: "own another pid namespace",
    "os.unshare(os.CLONE_NEWUSER)": "own another user namespace",
}


def test_who_is_fenced_in_elsewhere_gets_nothing(person: Person, base: Path) -> None:
    """It would make listeners in a namespace of its own, and be let out through them.

    Each asks on a connection of its own, and the one who may is answered last, too.
    """
    office = Office(person, base)
    with office.gateway("--ask", "never"):
        assert {made: offered(office, made) for made in MADE} == MADE
        assert offered(office, "") == "build"


@pytest.mark.skipif(os.getuid() != 0, reason="takes root")
@pytest.mark.parametrize(
    ("made", "answer"),
    [
        pytest.param(ROOTED, "own another root", id="a-root-of-its-own"),
        pytest.param(FILTERED, "own it is fenced in", id="a-filter-only"),
    ],
)
def test_nor_whom_root_has_fenced_in(me: Person, base: Path, made: str, answer: str) -> None:
    """By what nobody else could put around himself without `NoNewPrivs`."""
    office = Office(me, base)
    with office.gateway("--ask", "never"):
        assert offered(office, made) == answer


def test_a_program_of_the_gateway_gets_nothing(me: Person, base: Path) -> None:
    """What answers questions may not have runs let out by rules of its own."""
    office = Office(me, base)
    told, desk = office.person.owns(base / "told") / "answer", base / "desk"
    desk.write_text(
        REVIEWER.format(
            python=sys.executable,
            offer=OFFER.format(made=""),
            sockets=str(office.sockets),
            audit=str(office.audit),
            told=str(told),
        )
    )
    desk.chmod(0o755)
    settings = office.person.owns(office.config / "netproxy") / "config.toml"
    settings.write_text(f'[[approvals.command]]\nname = "desk"\nargv = ["{desk}"]\n')
    with office.gateway() as gateway:
        asking = ("curl", "-s", "-m", "20", "-x", f"http://{gateway.address}", "http://a.test/")
        subprocess.run(asking, capture_output=True, check=False, env={"PATH": os.defpath})
        assert told.read_text() == "own it is within a run of this gateway"


def test_nor_does_what_belongs_to_a_run(me: Person, base: Path) -> None:
    """It descends from the launcher, outside the sandbox; a run of its own may have its rules."""
    office = Office(me, base)
    told, gate = base / "told", base / "gate"
    os.mkfifo(gate)
    where = (str(office.sockets), str(office.audit))
    offer = [sys.executable, "-I", "-c", OFFER.format(made=""), *where]
    # The shell becomes the launcher, whose child waits until the command is there.
    before = f"{{ read -r _ <{gate}; {shlex.join(offer)} >{told} 2>&1; echo >{gate}; }} &"
    launcher = office.argv("run", "--audit-dir", str(office.audit), "--ask", "never")
    command = ["--write", str(base), "--", "sh", "-c", f"echo >{gate}; read -r _ <{gate}"]
    with office.gateway("--ask", "never"):
        done = subprocess.run(
            ["sh", "-c", f"{before} exec {shlex.join([*launcher, *command])}"],
            cwd=office.workspace, env=office.environment(), timeout=60, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert office.gateways() == 1
        assert told.read_text() == "own it is within a run of this gateway\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_gets_nothing(me: Person, base: Path) -> None:
    """The folder is closed to him; where it is not, the kernel says who he is."""
    office = Office(me, base)
    with office.gateway("--ask", "never"):
        office.person = ordinary_user(base)
        assert "PermissionError" in offered(office, "")
        for folder in (office.runtime, office.sockets):
            folder.chmod(0o755)
        (office.sockets / "runs.sock").chmod(0o666)
        with socket.socket(socket.AF_UNIX) as mine:
            uid = office.person.uid
            os.seteuid(uid)
            try:
                mine.connect(str(office.sockets / "runs.sock"))
            finally:
                os.seteuid(0)
            assert Line(mine).receive() == ("own", f"user {uid}")


# Bytes, and what the gateway makes of them.
RUBBISH = {
    b"": "the launcher hung up",
    b"\0\0\0\x09\0[": "the launcher hung up",
    b"\x7f\xff\xff\xff\0": "a message of 2147483647 bytes with 0 descriptors is none",
    b"GET / HTTP/1.1\r\n\r\n": "a message of 1195725856 bytes with 47 descriptors is none",
    b"\0\0\0\1\xff1": "a message of 1 bytes with 255 descriptors is none",
    b"\0\0\0\2\0[]": "a message without a kind",
    b"\0\0\0\2\0[[": "a message that is none",
    b'\0\0\0\x0c\0["began", 1]': "the launcher said began and not run",
    b'\0\0\0\x11\0{"@": "os:_exit"}': "os is not among what travels",
    b'\0\0\0\x1f\0["run", {"@": "file", "of": 9}]': "a message that is none",
}


def is_taken_over(office: Office) -> bool:
    before = office.gateways()
    assert office.run("--ask", "never", command=("true",)).status == 0
    return office.gateways() == before


def test_rubbish_harms_nobody(me: Person, base: Path) -> None:
    """Each is refused for what it is, and none of them ends the gateway."""
    office = Office(me, base)
    heard = {}
    with office.gateway("--ask", "never"):
        for rubbish in RUBBISH:
            with socket.socket(socket.AF_UNIX) as mine:
                mine.connect(str(office.sockets / "runs.sock"))
                mine.settimeout(10)
                mine.sendall(rubbish)
                mine.shutdown(socket.SHUT_WR)
                heard[rubbish] = Line(mine).receive() or ("", "")
        # On a busy machine one may wait too long, and keep a gateway of its own.
        assert any(is_taken_over(office) for _ in range(5))
    assert {kind for kind, _ in heard.values()} == {"failed"}
    assert {each: why for each, (_, why) in heard.items() if RUBBISH[each] not in why} == {}


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["bwrap", "init", "monitor"])
def test_a_sandbox_that_is_killed_from_outside_is_no_end_of_the_command(
    me: Person, base: Path, depth: int
) -> None:
    """Nobody knows how the command ended, and 137 would say that it was killed itself."""
    office = Office(me, base)
    with office.gateway("--ask", "never"):
        with office.begin("--ask", "never", command=("sh", "-c", "echo up; sleep 30")) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "up\n"
            sandbox = next(
                pid
                for pid in children_of(running.pid)
                if Path(f"/proc/{pid}/comm").read_text() == "bwrap\n"
            )
            for _ in range(depth):
                (sandbox,) = children_of(sandbox)
            os.kill(sandbox, signal.SIGKILL)
            _, said = running.communicate(timeout=30)
        assert office.gateways() == 1
    assert (running.returncode, said.count("the sandbox was killed, or its monitor: ")) == (125, 1)
    (exited,) = office.events("netproxy.run.exited")
    assert exited["process.exit.code"] == 125


@pytest.mark.parametrize("who", ["launcher", "command"])
def test_a_launcher_that_sleeps_saves_no_command_from_its_denial(
    me: Person, base: Path, who: str
) -> None:
    """It is ended from the gateway, before it hears of the refusal; then the launcher goes on.

    Where the command itself is what stopped, one that it had started is refused.
    """
    office = Office(me, base)
    script = """
        exec 3<&0
        curl -sS -o page "$0"
        (read -r _ <&3; curl -o page x.test; echo >heard) &
        echo up
        test $1 = launcher || kill -STOP $$
        sleep 9"""
    with Site() as site, office.gateway("--ask", "never"):
        url = f"http://site.test:{site.port}/"
        options = (*named("site.test"), "--allow", f"site.test:{site.port}", "--ask", "never")
        with office.begin(*options, command=("sh", "-c", script, url, who)) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "up\n"
            if who == "launcher":
                os.kill(running.pid, signal.SIGSTOP)
            assert os.waitpid(running.pid, os.WUNTRACED)[1] >> 8 == signal.SIGSTOP
            _, said = running.communicate("\n", timeout=30)
            assert running.returncode == 77
            assert "x.test" in said.splitlines()[-1]
        assert office.gateways() == 1
    assert not (office.workspace / "heard").exists()
    phases = [each["netproxy.cancel.phase"] for each in office.events("netproxy.run.cancelled")]
    assert phases == ["requested", "terminated", "killed"]


def test_a_launcher_that_sleeps_outlives_no_gateway(me: Person, base: Path) -> None:
    office = Office(me, base)
    with office.gateway("--ask", "never") as service:
        with office.begin("--ask", "never", command=("sh", "-c", "kill -STOP $$")) as running:
            assert os.waitpid(running.pid, os.WUNTRACED)[1] >> 8 == signal.SIGSTOP
            os.kill(service.pid, signal.SIGKILL)
            _, said = running.communicate(timeout=30)
            assert running.returncode == 125
        assert "the gateway that it was run by has ended" in said
