"""Mount points for what doesn't exist yet, made for a run and gone with it.

Nothing can be mounted where there is nothing, so what must not be created needs something in its
place: an empty folder (git overlooks those), or a file that says what holds without it. Its sticky
bit tells it from anybody's own. Every run that needs one holds a shared lock on it; whoever can get
the lock alone is the last, and removes it. So runs in one folder share them, whoever they belong
to, and what a machine that failed left is removed by the next run there.
Removing one takes the mount away from every sandbox: hence the lock. A janitor (`sandbox.janitor`)
holds the locks too, and removes them when we were killed. Another run's command may put a link in
a folder's place at any time: all is made and removed in a folder that is open.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from otel.values import dataclass, field
from sandbox.errors import PlanRefused
from sandbox.janitor import Janitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sandbox.model import Part

_MARK = stat.S_ISVTX
_FOLDER_MODE, _FILE_MODE = _MARK | 0o755, _MARK | 0o644
_MOST_CONTENT = 2  # what a repository's `commondir` says
# Whoever holds one alone is about to remove it, which takes microseconds.
_PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.001
# The command could not create anything there either: it has no more rights than we.
_OUT_OF_REACH = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.ELOOP}
# In its place there may be anybody's pipe, that nobody writes to, or terminal.
_LOOK = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_NO_ROOM = {errno.EMFILE, errno.ENFILE}


@dataclass(slots=True)
class MountPoints:
    """Those of one run. `release` them when its processes are gone; once is enough."""

    _held: dict[str, int] = field(default_factory=dict)  # open files, by path
    _janitor: Janitor | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Where something was made, by us or by another run that is still there."""
        return tuple(self._held)

    def claim(self, parts: Iterable[Part]) -> None:
        """Make what is missing, and hold what was made. Raises PlanRefused.

        What can't be made because we may not is left out: the command may not, either.
        """
        wanted = tuple(parts)
        try:
            with _open_to_us(), _room_for(len(wanted)) as lowest:
                for part in wanted:
                    self._claim(part, lowest)
            if self._janitor is not None:
                self._janitor.hold(self._held.values())
        except OSError as error:
            self.release()
            sweep(wanted)  # what was made, and could not be held any more
            hint = "; raise the limit (ulimit -n)" if error.errno == errno.EMFILE else ""
            raise PlanRefused(
                f"what must not be created can't be kept out: {error}{hint}"
            ) from error

    def _claim(self, part: Part, lowest: int) -> None:
        try:
            folder = _open_folder(part.path)
        except OSError as error:
            if error.errno not in _OUT_OF_REACH:
                raise
            return
        try:
            _demand(folder, part.path)
            opened = _make_and_hold(part, folder)
        finally:
            os.close(folder)
        if opened is not None:
            self._held[part.path] = opened
            self._held[part.path] = _moved(opened, lowest)

    def watch_over(self, parts: Iterable[Part], info: int | None = None) -> None:
        """Have what is claimed next removed even if we are killed. Forks: before there are threads.

        `info`: where bwrap will report, which is started behind that.
        """
        wanted = tuple(parts)
        self._janitor = Janitor(lambda: sweep(wanted), info=info)

    def started(self, pid: int) -> None:
        """Have that process group ended, too, if we are killed; once somebody watches over it."""
        assert self._janitor is not None, "somebody watches over it"
        self._janitor.started(pid)

    def release(self) -> None:
        """Remove them, unless another run needs them."""
        held, self._held = self._held, {}
        _release(held)
        janitor, self._janitor = self._janitor, None
        if janitor is not None:
            janitor.dismiss()


@contextmanager
def _open_to_us() -> Iterator[None]:
    """Whatever the caller's umask: what we can't open ourselves is neither held nor removed."""
    before = os.umask(0o077)
    os.umask(before & 0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _room_for(count: int) -> Iterator[int]:
    """Let so many files be held; yields the lowest number that they may have, 0 for any.

    With thousands of repositories they are more than a process may usually have open (1,024). They
    get numbers above that, or the last ones that there are, and what comes later finds the usual
    ones free.
    """
    from resource import RLIMIT_NOFILE, getrlimit, setrlimit

    soft, hard = getrlimit(RLIMIT_NOFILE)
    if count < soft // 4:
        yield 0
        return
    setrlimit(RLIMIT_NOFILE, (hard, hard))
    try:
        yield min(soft, max(hard - count, 0))
    finally:
        setrlimit(RLIMIT_NOFILE, (soft, hard))


def _moved(opened: int, lowest: int) -> int:
    if not lowest:
        return opened
    moved = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, lowest)
    os.close(opened)
    return moved


