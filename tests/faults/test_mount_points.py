"""Whoever is killed: nothing of a run stays in the workspace, and nothing is taken from another."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.people import Person

_WAITS = "touch ready; while :; do sleep 0.05; done"


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
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
        try:
            _until((netproxy.workspace / "ready").exists)
            assert (netproxy.workspace / ".vscode").is_dir()
            children = _children(run.pid)
            (janitor,) = (pid for pid in children if _is_janitor(pid))
            (bwrap,) = (pid for pid in children if not _is_janitor(pid))
            victims = {"gateway": run.pid, "bwrap": bwrap, "janitor": janitor}
            os.kill(victims[victim], signal.SIGKILL)
            if victim == "janitor":
                run.send_signal(signal.SIGTERM)
            run.wait(30)
        finally:
            run.kill()
    _until(lambda: [path.name for path in netproxy.workspace.iterdir()] == ["ready"])


_CHECKS = """
touch ready-{name}; until test -e go-{name}; do sleep 0.02; done
echo x > .vscode; test -d .idea
"""


@pytest.mark.parametrize("first", ["one", "two"])
def test_the_first_run_to_end_takes_nothing_from_another(
    me: Person, base: Path, first: str
) -> None:
    """Whoever made them: they go with the last run."""
    netproxy = Netproxy(me, base)
    runs = {}
    try:
        for name in ("one", "two"):
            runs[name] = _start(netproxy, _CHECKS.format(name=name))
            _until((netproxy.workspace / f"ready-{name}").exists)
        for name in sorted(runs, key=lambda each: each != first):
            (netproxy.workspace / f"go-{name}").touch()
            assert runs[name].wait(30) == 0, "they were there to the end"
    finally:
        for run in runs.values():
            run.kill()
            run.wait()
    assert all(path.is_file() and not path.stat().st_size for path in netproxy.workspace.iterdir())
