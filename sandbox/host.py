"""Where things are on this host: bwrap, our own program, and the kernel's word on processes.

What is started outside the sandbox must not come from a folder that the command may write: a run
could plant it for the next one (`node_modules/.bin` is in many people's PATH).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import FenceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Before PATH: where distributions install it, and where only root may write.
_PACKAGES = ("netproxy", "approvals", "sandbox", "otel")
_SYSTEM = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")


def find_bwrap(search_path: str, *, is_writable: Callable[[str], bool] | None = None) -> str:
    """The path of bwrap. Raises FenceUnavailable with what to type.

    `search_path` is PATH; entries that are relative, or that the command may write, don't count.
    """
    passed_over = None
    for folder in (*_SYSTEM, *search_path.split(os.pathsep)):
        candidate = Path(folder, "bwrap")
        if not candidate.is_absolute() or not os.access(candidate, os.X_OK):
            continue
        if is_writable is None or not is_writable(str(candidate.resolve())):
            return str(candidate)
        passed_over = passed_over or candidate
    if passed_over is not None:
        raise FenceUnavailable(
            f"the command may write {passed_over}, which builds its sandbox",
            "let it write less (--write, --workspace, write in the settings), "
            "or install bubblewrap elsewhere",
        )
    raise FenceUnavailable(
        "bwrap is not installed (looked in the system's folders and PATH)",
        "type: sudo apt-get install bubblewrap",
    )


def find_of_system(name: str) -> str | None:
    """The path of a program that the system has; None without one. PATH doesn't count."""
    candidates = (f"{folder}/{name}" for folder in _SYSTEM)
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def demand_proc(proc: Path = Path("/proc")) -> None:
    """Raise FenceUnavailable unless processes have there the numbers that we know them by."""
    try:
        is_ours = os.readlink(proc / "self") == str(os.getpid())  # noqa: PTH115  # text
    except OSError:
        is_ours = False
    if not is_ours:
        raise FenceUnavailable(
            f"{proc} is that of another PID namespace",
            f"mount one of its own: mount -t proc proc {proc} (unshare --mount-proc)",
        )


def program_paths(import_path: Sequence[str]) -> tuple[str, ...]:
    """What the monitor and `netproxy connect` need inside, and what nobody inside may change."""
    root = Path(__file__).resolve().parents[1]
    # Python imports a sitecustomize.py at its start from wherever sys.path leads: such a folder is
    # ours as a whole (site-packages, or a checkout that somebody put there). `make setup` keeps its
    # checkout out of sys.path, so that there only our packages are.
    whole = any(Path(entry).resolve() == root for entry in import_path if entry)
    own = [root] if whole else [root / name for name in _PACKAGES]
    prefixes = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    system = {Path("/"), Path("/usr"), Path("/usr/local")}
    return tuple(sorted(str(path) for path in {*own, *prefixes} - system if path.exists()))
