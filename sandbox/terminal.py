"""The user's terminal and the command's own one: bytes copied both ways, held while we ask.

Raw mode belongs to us only while our process group is in the foreground; in the background nothing
is read and no mode is touched, or the kernel would stop us (termios(3), SIGTTIN and SIGTTOU).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
import tty
from contextlib import suppress
from typing import TYPE_CHECKING

from sandbox.config import TERMINAL_BYTES, UNREAD_BYTES
from sandbox.screen import ScreenModes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_TIOCGDEV = 0x80045432
_CANCEL_SEQUENCE = b"\x18"  # CAN ends a half-written escape sequence


class TerminalRelay:
    """Copies between the user's terminal and a pseudo-terminal's master.

    `path` is the user's terminal; it is opened anew, because O_NONBLOCK on an inherited descriptor
    would change it for the shell, too. `master` becomes ours to close.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str, master: int) -> None:
        self._loop = loop
        self._user = _open(path)
        os.set_blocking(self._user, False)
        self._master = master
        os.set_blocking(master, False)
        self._saved = termios.tcgetattr(self._user)
        self._modes = ScreenModes()
        self._to_user = b""
        self._to_master = b""
        self._foreground = False
        self._held = 0
        self._master_gone = False
        self.is_mid_line = False  # the last that the command wrote was not the end of a line

    @staticmethod
    def prepare(path: str, master: int) -> None:
        """Give a new terminal the size and the modes of the user's, before the command sees it."""
        user = _open(path)
        try:
            termios.tcsetattr(master, termios.TCSANOW, termios.tcgetattr(user))
            _copy_size(user, master)
        finally:
            os.close(user)

    def is_foreground(self) -> bool:
        """Whether the shell gave the user's terminal to our job."""
        try:
            return os.tcgetpgrp(self._user) == os.getpgrp()
        except OSError:
            return False

    def start(self, *, foreground: bool) -> None:
        """Begin to copy. In the foreground the user's terminal goes raw: keys are the command's."""
        self._foreground = foreground
        if foreground:
            tty.setraw(self._user, termios.TCSADRAIN)
        self.resize()
        self._update()

    def suspend(self) -> None:
        """Give the terminal back to the shell, as before a stop."""
        if self._foreground:
            self._write_now(self._modes.leave() if self._modes.is_full_screen else b"")
            self._restore_modes()
        self._foreground = False
        self._update()

    def resume(self) -> None:
        """Take it again after a stop, if the shell gave it to us."""
        if self.is_foreground():
            self._saved = termios.tcgetattr(self._user)
            self.start(foreground=True)
            self._repaint()
        else:
            self.start(foreground=False)

    def hold(self) -> None:
        """Stop copying both ways; the terminal is the asker's, with the shell's own modes."""
        self._held += 1
        if self._held > 1:
            return
        self._update()
        if self._foreground:
            # Written or not: in an unfinished title the whole question would disappear.
            self._write_now(_CANCEL_SEQUENCE + self._modes.leave())
            self._restore_modes()

    def release(self) -> None:
        """Undo one `hold`."""
        self._held -= 1
        if self._held:
            return
        if self._foreground and self.is_foreground():
            tty.setraw(self._user, termios.TCSADRAIN)
            self._repaint()
        self._update()

    def resize(self) -> None:
        """Pass the user's window size on; the kernel tells the command (SIGWINCH)."""
        with suppress(OSError):
            _copy_size(self._user, self._master)

    def close(self) -> None:
        """Write what the command had still to say, then give the terminal back as it was."""
        for descriptor in (self._user, self._master):
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
        self._drain()
        if self._foreground:
            self._write_now(self._modes.leave() if self._modes.is_full_screen else b"")
            self._restore_modes()
        os.close(self._user)
        os.close(self._master)

    def _repaint(self) -> None:
        """A full-screen program draws again when its window changes: so change it, and back."""
        if not self._modes.is_full_screen:
            return
        self._write_now(self._modes.enter())
        with suppress(OSError):
            rows, columns, *pixels = _size(self._master)
            _set_size(self._master, (max(rows - 1, 1), columns, *pixels))
            _copy_size(self._user, self._master)

    def _restore_modes(self) -> None:
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(self._user, termios.TCSADRAIN, self._saved)

    def _drain(self) -> None:
        """What is in the kernel's buffers already: a writer that goes on must not keep us."""
        self._write_now(self._to_user)
        left = UNREAD_BYTES
        while left > 0 and (data := self._read(self._master)):
            left -= len(data)
            self._note(data)
            self._write_now(data)

    def _note(self, data: bytes) -> None:
        """Remember what the user's screen is like once this was written to it."""
        self._modes.feed(data)
        self.is_mid_line = not data.endswith(b"\n")

    def _write_now(self, data: bytes) -> None:
        os.set_blocking(self._user, True)
        try:
            while data:
                data = data[os.write(self._user, data) :]
        except OSError:  # hung up: nobody reads it any more
            return
        finally:
            os.set_blocking(self._user, False)

    def _update(self) -> None:
        """Watch exactly what can be acted on: this is the flow control of both directions."""
        copying = self._held == 0 and not self._master_gone
        self._watch(
            self._loop.add_reader,
            self._loop.remove_reader,
            self._user,
            self._user_readable,
            wanted=copying and self._foreground and not self._to_master,
        )
        self._watch(
            self._loop.add_writer,
            self._loop.remove_writer,
            self._master,
            self._master_writable,
            wanted=copying and bool(self._to_master),
        )
        self._watch(
            self._loop.add_reader,
            self._loop.remove_reader,
            self._master,
            self._master_readable,
            wanted=copying and not self._to_user,
        )
        self._watch(
            self._loop.add_writer,
            self._loop.remove_writer,
            self._user,
            self._user_writable,
            wanted=self._held == 0 and bool(self._to_user),
        )

    @staticmethod
    def _watch(
        add: Callable[[int, Callable[[], None]], object],
        remove: Callable[[int], object],
        descriptor: int,
        callback: Callable[[], None],
        *,
        wanted: bool,
    ) -> None:
        if wanted:
            add(descriptor, callback)
        else:
            remove(descriptor)

    def _user_readable(self) -> None:
        data = self._read(self._user)
        if data == b"":  # hung up; SIGHUP follows
            self._foreground = False
        elif data:
            self._to_master += data
            self._master_writable()
        self._update()

    def _master_readable(self) -> None:
        data = self._read(self._master)
        if data == b"":
            self._master_gone = True
        elif data:
            self._note(data)
            self._to_user += data
            self._user_writable()
        self._update()

    def _master_writable(self) -> None:
        self._to_master = _write_some(self._master, self._to_master)
        if not self._to_master:
            self._update()

    def _user_writable(self) -> None:
        self._to_user = _write_some(self._user, self._to_user)
        if not self._to_user:
            self._update()

    @staticmethod
    def _read(descriptor: int) -> bytes | None:
        """Bytes, None for "not now", or nothing when the other side is gone (EIO on a master)."""
        try:
            return os.read(descriptor, TERMINAL_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EIO:
                return b""
            raise


def _open(path: str) -> int:
    """Open the user's terminal once more.

    After su(1) the terminal still belongs to whoever logged in, and its path can't be opened; the
    process's own terminal can, under its general name.
    """
    flags = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except PermissionError:
        own = os.open("/dev/tty", flags)
        if _device(own) == os.stat(path).st_rdev:  # noqa: PTH116  # one number of it
            return own
        os.close(own)
        raise


def _device(descriptor: int) -> int:
    """Which terminal is behind /dev/tty (TIOCGDEV, asm-generic/ioctls.h)."""
    encoded: int = struct.unpack("I", fcntl.ioctl(descriptor, _TIOCGDEV, bytes(4)))[0]
    # new_encode_dev() of the kernel: the minor's low byte, the major, the rest of the minor.
    return os.makedev(encoded >> 8 & 0xFFF, encoded & 0xFF | encoded >> 12 & 0xFFF00)


def _write_some(descriptor: int, data: bytes) -> bytes:
    """Write without waiting; return what is left."""
    try:
        return data[os.write(descriptor, data) :]
    except BlockingIOError:
        return data
    except OSError:  # the other side is gone, and with it whoever would read this
        return b""


def _size(descriptor: int) -> tuple[int, ...]:
    return struct.unpack("HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8)))


def _set_size(descriptor: int, size: tuple[int, ...]) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", *size))


def _copy_size(source: int, target: int) -> None:
    _set_size(target, _size(source))
