"""What a process must have before it can begin a run, looked at first: a folder, and room.

Each of them would fail later, halfway, in words of somebody else.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

# A run holds some forty at its start: journal, fence, listeners, event loop; each mount of a file
# of ours, and each connection, takes more.
_FEWEST_FILES = 64
GONE = "the working directory is gone; change to one that is there"


def unfit(proc: str = "/proc") -> str | None:
    """Why nothing can be run from here, and what to do; None where it can."""
    try:
        # Both: it may be entered already, and yet be out of reach by its name.
        os.stat(".")  # noqa: PTH116  # only whether it works
        os.stat(os.getcwd())  # noqa: PTH109, PTH116  # the same
    except FileNotFoundError:
        return GONE
    except OSError as error:
        return f"the working directory can't be entered ({error.strerror}); change to another"
    if not os.path.lexists(f"{proc}/self"):
        return f"there is no {proc}; mount it: mount -t proc proc {proc}"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FEWEST_FILES:
        way = "raise the limit" if hard >= _FEWEST_FILES else "have the hard limit raised"
        return (
            f"only {soft} files may be open, and a run needs {_FEWEST_FILES}; {way}: "
            f"ulimit -n {_FEWEST_FILES * 4}"
        )
    return None


def working_directory() -> Path:
    """Where relative paths begin, and where the project is. Raises `InvalidSettings` if gone."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        from netproxy.errors import InvalidSettings  # 15 ms, and a run that is handed over has none

        raise InvalidSettings((GONE,)) from None
