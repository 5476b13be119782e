"""A person at a terminal: starts a command on a pseudo-terminal, reads the screen, presses keys."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

PATIENCE_SECONDS = 30.0
_MOST = 1 << 16


class Terminal:
    """A process that leads a session on a terminal of its own. `screen` is all that it wrote."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        size: tuple[int, int] = (30, 100),
    ) -> None:
        self._master, slave = pty.openpty()
        self.screen = b""
        self.resize(size)
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=dict(environment),
        )
        os.close(slave)

    def resize(self, size: tuple[int, int]) -> None:
        rows, columns = size
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: bytes | str) -> None:
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def see(self, pattern: str, *, timeout: float = PATIENCE_SECONDS) -> re.Match[bytes]:
        """Read until the screen shows `pattern` behind what was seen before."""
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern.encode(), re.DOTALL)
        while True:
            if match := expression.search(self.screen, self._seen):
                self._seen = match.end()
                return match
            if not self._read(deadline - time.monotonic()):
                shown = self.screen[self._seen :].decode(errors="replace")
                raise AssertionError(f"did not see {pattern!r} in:\n{shown}")

    _seen = 0

    def rest(self) -> bytes:
        """What was written and not looked at, for as long as nothing more comes for a moment."""
        while self._read(0.15):
            pass
        return self.screen[self._seen :]

    def wait(self, timeout: float = PATIENCE_SECONDS, *, slowly: bool = False) -> int:
        """The exit status. Goes on reading, so that nobody waits for us.

        `slowly`: 200 KiB a second, which any writer outruns.
        """
        deadline = time.monotonic() + timeout
        while self._process.poll() is None:
            assert time.monotonic() < deadline, self.screen.decode(errors="replace")
            if slowly:
                time.sleep(0.005)
            self._read(0.02, 1 << 10 if slowly else _MOST)
        while self._read(0.02):
            pass
        return self._process.returncode

    def modes(self) -> list[object]:
        """The terminal's settings, as a shell would find them."""
        return termios.tcgetattr(self._master)

    def _read(self, timeout: float, most: int = _MOST) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, timeout))
        if not ready:
            return False
        try:
            data = os.read(self._master, most)
        except OSError:  # every slave is closed
            return False
        self.screen += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._master)  # hangs the terminal up: SIGHUP to whoever is left
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
