"""Which links are on the way to a file, and which somebody could turn to lead elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# A path has at most 4096 bytes and 40 links (PATH_MAX and MAXSYMLINKS of the kernel).
_MAX_STEPS = 40 * 4096


def links_to(path: Path) -> Iterator[str]:
    """Every symbolic link on the way that could be turned, named by the real folder around it."""
    return (str(link) for link in links_on(path) if os.access(link.parent, os.W_OK))


def links_on(path: Path) -> Iterator[Path]:
    """Every symbolic link on the way, named likewise."""
    here, ahead = Path("/"), list(reversed(path.absolute().parts[1:]))
    for _ in range(_MAX_STEPS):
        if not ahead:
            return
        name = ahead.pop()
        if name == "..":
            here = here.parent
        elif (step := here / name).is_symlink():
            yield step
            target = step.readlink()
            here = Path("/") if target.is_absolute() else here
            ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            here = step
