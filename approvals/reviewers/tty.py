"""One terminal device: our own modes on it, keys from it, text to it, turns with other processes.

Thin: it reads, writes and locks, and decides nothing. The descriptor is opened for each question,
so nothing of ours (O_NONBLOCK above all) reaches the descriptors that the shell shares with us.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
import termios
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from approvals.errors import ReviewerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
# linux/include/uapi/asm-generic/ioctls.h: the device number of the terminal behind /dev/tty.
_TIOCGDEV = 0x80045432
# More than any burst that a keyboard or a mouse sends; the rest of a paste comes with later reads.
_READ_BYTES = 4096
# Where the terminal doesn't know its size (a serial line): the width of a VT100.
_COLUMNS = 80
_OFLAG, _LFLAG, _CC = 1, 3, 6

type _Modes = list[Any]  # as termios.tcgetattr returns them


def is_foreground(descriptor: int) -> bool:
    """Whether the shell gave this terminal to our job: only then may we read it."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


class Tty:
    """An open terminal. Raises `ReviewerUnavailable` when it can't be opened, or is gone."""

    def __init__(self, path: str) -> None:
        try:
            self.descriptor = os.open(path, _FLAGS)
        except OSError as error:
            raise ReviewerUnavailable(f"no terminal: {error.strerror} ({path})") from error
        self._lock = self._open_lock()

    def close(self) -> None:
        """Close it; the turn ends with it."""
        if self._lock != self.descriptor:
            os.close(self._lock)
        os.close(self.descriptor)

    def take_turn(self) -> bool:
        """Try to be the one process that asks on this terminal."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def end_turn(self) -> None:
        """Let another process ask."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def columns(self) -> int:
        """How wide the window is now."""
        with suppress(OSError):
            size = fcntl.ioctl(self.descriptor, termios.TIOCGWINSZ, bytes(8))
            return struct.unpack("HHHH", size)[1] or _COLUMNS
        return _COLUMNS

    def stops_writers(self) -> bool:
        """Whether a job in the background is stopped when it writes (stty tostop)."""
        try:
            return bool(termios.tcgetattr(self.descriptor)[_LFLAG] & termios.TOSTOP)
        except termios.error:
            return True

    @contextmanager
    def own_modes(self) -> Iterator[None]:
        """Keys one by one, without echo and signals; what was typed before and after is dropped."""
        try:
            saved = termios.tcgetattr(self.descriptor)
            self._set(_asking(saved))
        except termios.error as error:
            raise ReviewerUnavailable(f"the terminal is gone: {error.args[1]}") from error
        try:
            yield
        finally:
            with suppress(termios.error):
                self._set(saved)

    async def read(self, seconds: float) -> bytes | None:
        """What was typed, or None after a while without."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ready("reader")
        try:
            data = os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ReviewerUnavailable(f"the terminal is gone: {error.strerror}") from error
        if not data:
            raise ReviewerUnavailable("the terminal hung up")
        return data

    async def write(self, text: str) -> None:
        """Write all of it, at the pace of the terminal."""
        data = _encode(text)
        while data:
            try:
                data = data[os.write(self.descriptor, data) :]
            except BlockingIOError:
                await self._ready("writer")
            except OSError as error:
                raise ReviewerUnavailable(f"the terminal is gone: {error.strerror}") from error

    def write_now(self, text: str) -> None:
        """Write what fits without waiting: for last words."""
        with suppress(OSError):
            os.write(self.descriptor, _encode(text))

    async def _ready(self, side: str) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        add, remove = getattr(loop, f"add_{side}"), getattr(loop, f"remove_{side}")
        add(self.descriptor, _settle, ready)
        try:
            await ready
        finally:
            remove(self.descriptor)

    def _set(self, modes: _Modes) -> None:
        # From the background tcsetattr would stop us (SIGTTOU), unless the signal is blocked: the
        # user's modes must come back even then, as sudo does it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            termios.tcsetattr(self.descriptor, termios.TCSANOW, modes)
            termios.tcflush(self.descriptor, termios.TCIFLUSH)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _open_lock(self) -> int:
        """A descriptor whose inode stands for this terminal: /dev/tty is one inode for all."""
        device = _device(self.descriptor)
        for path in _paths(device):
            with suppress(OSError):
                if Path(path).stat().st_rdev == device:
                    return os.open(path, (_FLAGS & ~os.O_RDWR) | os.O_RDONLY)
        # After su(1) the device may belong to somebody else. Taking turns with strangers' terminals
        # is slow; two questions that read each other's keys would be wrong.
        return self.descriptor


def _asking(modes: _Modes) -> _Modes:
    changed = list(modes)
    changed[_LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
    changed[_OFLAG] |= termios.OPOST | termios.ONLCR
    changed[_CC] = list(modes[_CC])
    changed[_CC][termios.VMIN], changed[_CC][termios.VTIME] = 1, 0
    return changed


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _device(descriptor: int) -> int:
    with suppress(OSError):
        (number,) = struct.unpack("I", fcntl.ioctl(descriptor, _TIOCGDEV, bytes(4)))
        # new_encode_dev in linux/include/linux/kdev_t.h: 12 bits major, 20 bits minor, folded.
        return os.makedev((number & 0xFFF00) >> 8, (number & 0xFF) | ((number >> 12) & 0xFFF00))
    return os.fstat(descriptor).st_rdev


def _paths(device: int) -> Iterator[str]:
    for descriptor in range(3):
        with suppress(OSError):
            yield os.ttyname(descriptor)
    yield f"/dev/pts/{os.minor(device)}"
    yield f"/dev/tty{os.minor(device)}"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
