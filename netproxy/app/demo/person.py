"""A person at a terminal: a command on a real pseudo-terminal, what it shows, and a key press."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess  # noqa: TID251  # the demo is a person at a terminal, outside any sandbox
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

PATIENCE_SECONDS = 30.0
_ROWS = 40
_PIECE_BYTES = 1 << 16
# A session leader without a terminal that opens one gets it as its controlling terminal.
_TAKE_TERMINAL = 'terminal=$1; shift; exec "$@" <>"$terminal" >&0 2>&1'


class Person:
    """Starts the command as the leader of a session on a terminal of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        columns: int,
    ) -> None:
        self.screen = ""
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", _ROWS, columns, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        self._process = subprocess.Popen(  # noqa: S603  # our own command line
            ["/bin/sh", "-c", _TAKE_TERMINAL, "sh", os.ttyname(slave), *command],
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
        # Ours stays open until the end: without any holder, reading would fail at once.
        self._slave = slave

    def sees(self, text: str) -> bool:
        """Read until the screen holds `text`. False when the command ends or takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.screen:
            if self._process.poll() is not None or time.monotonic() > deadline:
                return False
            self._read(0.1)
        return True

    def presses(self, key: str) -> None:
        """One key, as typed."""
        os.write(self._master, key.encode())

    def leaves(self) -> int | None:
        """The exit status when the command ended; None when it takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(0.02)
        while self._read(0.02):
            pass
        return self._process.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if ready:
            self.screen += os.read(self._master, _PIECE_BYTES).decode(errors="replace")
        return bool(ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Killing netproxy ends everything that it started.
        self._process.kill()
        self._process.wait()
        os.close(self._slave)
        os.close(self._master)
