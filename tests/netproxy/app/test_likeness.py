"""Who offers a run has our user, our view of the host, and no fence that we don't have."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.likeness import Peer, difference, peer_of

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize(
    ("theirs", "ours", "why"),
    [
        (b"unconfined\n", b"unconfined\n", None),
        (b"sandboxed (enforce)\n", b"unconfined\n", "another security label"),
        (b"unconfined\n", b"netproxy (enforce)\n", "another security label"),
        (b"user_u:user_r:sandbox_t:s0\0", b"user_u:user_r:user_t:s0\0", "another security label"),
        (b"unconfined\n", None, "another security label"),
        (None, None, None),
    ],
)
def test_a_label_holds_its_process_and_not_us(
    tmp_path: Path, theirs: bytes | None, ours: bytes | None, why: str | None
) -> None:
    """Of a host with AppArmor or SELinux, as proc(5) has it there."""
    for name, label in (("77", theirs), ("self", ours)):
        folder = tmp_path / name
        (folder / "attr").mkdir(parents=True)
        for link in ("ns", "root", "status"):
            (folder / link).symlink_to(f"/proc/self/{link}")
        if label is not None:
            (folder / "attr" / "current").write_bytes(label)
    assert difference(Peer(pid=77, uid=os.geteuid()), proc=tmp_path) == why


def test_a_label_that_may_not_be_read_is_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("77", "self"):
        (tmp_path / name / "attr").mkdir(parents=True)
        for link in ("ns", "root", "status"):
            (tmp_path / name / link).symlink_to(f"/proc/self/{link}")
    (tmp_path / "77" / "attr" / "current").mkdir()  # any error but "there are no labels"
    found = difference(Peer(pid=77, uid=os.geteuid()), proc=tmp_path)
    assert found == "it can't be looked at: Is a directory"


def test_others_differ() -> None:
    assert difference(Peer(pid=os.getpid(), uid=os.geteuid() + 1)) == f"user {os.geteuid() + 1}"
    gone = Peer(pid=2**22 + 1, uid=os.geteuid())
    assert difference(gone) == "it can't be looked at: No such file or directory"
