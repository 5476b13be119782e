"""What a process must have before it can begin a run, looked at first: streams, a folder, room.

Each of them would fail later, halfway, in words of somebody else.
"""

from __future__ import annotations

import os
import resource
import sys

# A run holds some forty at its start: journal, fence, listeners, event loop; each mount of a file
# of ours, and each connection, takes more.
_FEWEST_FILES = 64


def open_standard_streams() -> None:
    """Put /dev/null where a caller closed 0, 1 or 2.

    The next descriptor that we open would take the number, and the command would inherit it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    # Python has none where it found a number closed, and says what is wrong to nobody then.
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115  # as long as we live
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115  # the same


def unfit() -> str | None:
    """Why nothing can be run from here, and what to do; None where it can."""
    try:
        # Both: it may be entered already, and yet be out of reach by its name.
        os.stat(".")  # noqa: PTH116  # only whether it works
        os.stat(os.getcwd())  # noqa: PTH109, PTH116  # the same
    except FileNotFoundError:
        return "the working directory is gone; change to one that is there"
    except OSError as error:
        return f"the working directory can't be entered ({error.strerror}); change to another"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FEWEST_FILES:
        way = "raise the limit" if hard >= _FEWEST_FILES else "have the hard limit raised"
        return (
            f"only {soft} files may be open, and a run needs {_FEWEST_FILES}; {way}: "
            f"ulimit -n {_FEWEST_FILES * 4}"
        )
    return None
