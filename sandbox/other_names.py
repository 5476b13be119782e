"""By which other paths a file of this host can be reached, because a folder is mounted twice. Pure.

A bind mount (`/data/home` at `/home`, a home given to a container) shows the same files again, and
no path without links tells that they are the same. What is hidden has to be hidden there, too.
So it is with /proc, which a chroot has one more of: that is the host's, settings and processes.
The kernel's list is /proc/self/mountinfo (proc_pid_mountinfo(5)).
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.paths import is_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ESCAPED = re.compile(rb"\\([0-7]{3})")
# File systems that are no files: what is written there changes the host, and what is read tells of
# it, wherever it is mounted. At the usual places the sandbox has its own, or what is read-only.
_OF_THE_KERNEL = frozenset({
    b"binfmt_misc", b"bpf", b"cgroup", b"cgroup2", b"configfs", b"debugfs", b"devpts", b"devtmpfs",
    b"efivarfs", b"fusectl", b"mqueue", b"nfsd", b"proc", b"pstore", b"rpc_pipefs", b"securityfs",
    b"selinuxfs", b"smackfs", b"sysfs", b"tracefs",
})  # fmt: skip
_USUAL = ("/proc", "/sys", "/dev")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A line of the list: what of a file system is mounted where."""

    device: bytes  # major:minor
    root: str  # the folder of that file system
    point: str
    kind: bytes = b""  # of file system


def read_mounts(text: bytes) -> list[Mounted]:
    """Read the kernel's list, in its order: of two at one point the later is seen."""
    found = []
    for line in text.splitlines():
        _, _, device, root, point, *_ = line.split(b" ")
        # Between the two are as many fields as there are.
        kind = line.partition(b" - ")[2].partition(b" ")[0]
        found.append(Mounted(device, _plain(root), _plain(point), kind))
    return found


def of_the_kernel(mounts: Iterable[Mounted]) -> Iterator[str]:
    """Where else than usual there is what belongs to the kernel; its reader has to look."""
    # Of those that are stacked at one point the last one is seen.
    for point, kind in {each.point: each.kind for each in mounts}.items():
        if kind in _OF_THE_KERNEL and not any(is_within(point, place) for place in _USUAL):
            yield point


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
        device, place = self.place_of(path)
        for each in self._of_device.get(device, ()):
            if is_within(place, each.root):
                other = _joined(each.point, place[len(each.root.rstrip("/")) :])
                if other != path:
                    yield other

    def place_of(self, path: str) -> tuple[bytes, str]:
        """Which device it is on, and where there; of what is on no list, nowhere."""
        around = self._around(path)
        if around is None:
            return b"", path
        return around.device, _joined(around.root, path[len(around.point.rstrip("/")) :])

    def _around(self, path: str) -> Mounted | None:
        while path and path not in self._seen_at:
            path = path.rpartition("/")[0]
        return self._seen_at.get(path or "/")


def _plain(escaped: bytes) -> str:
    """Space, tab, line end and backslash are octal there; all else is as in a path's text."""
    plain = _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), escaped)
    return plain.decode(sys.getfilesystemencoding(), "surrogateescape")


def _joined(folder: str, rest: str) -> str:
    return f"{folder.rstrip('/')}{rest}".rstrip("/") or "/"
