"""Hundreds of repositories below a workspace: more mounts than bwrap takes words for."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.people import Person

_COUNT = 640  # each takes five mounts of three words, and bwrap takes 9,000
_ATTACK = """
for place in d*/r*0/.git; do
    echo x >> $place/config; echo x > $place/hooks/x; echo x > $place/commondir
done 2>/dev/null
mv d7 moved; mv d8/r8 moved; mv d9/r9/.git moved
echo mine > d10/r10/.git/index
wc -l < /proc/self/mounts
"""


@pytest.fixture
def workspace(ordinary: Person) -> Iterator[Path]:
    """In memory: thousands of files on a disk take longer than all that is tested."""
    folder = Path(tempfile.mkdtemp(prefix="netproxy-test-", dir="/dev/shm"))
    for number in range(_COUNT):
        name = "name that isn't UTF-8 \udcff" if number == _COUNT - 1 else f"r{number}"
        repository = folder / f"d{number % 40}" / name / ".git"
        (repository / "hooks").mkdir(parents=True)
        (repository / "config").write_text("[core]\n")
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, ordinary.uid, ordinary.uid)
    yield folder
    shutil.rmtree(folder)


def test_each_is_kept(ordinary: Person, base: Path, workspace: Path) -> None:
    netproxy = Netproxy(ordinary, base)
    done = netproxy.run("--ask", "never", command=["sh", "-c", _ATTACK], cwd=workspace)
    assert int(done.out) > 5 * _COUNT, done.err
    for repository in workspace.glob("d*/r*/.git"):
        assert (repository / "config").read_text() == "[core]\n"
        assert not (repository / "commondir").exists()
        assert not list((repository / "hooks").iterdir())
    assert not (workspace / "moved" / "config").exists()
    assert (workspace / "d7").is_dir()
    assert (workspace / "d10/r10/.git/index").read_text() == "mine\n"
    (started,) = netproxy.events("netproxy.run.started")
    assert len(started["sandbox.plan"]) < 250


# A kernel that takes the order to make a mount read-only, and doesn't.
_CARELESS = """
import ctypes, sys
from sandbox.linux import late_mounts
class Kernel:
    def syscall(self, number, *words):
        careless = number == late_mounts._MOUNT_SETATTR and sys.argv[2] == "careless"
        return 0 if careless else real.syscall(ctypes.c_long(number), *words)
real = ctypes.CDLL(None, use_errno=True)
late_mounts.mount_all(Kernel(), [(sys.argv[1], True)])
open(sys.argv[1] + "/x", "w")
"""


@pytest.mark.parametrize(
    ("kernel", "said"), [("careless", "can be written"), ("real", "Read-only")]
)
def test_one_that_can_be_written_all_the_same_is_found(
    tmp_path: Path, kernel: str, said: str
) -> None:
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", _CARELESS, str(tmp_path), kernel],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())
