"""Only the gateway's own user speaks to it, and the command that it is asked about never does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.people import ordinary_user
from tests.support.runs import NETPROXY, Netproxy
from tests.support.services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# Connects and asks for the questions; prints what came back, or why nothing did.
_KNOCK = r"""
import os, socket, sys
try:
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(b"GET /v1/approvals HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    print(s.recv(65536).split(b"\r\n")[0].decode())
except OSError as error:
    print(type(error).__name__)
"""
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def sockets(netproxy: Netproxy) -> Path:
    """Where they are without a login session."""
    return netproxy.state / "netproxy" / "control"


def knock(path: Path, prefix: tuple[str, ...] = ()) -> str:
    done = subprocess.run(
        [*prefix, sys.executable, "-I", "-c", _KNOCK, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


@needs_root
def test_another_user_is_refused_by_the_folder_and_by_the_gateway(
    netproxy: Netproxy, base: Path
) -> None:
    stranger = ordinary_user(base)
    with Service(netproxy):
        path = sockets(netproxy) / "control.sock"
        assert knock(path) == "HTTP/1.1 200 OK"
        assert knock(path, stranger.prefix) in {"PermissionError", "FileNotFoundError"}
        # Even where every folder and the socket itself let them in.
        for folder in (netproxy.state, path.parent.parent, path.parent, path):
            folder.chmod(0o777)
        assert knock(path, stranger.prefix) == "HTTP/1.1 403 Forbidden"
    (rejected,) = netproxy.events("netproxy.approval.review_rejected")
    assert rejected["netproxy.review.rejected_reason"] == "forbidden"


@pytest.mark.parametrize("options", [("--no-sandbox",), ()], ids=["no-sandbox", "sandboxed"])
def test_a_command_does_not_answer_for_itself(netproxy: Netproxy, options: tuple[str, ...]) -> None:
    """It has the right user id, knows where the socket is, and may even run our own program."""
    path = sockets(netproxy) / "control.sock"
    script = (
        f"{sys.executable} -I -c '{_KNOCK}' {path}; "
        f"XDG_STATE_HOME={netproxy.state} {' '.join(NETPROXY)} approvals list; echo $?; "
        # A child that the shell leaves behind, and that no longer descends from it.
        f"(setsid {sys.executable} -I -c '{_KNOCK}' {path} > {netproxy.workspace}/left &); "
        f"until [ -s {netproxy.workspace}/left ]; do sleep 0.05; done"
    )
    done = netproxy.run(*options, command=["/bin/sh", "-c", script])
    assert len(done.out.strip().splitlines()) > 1, done
    answer, *_, status = done.out.strip().splitlines()
    assert answer in {"HTTP/1.1 403 Forbidden", "FileNotFoundError", "PermissionError"}
    assert status in {"77", "69"}
    left = (netproxy.workspace / "left").read_text().strip()
    assert left in {"HTTP/1.1 403 Forbidden", "FileNotFoundError", "PermissionError"}


def test_no_command_is_given_the_socket_of_a_gateway(netproxy: Netproxy, base: Path) -> None:
    """By `--unix` it would be connected from outside the sandbox, and could answer for others."""
    with Service(netproxy):
        for name in ("control.sock", "runs.sock"):
            path, link, beside = sockets(netproxy) / name, base / f"{name}-1", base / f"{name}-2"
            assert knock(path) != "FileNotFoundError"
            link.symlink_to(path)
            beside.hardlink_to(path)
            for each in (path, link, beside):
                command = [sys.executable, "-I", "-c", _KNOCK, str(each)]
                done = netproxy.run("--ask", "never", "--unix", str(each), command=command)
                assert (done.status, done.out) == (125, "")
                assert "is a gateway's, which answers no command" in done.err


def test_a_sandbox_does_not_see_a_gateway_that_starts_later(netproxy: Netproxy) -> None:
    folder = sockets(netproxy)
    watcher = (
        f"echo up; until [ -e go ]; do sleep 0.05; done; ls -a {folder} 2>&1; "
        f"{sys.executable} -I -c '{_KNOCK}' {folder}/control.sock"
    )
    run = subprocess.Popen(
        netproxy.argv("run", "--audit-dir", str(netproxy.audit), "--", "/bin/sh", "-c", watcher),
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "up\n"
    with Service(netproxy):
        (netproxy.workspace / "go").touch()
        out, _ = run.communicate(timeout=60)
    assert "control" not in out.replace(str(folder), "")
    assert "HTTP" not in out


def test_a_link_that_leads_elsewhere_is_not_followed(netproxy: Netproxy, base: Path) -> None:
    elsewhere = netproxy.person.owns(base / "elsewhere")
    elsewhere.chmod(0o700)
    folder = sockets(netproxy)
    netproxy.person.owns(folder.parent)
    folder.symlink_to(elsewhere)
    done = netproxy.run("--no-sandbox", command=["true"])
    assert done.status == 0
    assert "can't reach this gateway" in done.err
    assert list(elsewhere.iterdir()) == []
    assert netproxy("approvals", "list").status == 69


@needs_root
def test_a_socket_that_somebody_else_put_there_is_not_believed(
    netproxy: Netproxy, base: Path
) -> None:
    """A runtime folder that is really everybody's: another user was there first."""
    shared = base / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    squat = shared / "netproxy"
    squat.mkdir()
    trap = socket.socket(socket.AF_UNIX)
    trap.bind(str(squat / "control.sock"))
    trap.listen()
    for path in (squat, squat / "control.sock"):
        os.chown(path, 12345, 12345)
    trap.setblocking(False)
    done = netproxy("approvals", "list", environment={"XDG_RUNTIME_DIR": str(shared)})
    assert (done.status, done.out) == (69, "")
    assert "belongs to user 12345" in done.err
    with pytest.raises(BlockingIOError):
        trap.accept()
    trap.close()


def test_a_run_pays_nothing_for_a_socket_that_nobody_uses(netproxy: Netproxy) -> None:
    done = netproxy.run("--no-sandbox", command=["/bin/sh", "-c", f"ls {sockets(netproxy)}"])
    assert done.out == "control.sock\n"
    assert list(sockets(netproxy).iterdir()) == []
