"""Which links on the way to a file somebody could turn, so that the same path leads elsewhere."""

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
    here, ahead = Path("/"), list(reversed(path.absolute().parts[1:]))
    for _ in range(_MAX_STEPS):
        if not ahead:
            return
        name = ahead.pop()
        if name == "..":
            here = here.parent
        elif (step := here / name).is_symlink():
            if os.access(here, os.W_OK):
                yield str(step)
            target = step.readlink()
            here = Path("/") if target.is_absolute() else here
            ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            here = step
