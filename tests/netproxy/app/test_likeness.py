"""Who offers a run has our user, our view of the host, and no fence that we don't have."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from netproxy.app.likeness import Peer, difference, peer_of

# Says when it is different, and waits.
FENCED = "import ctypes; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)"
ELSEWHERE = "import os; os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)"
PLAIN = ""


def test_who_is_at_the_other_end() -> None:
    mine, yours = socket.socketpair()
    with mine, yours:
        assert peer_of(mine) == Peer(pid=os.getpid(), uid=os.geteuid())
    assert difference(Peer(pid=os.getpid(), uid=os.geteuid())) is None


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(PLAIN, None, id="a-child-of-ours"),
        pytest.param(FENCED, "it is fenced in", id="no-new-privileges"),
        pytest.param(ELSEWHERE, "another net namespace", id="another-network"),
    ],
)
def test_what_differs(made: str, why: str | None) -> None:
    argv = [sys.executable, "-I", "-S", "-c", f"{made}\nprint('up', flush=True); input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"up\n"
        found = difference(Peer(pid=other.pid, uid=os.geteuid()))
        other.kill()
    assert found == why


def test_others_differ() -> None:
    assert difference(Peer(pid=os.getpid(), uid=os.geteuid() + 1)) == f"user {os.geteuid() + 1}"
    gone = Peer(pid=2**22 + 1, uid=os.geteuid())
    assert difference(gone) == "it can't be looked at: No such file or directory"
