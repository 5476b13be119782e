from __future__ import annotations

import os
import subprocess

from netproxy.app.descent import descends_from


def test_children_and_theirs_are_ours() -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", "sleep 9 & echo $!; read x; kill $!"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as shell:
        assert shell.stdout is not None
        grandchild = int(shell.stdout.readline())
        assert descends_from(shell.pid, os.getpid())
        assert descends_from(grandchild, os.getpid())
        assert not descends_from(shell.pid, grandchild)
        shell.communicate("\n")


def test_strangers_are_not() -> None:
    assert descends_from(os.getpid(), os.getpid())
    assert not descends_from(os.getppid(), os.getpid())
    assert not descends_from(1, os.getpid())


def test_who_can_not_be_told_counts_as_ours() -> None:
    """No process has these numbers, or none that can be seen from here."""
    assert descends_from(0, os.getpid())
    assert descends_from(4_194_305, os.getpid())
