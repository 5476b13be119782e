"""Which parts of a git repository make git run something, or look somewhere else.

Somebody's prompt or editor runs git outside the sandbox as soon as he looks at the folder: hooks,
and programs that the configuration names (core.fsmonitor). So those stay as they are, and what
isn't there can't be made. Everything else is the command's: objects, index, branches.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.model import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

# A configuration is a few hundred bytes.
_CONFIG_BYTES = 1 << 20
# [include] and [includeIf] name files, core.hooksPath a folder; all of them are obeyed.
_PATH = re.compile(
    r"^\s*(?:\[[^\]]*\]\s*)?(path|hookspath)\s*=\s*\"?([^\"\n;#]+)", re.IGNORECASE | re.MULTILINE
)
_MODULE_DEPTH = 6
# It names the folder that holds configuration and hooks. A repository without links has none, and
# git fails on one that it can't read; this one says what holds without it (gitrepository-layout).
COMMONDIR = b".\n"


def parts(folder: str) -> Iterator[Part]:
    """Everything of the repository with its work tree at `folder`."""
    place = f"{folder}/.git"
    if not os.path.isdir(place) or os.path.islink(place):  # noqa: PTH112, PTH114  # text
        # A link, or a file that names the real one: of a submodule, or of a further work tree.
        yield Part(place, b"")
        return
    yield from _of_one(place, folder)
    for module in _modules(f"{place}/modules", _MODULE_DEPTH):
        yield from _of_one(module, module)
    with suppress(OSError):
        for name in sorted(os.listdir(f"{place}/worktrees")):  # noqa: PTH208  # text
            for file in ("commondir", "gitdir", "config.worktree"):
                if os.path.lexists(path := f"{place}/worktrees/{name}/{file}"):
                    yield Part(path, b"")


def _of_one(place: str, folder: str) -> Iterator[Part]:
    yield Part(f"{place}/hooks")
    yield Part(f"{place}/config", b"")
    yield Part(f"{place}/commondir", COMMONDIR)
    said = _configuration(f"{place}/config")
    if os.path.lexists(path := f"{place}/config.worktree") or "worktreeconfig" in said.lower():
        yield Part(path, b"")
    for key, value in _PATH.findall(said):
        is_folder = key.lower() == "hookspath"
        start = folder if is_folder else place
        named = os.path.expanduser(value.strip())  # noqa: PTH111  # text
        path = os.path.normpath(os.path.join(start, named))  # noqa: PTH118  # text
        # What lies elsewhere the command can't write, or it is in a repository of its own.
        inside = path.startswith(f"{folder}/") and path != place
        if inside and (is_folder or os.path.lexists(path)):
            yield Part(path, None if is_folder else b"")


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


def _configuration(path: str) -> str:
    with suppress(OSError), Path(path).open("rb") as file:
        return file.read(_CONFIG_BYTES).decode(errors="replace")
    return ""