def sweep(parts: Iterable[Part]) -> tuple[str, ...]:
    """Remove what runs left that were killed together with their janitors. Returns the paths."""
    removed = []
    for part in parts:
        with suppress(OSError):
            opened = os.open(part.path, _LOOK)
            if _is_marked(opened):
                _release({part.path: opened})
                if not os.path.lexists(part.path):
                    removed.append(part.path)
            else:
                os.close(opened)
    return tuple(removed)


def is_mount_point(path: str | Path) -> bool:
    """Whether what is there was made for a run; it may be gone when that run ends.

    Others use the mark, too: /tmp has it. So it must look like ours in all else.
    """
    try:
        found = os.lstat(path)
        mode = stat.S_IMODE(found.st_mode)
        if not mode & _MARK:
            return False
        if stat.S_ISREG(found.st_mode):
            return mode == _FILE_MODE and found.st_size <= _MOST_CONTENT
        # A folder around it may pass its group on; the umask takes bits away.
        is_alike = stat.S_ISDIR(found.st_mode) and not mode & ~(_FOLDER_MODE | stat.S_ISGID)
        return is_alike and not os.listdir(path)  # noqa: PTH208  # whether there is any
    except OSError:
        return False


def _open_folder(path: str) -> int:
    """The folder around it, wherever that leads now: to be asked whether it is the one."""
    return os.open(_divided(path)[0], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _divided(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder or "/", name


def _demand(folder: int, path: str) -> None:
    """Raise OSError unless it is the folder that was looked at, which had no link on the way."""
    if os.readlink(f"/proc/self/fd/{folder}") != _divided(path)[0]:  # noqa: PTH115  # text
        raise OSError(f"{_divided(path)[0]} was replaced meanwhile")


def _make_and_hold(part: Part, folder: int) -> int | None:
    """Return it, open and locked; None for somebody's own, and what we may not make."""
    _, name = _divided(part.path)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            is_new = _make(name, part.content, folder)
        except OSError as error:
            if error.errno not in _OUT_OF_REACH:
                raise
            return None
        try:
            opened = os.open(name, _LOOK, dir_fd=folder)
        except FileNotFoundError:
            continue  # it was removed just now
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            return None  # somebody's own, and closed to us
        # The mark is missing on a file system that knows no such bit.
        if not is_new and not _is_marked(opened):
            os.close(opened)
            return None  # somebody's own
        if _is_shared(opened) and _is_there(name, folder, opened):
            return opened
        os.close(opened)
        time.sleep(_RETRY_SECONDS)
    raise OSError(errno.ETIMEDOUT, "another run holds it", part.path)


def _make(name: str, content: bytes | None, folder: int) -> bool:
    """Make it, unless something is there. With all that it says from its first moment on."""
    try:
        if content is None:
            os.mkdir(name, _FOLDER_MODE, dir_fd=folder)
        else:
            _make_file(name, content, folder)
    except FileExistsError:
        return False
    return True


def _make_file(name: str, content: bytes, folder: int) -> None:
    # Nobody can have left one of that name, and it is no longer than a name can be.
    draft = f".{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    new = os.open(draft, flags, 0o600, dir_fd=folder)
    try:
        os.write(new, content)
        os.fchmod(new, _FILE_MODE)
        os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.unlink(draft, dir_fd=folder)
        os.close(new)


def _is_marked(opened: int) -> bool:
    mode = os.fstat(opened).st_mode
    return bool(mode & _MARK) and (stat.S_ISDIR(mode) or stat.S_ISREG(mode))


def _is_shared(opened: int) -> bool:
    """Hold it. Where locks don't work, nothing is removed either: see `_release`."""
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_there(name: str, folder: int, opened: int) -> bool:
    """Whether what was opened still has that name there."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(opened))


def _release(held: dict[str, int]) -> None:
    for path, opened in held.items():
        # Another run has it too, or it is not ours to remove: the last one, or the next, tries.
        with suppress(OSError):
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = _open_folder(path)
            try:
                _, name = _divided(path)
                if _is_there(name, folder, opened):
                    _remove(name, folder, opened)
            finally:
                os.close(folder)
        os.close(opened)


def _remove(name: str, folder: int, opened: int) -> None:
    is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
    try:
        if is_folder:
            os.rmdir(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        # Somebody outside put something in it meanwhile: it is his.
        os.fchmod(opened, 0o755)
