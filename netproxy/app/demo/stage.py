"""Where the demo takes place: a folder of its own, a clean environment, and the real command line.

Everything here is outside the sandbox: it is what a person would type, and look at afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess  # noqa: TID251  # the demo is a person at a terminal, outside any sandbox
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netproxy.app.demo.person import PATIENCE_SECONDS, Person
from otel import attributes as a
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.app.demo.site import Site

# -I: the demo shows the installed netproxy, not a folder that happens to have that name.
NETPROXY = (sys.executable, "-I", "-m", "netproxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that ended, with both of its output streams in one."""

    status: int
    text: str
    seconds: float


class TookTooLong(Exception):
    """A command did not end by itself."""


class Stage:
    """The folder, the environment, and who is reachable from there."""

    def __init__(self, folder: Path, site: Site, *, colours: bool, columns: int) -> None:
        self.site = site
        self.columns = columns
        self.folder = folder
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.environment = _environment(folder, colours=colours)

    def netproxy(self, *words: str) -> Finished:
        """Run one verb to its end. It has no terminal, so nothing can be asked."""
        began = time.monotonic()
        try:
            done = subprocess.run(  # noqa: S603  # our own command line
                [*NETPROXY, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.workspace,
                env=self.environment,
                timeout=PATIENCE_SECONDS,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise TookTooLong(f"it did not end within {PATIENCE_SECONDS:g} s") from None
        text = done.stdout.decode(errors="replace")
        return Finished(status=done.returncode, text=text, seconds=time.monotonic() - began)

    def at_a_terminal(self, *words: str) -> Person:
        """Start one verb with somebody in front of it."""
        return Person(
            [*NETPROXY, *words],
            folder=self.workspace,
            environment=self.environment,
            columns=self.columns,
        )

    def decisions(self) -> list[dict[str, Any]]:
        """Every decision that the journal holds, oldest first, read as anybody would."""
        done = self.netproxy("audit", "query", "--event", "policy_decision", "--json")
        if done.status:
            return []
        return [json.loads(line) for line in done.text.splitlines()]

    def captures(self) -> bool:
        """Whether the newest run on record captured what knows of no proxy."""
        done = self.netproxy("audit", "query", "--event", "run.started", "--json")
        return bool(json.loads(done.text.splitlines()[-1])[a.SANDBOX_CAPTURE] == "on")

    def processes(self) -> int:
        """How many processes of commands started here exist now.

        The gateway is none of them: it carries the folder in its environment, but no run's id.
        """
        ours = f"XDG_STATE_HOME={self.environment['XDG_STATE_HOME']}".encode()
        return sum(ours in words and _in_a_run(words) for words in _environments())

    def finds(self, program: str) -> bool:
        """Whether a program (`git`, `python3 -m pip`) can be started from here."""
        name, *words = program.split()
        path = shutil.which(name, path=self.environment["PATH"])
        if path is None:
            return False
        # A version manager's stand-in exists without the program behind it.
        command = [path, *words, "--version"]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)  # noqa: S603  # fixed words, and what the person's PATH finds for them
        return done.returncode == 0


def _environment(folder: Path, *, colours: bool) -> Mapping[str, str]:
    """Nothing of the person's own settings, so that the demo is the same everywhere."""
    inherited = os.environ.get("PATH", os.defpath)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{inherited}",
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "GIT_CONFIG_NOSYSTEM": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        Path(environment[name]).mkdir()
    return environment if colours else {**environment, "NO_COLOR": "1"}


def _environments() -> list[list[bytes]]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found.append((entry / "environ").read_bytes().split(b"\0"))
        except OSError:  # it ended, or is somebody else's
            continue
    return found


def _in_a_run(words: list[bytes]) -> bool:
    return any(word.startswith(b"NETPROXY_RUN=") for word in words)
