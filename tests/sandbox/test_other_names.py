"""What is mounted twice has two names."""

from __future__ import annotations

import pytest

from sandbox.other_names import Mounted, Mounts, read_mounts

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
        ROOT,
        Mounted(b"8:1", "/my home", "/mnt/a\\b"),
        Mounted(b"0:44", "/\udcff", "/x"),
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
