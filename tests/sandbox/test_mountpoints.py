"""Mount points are there while somebody needs them, and nobody's own is ever removed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import mountpoints
from sandbox.errors import PlanRefused
from sandbox.model import Part
from sandbox.mountpoints import MountPoints, is_mount_point, sweep
from tests.support.loops import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def parts(tmp_path: Path) -> list[Part]:
    return [Part(f"{tmp_path}/.vscode"), Part(f"{tmp_path}/commondir", b".\n")]


@pytest.fixture
def points() -> Iterator[MountPoints]:
    held = MountPoints()
    yield held
    held.release()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_they_are_made_whole_and_removed(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    points.claim(parts)
    assert names(tmp_path) == [".vscode", "commondir"]
    assert is_mount_point(tmp_path / ".vscode")
    assert is_mount_point(parts[1].path)
    assert not is_mount_point(tmp_path)
    assert not is_mount_point(tmp_path / "nowhere")
    assert (tmp_path / "commondir").read_bytes() == b".\n"
    assert set(points.paths) == {part.path for part in parts}
    points.release()
    points.release()
    assert names(tmp_path) == []


@pytest.mark.usefixtures("no_override")
def test_they_are_ours_whatever_the_umask(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    before = os.umask(0o777)
    try:
        points.claim(parts)
        assert os.umask(0o777) == 0o777
    finally:
        os.umask(before)
    assert set(points.paths) == {part.path for part in parts}
    points.release()
    assert names(tmp_path) == []


def test_another_use_of_the_mark_makes_no_mount_point(tmp_path: Path) -> None:
    for name, mode in {"like ours": 0o3755, "of a strict umask": 0o1700, "for all": 0o1777}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    assert is_mount_point(tmp_path / "like ours")
    assert is_mount_point(tmp_path / "of a strict umask")
    assert not is_mount_point(tmp_path / "for all")
    (tmp_path / "like ours/file").write_text("more than any of ours")
    assert not is_mount_point(tmp_path / "like ours")
    (tmp_path / "like ours/file").chmod(0o1644)
    assert not is_mount_point(tmp_path / "like ours/file")


def test_thousands_leave_the_usual_numbers_free(points: MountPoints, tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limit[1]))
    try:
        points.claim([Part(f"{tmp_path}/{number}") for number in range(300)])
        assert len(points.paths) == 300
        with (tmp_path / "another").open("w") as file:
            assert file.fileno() < 256
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
        points.release()
        assert names(tmp_path) == ["another"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


_CROWDED = """
import resource, sys
from sandbox.errors import PlanRefused
from sandbox.model import Part
from sandbox.mountpoints import MountPoints
limit, count, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
points = MountPoints()
try:
    points.claim([Part(f"{folder}/{number}") for number in range(count)])
except PlanRefused as refused:
    print(refused)
else:
    print(len(points.paths), open("/dev/null").fileno() < limit - count)
    points.release()
"""


@pytest.mark.parametrize(
    ("limit", "count", "says"),
    [
        pytest.param(512, 300, "300 True\n", id="room"),
        pytest.param(256, 256, "Too many open files", id="none"),
    ],
)
def test_a_limit_that_can_not_be_raised(tmp_path: Path, limit: int, count: int, says: str) -> None:
    """What fits is held, in the last numbers there are; nothing is left of what doesn't."""
    words = [sys.executable, "-c", _CROWDED, str(limit), str(count), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert says in done.stdout
    assert ("ulimit -n" in done.stdout) == (count == limit)
    assert names(tmp_path) == []


def test_the_last_of_several_runs_removes_them(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    other = MountPoints()
    points.claim(parts)
    other.claim(parts)
    points.release()
    assert names(tmp_path) == [".vscode", "commondir"]
    points.claim(parts[:1])
    other.release()
    assert names(tmp_path) == [".vscode"]


def test_what_is_somebodys_own_stays(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / "commondir").symlink_to("nowhere")
    points.claim(parts)
    assert points.paths == ()
    points.release()
    assert names(tmp_path) == [".vscode", "commondir"]
    assert sweep(parts) == ()


def test_nothing_is_made_where_a_link_leads_that_came_meanwhile(
    points: MountPoints, tmp_path: Path
) -> None:
    """Another run's command may put one in a folder's place at any time."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "folder").symlink_to("elsewhere")
    for content in (None, b""):
        with pytest.raises(PlanRefused, match="was replaced meanwhile"):
            points.claim([Part(f"{tmp_path}/folder/x", content)])
    assert names(tmp_path / "elsewhere") == []


# renameat2(2) with RENAME_EXCHANGE, as fast as can be.
_TURNING = """
import ctypes, sys
kernel = ctypes.CDLL(None)
first, second = (name.encode() for name in sys.argv[1:])
print("turning", flush=True)
while True:
    assert kernel.renameat2(-100, first, -100, second, 2) == 0
"""


def test_nor_is_anything_removed_there(tmp_path: Path) -> None:
    """Not even what is called the same, whenever the folder and the link change their places."""
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_text("precious")
    link.symlink_to("elsewhere")
    command = [sys.executable, "-c", _TURNING, str(folder), str(link)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as turning:
        assert turning.stdout is not None
        turning.stdout.readline()
        for _ in range(2_000):
            points = MountPoints()
            with suppress(PlanRefused):
                points.claim([Part(f"{folder}/x", b"")])
            points.release()
        turning.kill()
    assert names(tmp_path / "elsewhere") == ["x"]
    assert (tmp_path / "elsewhere/x").read_text() == "precious"


@pytest.mark.parametrize("mode", [0o644, 0o1644], ids=["plain", "marked"])
def test_a_pipe_in_its_place_keeps_nobody_waiting(tmp_path: Path, mode: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pipe").chmod(mode)
    script = """
import sys
from sandbox.model import Part
from sandbox.mountpoints import MountPoints, sweep
points = MountPoints()
points.claim([Part(sys.argv[1])])
assert (points.paths, sweep([Part(sys.argv[1])])) == ((), ())
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "pipe")], check=True, timeout=20)
    assert names(tmp_path) == ["pipe"]


