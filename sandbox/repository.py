"""Which parts of a git repository make git run something, or look somewhere else.

Somebody's prompt or editor runs git outside the sandbox as soon as he looks at the folder: hooks,
and programs that the configuration names (core.fsmonitor). So those stay as they are, and what
isn't there can't be made. Everything else is the command's: objects, index, branches.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from sandbox.git_config import values_of
from sandbox.git_programs import Place, programs
from sandbox.model import Part
from sandbox.mountpoints import is_mount_point

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sandbox.git_programs import Word

# What leads to more that git obeys.
_LEADING = ("core.hookspath", "include.path", "includeif.path")
# A configuration is a few hundred bytes.
_MOST_BYTES = 1 << 20
# As many of its files, and of what they name, as somebody might have who keeps them in order.
_MOST_FILES, _MOST_NAMED = 32, 100
_MODULE_DEPTH = 6
_SYSTEM = "/etc/gitconfig"
_NOWHERE = "/dev/null"
# It names the folder that holds configuration and hooks. A repository without links has none, and
# git fails on one that it can't read; this one says what holds without it (gitrepository-layout).
COMMONDIR = b".\n"


def obeyed_everywhere(home: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What git obeys in every repository of whoever has this home (git-config(1), FILES).

    All of them, though git leaves some out where another one is there or a variable names one.
    """
    usual = (_SYSTEM, f"{home}/.gitconfig", f"{home}/.config/git/config")
    moved = f"{environ.get('XDG_CONFIG_HOME') or '.'}/git/config"
    named = (environ.get(name, "") for name in ("GIT_CONFIG_SYSTEM", "GIT_CONFIG_GLOBAL"))
    # A relative one means something else wherever git is run.
    return (*usual, *(path for path in (moved, *named) if path.startswith("/")))


def parts(folder: str, also: tuple[str, ...] = ()) -> Iterator[Part]:
    """Everything of the repository with its work tree at `folder`; for `also` see `led_to`.

    Without a `.git` the folder is one itself: a bare one.
    """
    place = f"{folder}/.git"
    if not os.path.lexists(place):
        yield from parts_of(folder, folder, also)
        return
    if not os.path.isdir(place) or os.path.islink(place):  # noqa: PTH112, PTH114  # text
        # A link, or a file that names the real one: of a submodule, or of a further work tree.
        yield Part(place, b"")
        return
    yield from parts_of(place, folder, also)
    yield from _beside(folder)


def parts_of(place: str, folder: str, also: tuple[str, ...] = ()) -> Iterator[Part]:
    """The same, of one that lies at `place`; `folder` is its work tree."""
    yield from _of_one(place, folder, also)
    extends = "worktreeconfig" in _content(f"{place}/config").lower()
    for module in _modules(f"{place}/modules", _MODULE_DEPTH):
        yield from _of_one(module, _work_tree(module, folder), also)
    with suppress(OSError):
        for name in sorted(os.listdir(f"{place}/worktrees")):  # noqa: PTH208  # text
            for file in ("commondir", "gitdir", "config.worktree"):
                path = f"{place}/worktrees/{name}/{file}"
                if os.path.lexists(path) or (extends and file == "config.worktree"):
                    yield Part(path, b"")


def _beside(folder: str) -> Iterator[Part]:
    """What would make the work tree itself a repository, which git takes where `.git` is broken.

    The command can break it: HEAD has to be replaceable. A HEAD out here takes both folders
    (is_git_directory in git's setup.c); with an empty one of ours it is a repository while we run,
    and git fails on a `commondir` that is a folder. So that has to go last. Keeping HEAD itself out
    would do, but then git refuses `git diff HEAD`: both revision and filename.
    """
    for name in ("refs", "objects"):
        if not os.path.lexists(path := f"{folder}/{name}") or is_mount_point(path):
            yield Part(path)
            break
    else:
        yield from (Part(f"{folder}/{name}") for name in ("hooks", "config"))
    yield Part(f"{folder}/commondir")


def common_folder(folder: str) -> str | None:
    """Where the repository is that a further work tree belongs to (gitrepository-layout).

    None unless both name each other as git does: a file that says it alone could name any place.
    """
    says = _line(place := f"{folder}/.git")
    if not says.startswith("gitdir: ") or os.path.islink(place):  # noqa: PTH114  # text
        return None
    own = _led(folder, says.removeprefix("gitdir: "))
    back, common = _line(f"{own}/gitdir"), _line(f"{own}/commondir")
    if not back or not common or _led(own, back) != place:
        return None
    common = _led(own, common)
    return common if own.rpartition("/")[0] == f"{common}/worktrees" else None


