"""The socket by which a gateway's own user speaks to it, and the folder that it lies in.

Bound before the command starts, so it is cheap: nothing is imported, nobody is answered yet. The
first gateway that lives has `control.sock`; others beside it have `control-ID.sock`, and whoever
looks for gateways asks them all.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.places import runtime_dir, state_home
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_NEVER = (
    "never"  # of `netproxy.app.settings.Ask`, which would take the command line 0.1 s to import
)
_SUFFIX = ".sock"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STRANGERS = stat.S_IRWXG | stat.S_IRWXO
# struct sockaddr_un of unix(7): 108 bytes with the final NUL.
_LONGEST_PATH = 107
# Whoever has the folder's lock binds a socket, and no more.
_PATIENCE_SECONDS = 0.5
_LOOK_SECONDS = 0.01
# Reviewers, their tools and probes, while the gateway imports what it serves them with.
_BACKLOG = 64


@dataclass(frozen=True, slots=True)
class Names:
    """What sockets of one kind are called: the first gateway's, and those of others beside it."""

    first: str
    others: str  # what they begin with

    def holds(self, name: str) -> bool:
        """Whether it is one of these."""
        return name == self.first or (name.startswith(self.others) and name.endswith(_SUFFIX))


CONTROL = Names("control.sock", "control-")  # for reviewers
RUNS = Names("runs.sock", "runs-")  # for launchers: `netproxy.app.takeover`
FIRST = CONTROL.first


class ControlRefused(Exception):
    """No socket can be had there. The text says where and why, and what to do."""


def control_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where the control sockets of this user's gateways lie; whether it exists or not."""
    if (chosen := runtime_dir(environ)) is not None:
        return chosen
    usual = Path(f"/run/user/{os.geteuid()}")
    with suppress(OSError):
        if usual.lstat().st_uid == os.geteuid():
            return usual / "netproxy"
    return state_home(environ, home) / "control"


def make_folder(folder: Path) -> None:
    """Make it, for this user alone. Raises `OSError`."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)


class ControlSocket:
    """A listening socket, and the name that goes with it."""

    def __init__(self, listener: socket.socket, path: Path, folder: int) -> None:
        """`folder`: its descriptor, which a long name leads through as long as this is open."""
        self.listener = listener
        self.path = path
        self._folder = folder
        found = path.lstat()
        self._identity = found.st_dev, found.st_ino

    def close(self) -> None:
        """Hang up, and take the name away unless it is somebody else's by now. Once is enough."""
        if self.listener.fileno() < 0:
            return
        self.listener.close()
        with suppress(OSError):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self._identity:
                self.path.unlink()
        os.close(self._folder)


def open_control(folder: Path, names: Names = CONTROL) -> ControlSocket:
    """Listen there. Raises `ControlRefused`."""
    try:
        make_folder(folder)
        with opened(folder) as descriptor:
            is_ours_alone = _lock(descriptor)
            if is_ours_alone:
                _sweep(folder, descriptor, names)
            is_first = is_ours_alone and not _exists(descriptor, names.first)
            name = names.first if is_first else f"{names.others}{os.urandom(6).hex()}{_SUFFIX}"
            # Opened anew: a copy (dup) would hold the folder's lock as long as this gateway lives.
            kept = os.open(f"/proc/self/fd/{descriptor}", _FOLDER & ~os.O_NOFOLLOW)
            try:
                return ControlSocket(_listen(folder, kept, name), folder / name, kept)
            except BaseException:
                os.close(kept)
                raise
    except OSError as error:
        what = error.strerror or str(error)
        raise ControlRefused(f"{folder}: no control socket can be had there: {what}") from None


@contextmanager
def control_of(
    ask: str, environ: Mapping[str, str], home: Path, warn: Callable[[str], None]
) -> Iterator[ControlSocket | None]:
    """Listen as long as the block lasts. Where that can't be, `warn` says so, and all else goes on.

    A gateway that asks nobody (`ask` is never) has nothing to say there.
    """
    if ask == _NEVER:
        yield None
        return
    try:
        control = open_control(control_folder(environ, home))
    except ControlRefused as refused:
        warn(f"warning: netproxy approvals can't reach this gateway: {refused}")
        yield None
        return
    with closing(control):
        yield control


def control_sockets(folder: Path, names: Names = CONTROL) -> tuple[str, ...]:
    """The names of all that may live there, the first one first. Raises `ControlRefused`."""
    try:
        with opened(folder) as descriptor:
            found = [name for name in _listed(descriptor) if names.holds(name)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ControlRefused(f"{folder}: {error.strerror or error}") from None
    return tuple(sorted(found, key=lambda name: (name != names.first, name)))


def connect(folder: Path, name: str, seconds: float) -> socket.socket:
    """A connection to one of them. Raises `ControlRefused` or `OSError`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        with opened(folder) as descriptor:
            connection.connect(_address(folder, descriptor, name))
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A descriptor of the folder, if it is this user's alone. Raises `ControlRefused`, `OSError`.

    Who could write it could put a socket of his own there, and be told what is meant for us.
    """
    try:
        descriptor = os.open(folder, _FOLDER)
    except NotADirectoryError:
        raise ControlRefused(f"{folder}: not a folder of its own, or a link to one") from None
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise ControlRefused(f"{folder}: belongs to user {found.st_uid}, not {os.geteuid()}")
        if found.st_mode & _STRANGERS:
            raise ControlRefused(f"{folder}: others may use it; run: chmod 700 {folder}")
        yield descriptor
    finally:
        os.close(descriptor)


def _listen(folder: Path, descriptor: int, name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.bind(_address(folder, descriptor, name))
        os.chmod(name, 0o600, dir_fd=descriptor)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _address(folder: Path, descriptor: int, name: str) -> str:
    """The path, or one that fits where it is too long."""
    path = str(folder / name)
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    return f"/proc/self/fd/{descriptor}/{name}"


def _lock(descriptor: int) -> bool:
    """Try to be the only one who looks and binds there; without that, names are never reused."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        else:
            return True


def _sweep(folder: Path, descriptor: int, names: Names) -> None:
    """Take away the names of gateways that died."""
    for name in _listed(descriptor):
        if names.holds(name) and not _is_bound(_address(folder, descriptor, name)):
            with suppress(OSError):
                os.unlink(name, dir_fd=descriptor)


def _listed(descriptor: int) -> list[str]:
    return os.listdir(descriptor)


def _exists(descriptor: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_bound(address: str) -> bool:
    """Whether a process holds that socket, without knocking: the wrong type is refused at once."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(address)
        except OSError as error:
            return error.errno not in {errno.ECONNREFUSED, errno.ENOENT}
    return True
