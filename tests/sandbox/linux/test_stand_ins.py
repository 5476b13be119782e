"""What the command reads in place of the host's own files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sandbox.linux.stand_ins import stand_ins
from sandbox.plan import Access, Mount, Plan

if TYPE_CHECKING:
    from pathlib import Path


def test_one_file_as_it_is_and_one_with_the_loopback_only(tmp_path: Path) -> None:
    owned, hosts = tmp_path / "ssh.conf", tmp_path / "hosts"
    owned.write_bytes(b"Host *\n")
    hosts.write_bytes(b"127.0.0.1 localhost\n93.184.215.14 example.org\n")
    mounts = (
        Mount(Access.READ, "/"),
        Mount(Access.OWNED, str(owned)),
        Mount(Access.HOSTS, str(hosts)),
    )
    found = stand_ins(Plan(mounts=mounts, working_directory="/", identities={}))
    contents = {path: os.read(number, 100) for path, number in found.items()}
    for number in found.values():
        os.close(number)
    assert contents == {str(owned): b"Host *\n", str(hosts): b"127.0.0.1 localhost\n"}
