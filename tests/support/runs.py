"""Runs the real command line in a process of its own, with folders of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel import flat_line, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.people import Person

NETPROXY = (sys.executable, "-I", "-m", "netproxy")
# A command that hangs is a failure of the test, not of the suite.
PATIENCE_SECONDS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished command."""

    status: int
    out: str
    err: str


class Netproxy:
    """One person's netproxy: its home, its state, its working folder."""

    def __init__(self, person: Person, folder: Path) -> None:
        self.person = person
        self.workspace = person.owns(folder / "workspace")
        self.audit = folder / "audit"
        person.owns(self.audit).chmod(0o700)
        self.config = person.owns(folder / "config")
        self.state = person.owns(folder / "state")

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """A small environment without any proxy of the machine's."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.person.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_STATE_HOME": str(self.state),
            **(extra or {}),
        }

    def argv(self, *words: str) -> list[str]:
        return [*self.person.prefix, *NETPROXY, *words]

    def __call__(
        self,
        *words: str,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = PATIENCE_SECONDS,
        cwd: Path | None = None,
    ) -> Done:
        """Run one verb to its end. Standard input is empty unless given; there is no terminal."""
        done = subprocess.run(
            self.argv(*words),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
            cwd=cwd or self.workspace,
            env=self.environment(environment),
            check=False,
            start_new_session=True,
        )
        return Done(status=done.returncode, out=done.stdout, err=done.stderr)

    def run(
        self, *options: str, command: Sequence[str], stdin: str | None = None, **kwargs: Any
    ) -> Done:
        """`netproxy run` with the audit journal in its own folder."""
        words = ("run", "--audit-dir", str(self.audit), *options, "--", *command)
        return self(*words, stdin=stdin, **kwargs)

    @contextmanager
    def begin(self, *options: str, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        """A run that goes on, and can be spoken to; killed with the block if it is not over."""
        words = ("run", "--audit-dir", str(self.audit), *options, "--", *command)
        with subprocess.Popen(
            self.argv(*words),
            cwd=self.workspace,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                yield running
            finally:
                running.kill()

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """What the journal holds, oldest first, through the reader of `netproxy audit query`."""
        damage: list[str] = []
        found = read(self.audit, damage.append)
        records = [json.loads(flat_line(record)) for record in found]
        assert damage == []
        return [record for record in records if name is None or record["event.name"] == name]

    def decisions(self) -> list[dict[str, Any]]:
        return self.events("netproxy.policy_decision")