def _led(start: str, path: str) -> str:
    return os.path.realpath(os.path.join(start, path))  # noqa: PTH118  # text


def _of_one(place: str, folder: str, also: tuple[str, ...]) -> Iterator[Part]:
    yield Part(f"{place}/hooks")
    yield Part(f"{place}/config", b"")
    yield Part(f"{place}/commondir", COMMONDIR)
    said = _content(f"{place}/config")
    if os.path.lexists(path := f"{place}/config.worktree") or "worktreeconfig" in said.lower():
        yield Part(path, b"")
    yield from led_to(place, folder, also)


def led_to(place: str, folder: str, also: tuple[str, ...] = ()) -> Iterator[Part]:
    """What the configuration of a repository leads to in its work tree, there or not.

    `also` are further files that git obeys (`obeyed_everywhere`). What lies elsewhere the command
    can't write, or it is in a repository of its own; but see `led_to_everywhere`.
    """
    files = (f"{place}/config", f"{place}/config.worktree", *also)
    for part in islice(dict.fromkeys(_named(files, folder)), _MOST_NAMED):
        is_here = part.path != place and part.path.startswith((f"{folder}/", f"{place}/"))
        if is_here and not part.path.startswith(f"{place}/hooks/"):  # which are kept anyway
            yield part


def led_to_everywhere(obeyed: tuple[str, ...]) -> Iterator[Part]:
    """These files themselves, and what they name by itself and not in each repository anew."""
    yield from (Part(path, b"") for path in obeyed)
    for part in islice(dict.fromkeys(_named(obeyed, _NOWHERE)), _MOST_NAMED):
        if not part.path.startswith(f"{_NOWHERE}/"):
            yield part


def _named(files: Iterable[str], folder: str) -> Iterator[Part]:
    """Yield what [include] and [includeIf] name, core.hooksPath, and programs."""
    waiting = deque(files)
    read: set[str] = set()
    while waiting and len(read) < _MOST_FILES:
        file = waiting.popleft()
        if file in read:
            continue
        read.add(file)
        said = _content(file)
        for name, value in values_of(said, *_LEADING):
            if name == "core.hookspath":
                yield Part(_spelled(folder, value))
            else:
                waiting.append(path := _spelled(os.path.dirname(file), value))  # noqa: PTH120  # text
                # An empty file says nothing; git fails on a configuration that is a folder.
                yield Part(path, b"")
        for word in programs(said):
            path = _spelled(folder, word.path)
            if _is_kept(path, word):
                yield Part(path)


def _is_kept(path: str, word: Word) -> bool:
    """Whether a program is to stay what it is: not where a link leads to it.

    The command could turn the link; but refused for that, as for hooks, would be every run in a
    virtual environment that a filter is run from. Where even the folder is missing, somebody may
    install packages there: that goes on.
    """
    is_sure = word.place is not Place.ARGUMENT
    if not os.path.lexists(path) or is_mount_point(path):
        folder = os.path.dirname(path)  # noqa: PTH120  # text
        is_meant = is_sure and "/" in word.path and os.path.isdir(folder)  # noqa: PTH112  # text
    else:
        is_meant = os.path.isfile(path) and (is_sure or os.access(path, os.X_OK))  # noqa: PTH113  # text
    return is_meant and os.path.realpath(path) == path


def _work_tree(module: str, outer: str) -> str:
    """Where a submodule's hooks run; its own folder where it does not say, or says too much."""
    for _, value in values_of(_content(f"{module}/config"), "core.worktree"):
        path = _spelled(module, value)
        if path.startswith(f"{outer}/"):
            return path
    return module


def _spelled(start: str, path: str) -> str:
    named = os.path.expanduser(path)  # noqa: PTH111  # text
    return os.path.normpath(os.path.join(start, named))  # noqa: PTH118  # text


def _modules(folder: str, depth: int) -> Iterator[str]:
    """The repositories of submodules: their names may have slashes, and they submodules."""
    with suppress(OSError):
        for name in sorted(os.listdir(folder)):  # noqa: PTH208  # text
            path = f"{folder}/{name}"
            if os.path.islink(path) or not os.path.isdir(path):  # noqa: PTH112, PTH114  # text
                continue
            if os.path.lexists(f"{path}/HEAD"):
                yield path
                yield from _modules(f"{path}/modules", depth - 1) if depth else ()
            elif depth:
                yield from _modules(path, depth - 1)


def _line(path: str) -> str:
    """What a file says that names a path, and nothing else."""
    return _content(path).partition("\0")[0].strip()


def _content(path: str) -> str:
    """What a small file says. Whoever made this may have put a pipe there, that is never read."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return os.fsdecode(file.read(_MOST_BYTES))
    return ""
