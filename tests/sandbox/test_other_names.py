"""What is mounted twice has two names."""

from __future__ import annotations

import pytest

from sandbox.other_names import Mounted, Mounts, of_the_kernel, read_mounts

ROOT = Mounted(b"254:0", "/", "/")
DATA = Mounted(b"8:1", "/", "/data")
HOME = Mounted(b"8:1", "/home", "/home")


def test_the_kernels_lines_are_read() -> None:
    text = (
        b"22 1 254:0 / / rw,noatime - ext4 /dev/vda rw\n"
        b"31 22 8:1 /my\\040home /mnt/a\\134b rw shared:1 master:2 - ext4 /dev/sda1 rw\n"
        b"32 22 0:44 /\xff /x rw - btrfs /dev/sdb rw,subvol=/x\n"
    )
    assert read_mounts(text) == [
        Mounted(b"254:0", "/", "/", b"ext4"),
        Mounted(b"8:1", "/my home", "/mnt/a\\b", b"ext4"),
        Mounted(b"0:44", "/\udcff", "/x", b"btrfs"),
    ]


@pytest.mark.parametrize(
    ("path", "mounts", "others"),
    [
        ("/home/me/.ssh", [ROOT], []),
        ("/home/me/.ssh", [], []),
        ("/home/me/.ssh", [ROOT, DATA, HOME], ["/data/home/me/.ssh"]),
        ("/data/home/me/.ssh", [ROOT, DATA, HOME], ["/home/me/.ssh"]),
        ("/data/other", [ROOT, DATA, HOME], []),
        ("/home", [ROOT, DATA, HOME], ["/data/home"]),
        ("/data", [ROOT, DATA, HOME], []),
        # Only a part of the folder is there again, or only what is around it.
        ("/srv/a/b", [ROOT, Mounted(b"254:0", "/srv/a/b", "/m")], ["/m"]),
        ("/srv/a", [ROOT, Mounted(b"254:0", "/srv/a/b", "/m")], []),
        ("/srv/a", [ROOT, Mounted(b"254:0", "/srv/ab", "/m")], []),
        # The whole disk again, at a path of its own.
        ("/srv/a", [ROOT, Mounted(b"254:0", "/", "/m")], ["/m/srv/a"]),
        # What is mounted over something else at the same point is what is seen there.
        ("/home/me", [ROOT, Mounted(b"9:9", "/", "/home"), HOME, DATA], ["/data/home/me"]),
    ],
)
def test_where_else_it_is(path: str, mounts: list[Mounted], others: list[str]) -> None:
    assert list(Mounts(mounts).other_names(path)) == others


@pytest.mark.parametrize(
    ("kind", "point", "is_found"),
    [
        (b"proc", "/srv/chroot/proc", True),
        (b"sysfs", "/srv/chroot/sys", True),
        (b"proc", "/processes", True),
        (b"proc", "/proc", False),
        (b"cgroup2", "/sys/fs/cgroup", False),
        (b"devpts", "/dev/pts", False),
        (b"tmpfs", "/srv/chroot/tmp", False),
    ],
)
def test_what_belongs_to_the_kernel_is_found_elsewhere(
    kind: bytes, point: str, is_found: bool
) -> None:
    found = list(of_the_kernel([ROOT, Mounted(b"0:5", "/", point, kind)]))
    assert found == ([point] if is_found else [])


def test_what_is_mounted_over_it_is_somebody_elses() -> None:
    below = Mounted(b"0:5", "/", "/srv/proc", b"proc")
    assert list(of_the_kernel([below, Mounted(b"8:1", "/", "/srv/proc", b"ext4")])) == []
    assert list(of_the_kernel([Mounted(b"8:1", "/", "/srv/proc", b"ext4"), below])) == ["/srv/proc"]
