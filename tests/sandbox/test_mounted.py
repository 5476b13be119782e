"""What the kernel lists in a sandbox is held against the plan: what is there, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.mounted import replaced
from sandbox.other_names import Mounted
from sandbox.plan import Access, Mount

DISK, NEW, NFS = b"254:0", b"0:90", b"0:33"
HOST = (
    Mounted(DISK, "/", "/", b"ext4"),
    Mounted(b"0:5", "/", "/dev", b"devtmpfs"),
    Mounted(b"0:21", "/", "/proc", b"proc"),
    Mounted(NFS, "/", "/net", b"nfs4"),
    Mounted(DISK, "/srv", "/again", b"ext4"),
)
PLAN = (
    Mount(Access.READ, "/"),
    Mount(Access.DEVICES, "/dev"),
    Mount(Access.PROCESSES, "/proc"),
    Mount(Access.WRITE, "/home/u/work"),
    Mount(Access.READ, "/home/u/work/.git/hooks"),
    Mount(Access.SPARSE, "/home/u/.ssh"),
    Mount(Access.UNREADABLE, "/home/u/.netrc"),
    Mount(Access.WRITE, "/net/share"),
    Mount(Access.LINK, "/bin", "/usr/bin"),
    Mount(Access.SEALED, "/home/u/.ssh"),
)
WORK = Mounted(DISK, "/home/u/work", "/home/u/work", b"ext4")
HOOKS = Mounted(DISK, "/home/u/work/.git/hooks", "/home/u/work/.git/hooks", b"ext4")
KEYS = Mounted(NEW, "/", "/home/u/.ssh", b"tmpfs")
CLOSED = Mounted(b"0:5", "/null", "/home/u/.netrc", b"devtmpfs")
SHARE = Mounted(NFS, "/", "/net/share", b"nfs4")
INSIDE = (
    *(each for each in HOST if each.point not in {"/dev", "/proc"}),
    Mounted(NEW, "/", "/dev", b"tmpfs"),
    Mounted(b"0:5", "/null", "/dev/null", b"devtmpfs"),
    Mounted(NEW, "/", "/dev/pts", b"devpts"),
    Mounted(NEW, "/", "/proc", b"proc"),
    Mounted(b"0:21", "/sys", "/proc/sys", b"proc"),
    WORK, HOOKS, KEYS, CLOSED, SHARE,
)  # fmt: skip


def found(*inside: Mounted) -> list[str]:
    return list(replaced(PLAN, HOST, inside))


def test_what_bwrap_makes_of_a_plan_is_as_it_says() -> None:
    assert found(*INSIDE) == []


@pytest.mark.parametrize("meant", [WORK, HOOKS, KEYS, CLOSED, SHARE])
@pytest.mark.parametrize(("device", "root"), [(DISK, "/home/u/.ssh"), (b"0:21", "/")])
def test_something_else_in_its_place_is_found(meant: Mounted, device: bytes, root: str) -> None:
    other = replace(meant, device=device, root=root)
    assert meant.point in found(*(other if each is meant else each for each in INSIDE))


@pytest.mark.parametrize("meant", [WORK, HOOKS, KEYS, CLOSED, SHARE])
def test_what_is_not_mounted_is_found(meant: Mounted) -> None:
    assert found(*(each for each in INSIDE if each is not meant)) == [meant.point]


@pytest.mark.parametrize(
    "point", ["/home/u/work/moved", "/home/u/.config", "/dev/shm", "/proc/other", "/proc/sys/fs"]
)
def test_what_nobody_planned_is_found(point: str) -> None:
    """A folder may be moved with what is mounted on it, and a link lead anywhere."""
    assert found(*INSIDE, Mounted(DISK, "/home/u/.ssh", point, b"ext4")) == [point]


def test_two_at_one_path_are_both_there() -> None:
    """The file where a profile has nothing around it, and a copy of it over that."""
    plan = (*PLAN, Mount(Access.READ, "/etc/hosts"), Mount(Access.HOSTS, "/etc/hosts"))
    file = Mounted(DISK, "/etc/hosts", "/etc/hosts", b"ext4")
    copy = Mounted(NEW, "/bindfile//deleted", "/etc/hosts", b"tmpfs")
    assert list(replaced(plan, HOST, (*INSIDE, file, copy))) == []
    assert list(replaced(plan, HOST, (*INSIDE, file))) == ["/etc/hosts"]
    assert list(replaced(plan, HOST, (*INSIDE, copy))) == ["/etc/hosts"]


def test_what_came_along_from_the_host_is_its_own() -> None:
    """Where the plan has nothing, and below what is planned."""
    along = Mounted(DISK, "/srv", "/home/u/work/mnt", b"ext4")
    assert list(replaced(PLAN, (*HOST, along), (*INSIDE, along))) == []


def test_on_a_host_without_a_list_nothing_is_as_planned() -> None:
    assert list(replaced((Mount(Access.READ, "/"),), (), (HOST[0],))) == ["/", "/"]
