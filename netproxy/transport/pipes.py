"""Pipes that busy relays borrow: splice(2) moves bytes through one without copying them.

A pipe is borrowed for one move, and longer only while the receiver doesn't take what is in it. So a
few serve all tunnels, and an idle tunnel has none.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import Final

# Without copying where the kernel can, and without waiting for either end.
_MOVE: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class Pipe:
    """One pipe, and how many bytes are in it."""

    __slots__ = ("_read_end", "_size", "_write_end", "held")

    def __init__(self, size: int) -> None:
        """Make one that holds `size` bytes if the kernel lets us. Raises `OSError`."""
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._size = size
        self.held = 0
        with suppress(OSError):  # over /proc/sys/fs/pipe-user-pages-soft it stays as it is
            fcntl.fcntl(self._write_end, fcntl.F_SETPIPE_SZ, size)

    def fill(self, source: int) -> int:
        """Take what a socket has; 0 is its end. Raises `BlockingIOError` and `OSError`."""
        self.held = os.splice(source, self._write_end, self._size, flags=_MOVE)
        return self.held

    def drain(self, target: int) -> None:
        """Give a socket what it takes; `held` is what stays. Raises `OSError`."""
        with suppress(BlockingIOError):
            while self.held:
                self.held -= os.splice(self._read_end, target, self.held, flags=_MOVE)

    def close(self) -> None:
        """Give both descriptors back, and drop what is inside."""
        os.close(self._read_end)
        os.close(self._write_end)


class PipePool:
    """The pipes of one gateway."""

    __slots__ = ("_free", "_is_open", "_left", "size")

    def __init__(self, *, count: int, size: int) -> None:
        """At most `count` pipes that hold `size` bytes each; made when they are needed."""
        self._free: list[Pipe] = []
        self._left = count
        self.size = size
        self._is_open = True

    def borrow(self) -> Pipe | None:
        """Return an empty pipe; None where all are lent, or no descriptors are left."""
        if self._free:
            return self._free.pop()
        if not self._left:
            return None
        try:
            pipe = Pipe(self.size)
        except OSError:
            return None
        self._left -= 1
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """Take a pipe back. One with bytes in it is closed: they are nobody else's."""
        if self._is_open and not pipe.held:
            self._free.append(pipe)
            return
        pipe.close()
        self._left += 1

    def close(self) -> None:
        """Close those that are not lent; the others when they come back."""
        self._is_open = False
        for pipe in self._free:
            pipe.close()
        self._left += len(self._free)
        self._free.clear()
