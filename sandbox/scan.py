"""Looks through a folder, as far down as it is told: for repositories, and what a glob matches.

Never follows a link: what one leads to has a place of its own, and is protected there.
Breadth first, so that what is left out when it takes too long is what lies deepest.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# 50,000 names take about 0.1 s; a start is not to be waited for longer.
MOST_ENTRIES = 50_000
# Whoever gives a depth waits for it, but not for ever.
MOST_ENTRIES_ASKED = 2_000_000
# What git takes a folder for a repository by, with no `.git` (is_git_directory in its setup.c).
BARE = frozenset({"HEAD", "objects", "refs"})
# Packages that somebody installed: as many as all the rest together, and no repositories.
_INSTALLED = frozenset({"node_modules", "__pycache__", "site-packages"})


@dataclass(slots=True, kw_only=True)
class Found:
    """What a folder holds. Absolute paths."""

    repositories: list[str] = field(default_factory=list)  # with a `.git`, or bare
    matches: list[tuple[str, bool]] = field(default_factory=list)  # and whether it is a folder
    unlisted: list[str] = field(default_factory=list)  # folders whose names nobody tells us
    is_cut: bool = False  # there was more than could be looked at


def files_led_to(folder: str) -> Iterator[str]:
    """Yield where the links in it lead that lead to no folder; it may be no folder itself."""
    with suppress(OSError), os.scandir(folder) as listed:
        for entry in islice(listed, MOST_ENTRIES):
            if entry.is_symlink() and not entry.is_dir():
                yield os.path.join(folder, os.readlink(entry.path))  # noqa: PTH115, PTH118  # text


def _entries(folder: str, most: int, found: Found) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listed:
            return list(islice(listed, most))
    except PermissionError:
        if _is_open_by_name(folder):
            found.unlisted.append(folder)
    except OSError:
        pass  # it has gone
    return []


def _is_open_by_name(folder: str) -> bool:
    """Whether the command gets at what is in it: by its name, or by opening what is its own."""
    with suppress(OSError):
        return os.access(folder, os.X_OK) or os.stat(folder).st_uid == os.geteuid()  # noqa: PTH116  # text
    return False


def survey(
    root: str,
    *,
    depth: int,
    wanted: Callable[[str], bool] | None = None,
    most: int = MOST_ENTRIES,
) -> Found:
    """Look into `root` and the folders up to `depth` below it.

    `wanted` judges paths relative to `root`; what it takes is not looked into. Without it only
    repositories are looked for, and not among installed packages.
    """
    found = Found()
    skipped = {".git"} if wanted is not None else {".git", *_INSTALLED}
    waiting = deque([(root, "", depth)])
    while waiting:
        folder, prefix, left = waiting.popleft()
        entries = _entries(folder, most + 1, found)
        if (most := most - len(entries)) < 0:
            found.is_cut = True
            return found
        marks = 0
        for entry in sorted(entries, key=lambda each: each.name):
            marks += entry.name in BARE
            name = f"{prefix}{entry.name}"
            if entry.name == ".git":
                found.repositories.append(folder)
            if entry.is_symlink():
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if wanted is not None and wanted(name):
                found.matches.append((entry.path, is_folder))
            elif is_folder and left and entry.name not in skipped:
                waiting.append((entry.path, f"{name}/", left - 1))
        if marks == len(BARE) and found.repositories[-1:] != [folder]:
            found.repositories.append(folder)
    return found
