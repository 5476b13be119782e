"""By which other paths a file of this host can be reached, because a folder is mounted twice. Pure.

A bind mount (`/data/home` at `/home`, a home given to a container) shows the same files again, and
no path without links tells that they are the same. What is hidden has to be hidden there, too.
The kernel's list is /proc/self/mountinfo (proc_pid_mountinfo(5)).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.paths import is_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A line of the list: what of a file system is mounted where."""

    device: bytes  # major:minor
    root: str  # the folder of that file system
    point: str


def read_mounts(text: bytes) -> list[Mounted]:
    """Read the kernel's list, in its order: of two at one point the later is seen."""
    found = []
    for line in text.splitlines():
        _, _, device, root, point, *_ = line.split(b" ")
        found.append(Mounted(device, _plain(root), _plain(point)))
    return found


class Mounts:
    """The list in the order in which many paths are asked for: hosts have thousands of mounts."""

    def __init__(self, mounts: Iterable[Mounted]) -> None:
        # Of those that are stacked at one point the last one is seen.
        self._seen_at: dict[str, Mounted] = {}
        self._of_device: dict[bytes, list[Mounted]] = {}
        for each in mounts:
            self._seen_at[each.point] = each
            self._of_device.setdefault(each.device, []).append(each)

    def other_names(self, path: str) -> Iterator[str]:
        """Where else what is at an absolute path without links might be; its reader has to look.

        What is mounted over such a place hides it, so that there may be something else.
        """
        around = self._around(path)
        if around is None:
            return
        place = _joined(around.root, path[len(around.point.rstrip("/")) :])
        for each in self._of_device[around.device]:
            if is_within(place, each.root):
                other = _joined(each.point, place[len(each.root.rstrip("/")) :])
                if other != path:
                    yield other

    def _around(self, path: str) -> Mounted | None:
        while path and path not in self._seen_at:
            path = path.rpartition("/")[0]
        return self._seen_at.get(path or "/")


def _plain(escaped: bytes) -> str:
    """Space, tab, line end and backslash are octal there."""
    plain = _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), escaped)
    return plain.decode("utf-8", "surrogateescape")


def _joined(folder: str, rest: str) -> str:
    return f"{folder.rstrip('/')}{rest}".rstrip("/") or "/"
