"""A pseudo-terminal that a test looks at and types on."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import termios
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from approvals.model import Question
from tests.support.approvals import ASKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from approvals.model import Asking, Resolution

# Far above what a busy machine needs, far below what a person would wait.
PATIENCE_SECONDS = 20.0


class Window:
    """The master's side: what a person sees and types. The slave stays open as a shell's would."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)
        self.text = ""

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)

    def resize(self, columns: int) -> None:
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)

    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.slave)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode("latin-1"))

    async def is_read(self) -> None:
        """Until nothing of what was typed is left to be read, and its reader had its turn."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, bytes(4)))[0]:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)

    def look(self) -> str:
        with suppress(BlockingIOError):
            while data := os.read(self.master, 65536):
                self.text += data.decode()
        return self.text

    async def sees(self, text: str, *, times: int = 1) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.look().count(text) < times:
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{text!r} never came; on screen: {self.text!r}") from None


@contextmanager
def window() -> Iterator[Window]:
    opened = Window()
    try:
        yield opened
    finally:
        opened.close()


@dataclass(kw_only=True)
class HeldInquiry:
    """An inquiry that the test changes by hand."""

    asking: Asking = ASKING
    waiting: int = 1
    joined: int = 1
    version: int = 1
    seconds_left: float = 900.0
    resolution: Resolution | None = None
    accepted: int = field(default=0)

    @property
    def question(self) -> Question:
        return Question(
            approval_id="a-01", asking=self.asking, created_at=0.0, expires_at=self.seconds_left
        )

    def accept(self) -> None:
        self.accepted += 1


class NotedScreen:
    """A screen that notes when it was held."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        self.notes.append("held")
        try:
            yield
        finally:
            self.notes.append("released")
