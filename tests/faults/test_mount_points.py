"""Whoever is killed: nothing of a run stays in the workspace, and nothing is taken from another."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.people import Person

_WAITS = "touch ready; while :; do sleep 0.05; done"


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _start(netproxy: Netproxy, script: str) -> subprocess.Popen[bytes]:
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    return subprocess.Popen(
        netproxy.argv(*words, "sh", "-c", script),
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in found.split()]


def _is_janitor(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").readlink().name != "bwrap"


@pytest.mark.parametrize("victim", ["gateway", "bwrap", "janitor"])
def test_after_kill_9_of_any_one_process(me: Person, base: Path, victim: str) -> None:
    netproxy = Netproxy(me, base)
    with _start(netproxy, _WAITS) as run:
        _until((netproxy.workspace / "ready").exists)
        assert (netproxy.workspace / ".vscode").is_dir()
        children = _children(run.pid)
        (janitor,) = (pid for pid in children if _is_janitor(pid))
        (bwrap,) = (pid for pid in children if not _is_janitor(pid))
        os.kill({"gateway": run.pid, "bwrap": bwrap, "janitor": janitor}[victim], signal.SIGKILL)
        if victim == "janitor":
            run.send_signal(signal.SIGTERM)
        run.wait(10)
    _until(lambda: [path.name for path in netproxy.workspace.iterdir()] == ["ready"])


def test_many_runs_in_one_workspace_share_them(me: Person, base: Path) -> None:
    """The first to end takes nothing away from the others."""
    netproxy = Netproxy(me, base)
    script = "sleep 0.$(($$ % 3)); echo x > .vscode || echo x > .mcp.json/x || true; test -d .idea"

    def one(_: int) -> tuple[int, str]:
        done = netproxy.run("--ask", "never", command=["sh", "-c", script])
        return done.status, done.err

    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(one, range(8)))
    assert [status for status, _ in ended] == [0] * 8, ended
    assert list(netproxy.workspace.iterdir()) == []