def test_what_somebody_puts_in_one_makes_it_his(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    points.claim(parts)
    (tmp_path / ".vscode" / "settings.json").touch()
    (tmp_path / "commondir").unlink()
    (tmp_path / "commondir").write_text("another\n")
    points.release()
    assert names(tmp_path) == [".vscode", "commondir"]
    assert (tmp_path / "commondir").read_text() == "another\n"
    assert sweep(parts) == (), "the mark is gone, too"


def test_drafts_that_somebody_left_are_no_hindrance(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    """A command may guess the number of the next run's process, or leave one for each there is."""
    (tmp_path / f"commondir.{os.getpid()}").touch()
    points.claim(parts)
    assert set(points.paths) == {part.path for part in parts}
    points.release()
    assert names(tmp_path) == [f"commondir.{os.getpid()}"]


def test_a_name_may_be_as_long_as_names_are(points: MountPoints, tmp_path: Path) -> None:
    path = f"{tmp_path}/{255 * 'a'}"
    points.claim([Part(path, b"")])
    assert points.paths == (path,)


def test_what_was_left_behind_is_taken_over_or_swept(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode").chmod(0o1755)
    points.claim(parts[:1])
    assert sweep(parts) == (), "it is in use"
    points.release()
    assert names(tmp_path) == []
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode").chmod(0o1755)
    assert sweep(parts) == (parts[0].path,)


@pytest.mark.usefixtures("no_override")
def test_where_we_may_not_make_it_the_command_may_not_either(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    tmp_path.chmod(0o555)
    points.claim([*parts, Part(f"{tmp_path}/no/such/folder")])
    assert points.paths == ()


def test_a_disk_without_room_refuses_the_run(
    points: MountPoints, parts: list[Part], tmp_path: Path
) -> None:
    with pytest.raises(PlanRefused, match="kept out"):
        points.claim([*parts, Part(f"{tmp_path}/{'x' * 300}")])
    assert names(tmp_path) == [], "and leaves nothing"


def test_one_that_is_being_removed_is_waited_for_but_not_for_ever(
    points: MountPoints, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(mountpoints, "_PATIENCE_SECONDS", 0.02)
    Path(parts[0].path).mkdir(mode=0o1755)
    holder = os.open(parts[0].path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(PlanRefused, match="another run"):
        points.claim(parts)
    os.close(holder)


_KILLED = """
import sys, time
from sandbox import mountpoints
from sandbox.model import Part
points = mountpoints.MountPoints()
parts = [Part(path) for path in sys.argv[2:]]
points.watch_over(parts)
if sys.argv[1] == "claimed":
    points.claim(parts)
else:
    mountpoints._make(".vscode", None, mountpoints._open_folder(parts[0].path))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("when", ["claimed", "made-and-not-held-yet"])
def test_a_janitor_removes_them_when_we_are_killed(tmp_path: Path, when: str) -> None:
    path = tmp_path / ".vscode"
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, when, str(path)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        assert path.is_dir()
        run.send_signal(signal.SIGKILL)
    asyncio.run(until(lambda: not path.exists()))
