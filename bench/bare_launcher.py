"""The limit that Python sets for a start: one around bwrap, one inside, and neither does anything.

    python bench/bare_launcher.py

No gateway is asked, nothing is mounted, tried or recorded. What a run that is handed over takes
beyond it is what ours does beyond it; both interpreters are those that a run has.
"""

from __future__ import annotations

import os
import sys

_BWRAP = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
_INSIDE = "import os; os.execvp('true', ['true'])"


def main() -> int:
    """Start bwrap with the other interpreter inside, and return how that ended."""
    inside = (os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", _INSIDE)
    words = [*_BWRAP, "--tmpfs", "/tmp", "--", *inside]
    pid = os.posix_spawnp(words[0], words, os.environ)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
