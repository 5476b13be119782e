"""Where things are on this host: bwrap, and our own program."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sandbox.errors import FenceUnavailable


def find_bwrap() -> str:
    """The path of bwrap. Raises FenceUnavailable with what to type."""
    path = shutil.which("bwrap")
    if path is None:
        raise FenceUnavailable(
            "bwrap is not installed (looked in PATH)", "type: sudo apt-get install bubblewrap"
        )
    return path


def program_paths() -> tuple[str, ...]:
    """What the monitor and `netproxy connect` need inside, and what nobody inside may change."""
    package = Path(__file__).resolve().parent
    own = [package.parent / name for name in ("netproxy", "approvals", "sandbox", "otel")]
    prefixes = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    system = {Path("/"), Path("/usr"), Path("/usr/local")}
    return tuple(sorted(str(path) for path in {*own, *prefixes} - system if path.exists()))
