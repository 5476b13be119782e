"""Where things are on this host: bwrap, and our own program.

What is started outside the sandbox must not come from a folder that the command may write: a run
could plant it for the next one (`node_modules/.bin` is in many people's PATH).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sandbox.errors import FenceUnavailable

# Before PATH: where distributions install it, and where only root may write.
_SYSTEM = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")


def find_bwrap(search_path: str, *, writable: tuple[str, ...] = ()) -> str:
    """The path of bwrap. Raises FenceUnavailable with what to type.

    `search_path` is PATH; entries that are relative, or inside one of `writable`, don't count.
    """
    for folder in (*_SYSTEM, *search_path.split(os.pathsep)):
        candidate = Path(folder, "bwrap")
        if not candidate.is_absolute() or not os.access(candidate, os.X_OK):
            continue
        if not any(candidate.resolve().is_relative_to(root) for root in writable):
            return str(candidate)
    raise FenceUnavailable(
        "bwrap is not installed (looked in the system's folders and PATH, but not in folders "
        "that the command may write)",
        "type: sudo apt-get install bubblewrap",
    )


def program_paths() -> tuple[str, ...]:
    """What the monitor and `netproxy connect` need inside, and what nobody inside may change."""
    # Installed: our dependencies lie beside us. From a checkout: all of it, for it is in sys.path,
    # and Python imports a sitecustomize.py at its start from wherever that leads.
    own = Path(__file__).resolve().parents[1]
    prefixes = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    system = {Path("/"), Path("/usr"), Path("/usr/local")}
    return tuple(sorted(str(path) for path in {own, *prefixes} - system if path.exists()))
