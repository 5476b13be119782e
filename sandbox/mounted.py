"""Whether what is mounted in a sandbox is what its plan says, by the kernel's list. Pure.

bwrap mounts by paths. Where two runs share a workspace the command of one may put a link in a
folder's place while the sandbox of the other is built: then something else is mounted there, such
as the keys in the home folder, or it is mounted elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.linux.bubblewrap import OF_THE_HOST
from sandbox.other_names import Mounts
from sandbox.plan import Access

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sandbox.other_names import Mounted
    from sandbox.plan import Mount

# The kernel does not say which folder of these it is (nfs_show_path in its fs/nfs/super.c).
_UNTOLD = (b"nfs", b"nfs4")
# What bwrap makes besides: in a /dev and a /proc of its own.
_NODES = frozenset({"console", "full", "null", "pts", "random", "tty", "urandom", "zero"})
_COVERS = frozenset({"1", *OF_THE_HOST})


def replaced(
    mounts: Iterable[Mount], host: Collection[Mounted], inside: Iterable[Mounted]
) -> Iterator[str]:
    """Yield where something else is mounted than was planned, or nothing is.

    `host` is this host's list, `inside` the sandbox's, with what came along from the host's.
    """
    # At one path there may be two: a copy of the hosts file lies over the file.
    planned: dict[str, list[Access]] = {}
    for mount in mounts:
        if mount.target is None and mount.access is not Access.SEALED:
            planned.setdefault(mount.path, []).append(mount.access)
    there, known, devices = Mounts(host), set(host), {each.device for each in host}
    for each in inside:
        wanted = planned.get(each.point, [])
        meant = [access for access in wanted if _is_meant(each, access, there, devices)]
        for access in meant:
            wanted.remove(access)
        if not meant and each not in known and not _is_of_bwrap(each.point):
            yield each.point
    yield from (path for path, wanted in planned.items() if wanted)


def _is_meant(each: Mounted, access: Access, there: Mounts, devices: Collection[bytes]) -> bool:
    if access is Access.READ or access is Access.WRITE:
        device, root = there.place_of(each.point)
        return each.device == device and (each.root == root or each.kind in _UNTOLD)
    if access is Access.UNREADABLE:
        return each.root.endswith("/null")
    return each.device not in devices  # it is new


def _is_of_bwrap(point: str) -> bool:
    folder, _, name = point.rpartition("/")
    return (folder == "/dev" and name in _NODES) or (folder == "/proc" and name in _COVERS)
