"""Which tests pytest-xdist hands to a worker together: those of a file where all of them are quick.

Its own `loadgroup` hands out one at a time, and for each looks through all that it handed out
before: with ten thousand tests that was a twentieth of the suite's time. Where one test may take
seconds they still go one by one, so that no worker is left alone with a long file at the end.
"""

from __future__ import annotations

from xdist.scheduler import LoadGroupScheduling

# Their tests start processes.
_ONE_BY_ONE = tuple(
    f"tests/{folder}/" for folder in ("attacks", "bench", "deploy", "faults", "fuzz", "scenarios")
)


class ByFile(LoadGroupScheduling):  # type: ignore[misc]  # it ships no type information
    """A mark `xdist_group` goes before."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        if scope != nodeid or nodeid.startswith(_ONE_BY_ONE):
            return scope
        return nodeid.partition("::")[0]
