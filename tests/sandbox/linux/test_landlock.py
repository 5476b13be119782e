"""Landlock alone, without any sandbox around it: what a process under it can and can't do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.linux import landlock

if TYPE_CHECKING:
    from tests.support.people import Person

# Loaded as the monitor does it; a process of its own, because there is no way back.
_SCRIPT = """
import ctypes, errno, json, os, sys
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS, as bwrap does
sys.path.insert(0, {folder!r})
import landlock
inside, outside = {inside!r}, {outside!r}
def answer(attempt):
    try:
        attempt()
        return "OK"
    except OSError as error:
        return errno.errorcode[error.errno]
monitor = os.getpid()
landlock.stay_unreadable()
rules = landlock.make_ruleset(landlock.version(), [inside, "/dev", "/proc", "/nowhere"])
ready, told = os.pipe()
if os.fork() == 0:
    landlock.enforce(rules)
    os.mkdir(inside + "/a"), os.mkdir(inside + "/b")
    said = dict(
        write=answer(lambda: open(inside + "/a/x", "w").close()),
        rename=answer(lambda: os.rename(inside + "/a/x", inside + "/b/y")),
        link=answer(lambda: os.link(inside + "/b/y", inside + "/a/z")),
        truncate=answer(lambda: os.truncate(inside + "/a/z", 0)),
        remove=answer(lambda: os.remove(inside + "/a/z")),
        device=answer(lambda: open("/dev/null", "w").close()),
        stderr=answer(lambda: open("/dev/stderr", "a").close()),
        read=answer(lambda: open(outside + "/file").close()),
        outside=answer(lambda: open(outside + "/file", "a").close()),
        create=answer(lambda: open(outside + "/new", "w").close()),
        folder=answer(lambda: os.mkdir(outside + "/new")),
        cut=answer(lambda: os.truncate(outside + "/file", 0)),
        gone=answer(lambda: os.remove(outside + "/file")),
        carried=answer(lambda: os.rename(inside + "/b/y", outside + "/y")),
        signal=answer(lambda: os.kill(monitor, 0)),
        memory=answer(lambda: os.open(f"/proc/{{monitor}}/mem", os.O_RDONLY)),
    )
    os.write(told, json.dumps(said).encode())
    os._exit(0)
os.close(told)
os.wait()
print(os.read(ready, 65536).decode())
"""
_STREAM = """
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS, as bwrap does
sys.path.insert(0, {folder!r})
import landlock
landlock.enforce(landlock.make_ruleset(landlock.version(), []))
os.close(os.open("/dev/stdin", os.O_RDONLY))
"""
_MUST_WORK = ("write", "rename", "link", "truncate", "remove", "device", "stderr", "read")
_MUST_NOT = ("outside", "create", "folder", "cut", "gone", "carried", "memory")

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")


@needs_landlock
def test_only_below_its_folders_is_anything_written(person: Person, base: Path) -> None:
    inside, outside = person.owns(base / "inside"), person.owns(base / "outside")
    (person.owns(outside) / "file").write_text("kept")
    (outside / "file").chmod(0o666)
    folder = str(Path(landlock.__file__).parent)
    script = _SCRIPT.format(folder=folder, inside=str(inside), outside=str(outside))
    with (person.owns(base / "logs") / "stderr").open("w") as log:
        os.chown(log.fileno(), person.uid, -1)
        done = subprocess.run(
            [*person.prefix, sys.executable, "-I", "-S", "-B", "-c", script],
            stdout=subprocess.PIPE,
            stderr=log,
            check=True,
        )
    assert (base / "logs" / "stderr").read_text() == ""
    said = json.loads(done.stdout)
    assert {name: said[name] for name in _MUST_WORK} == dict.fromkeys(_MUST_WORK, "OK")
    assert {said[name] for name in _MUST_NOT} <= {"EACCES", "EXDEV"}, said
    assert said["signal"] == ("EPERM" if landlock.version() >= landlock.SCOPES else "OK")
    assert (outside / "file").read_text() == "kept"


@needs_landlock
@pytest.mark.parametrize("kind", ["memory", "namespace"])
def test_what_no_rule_can_be_made_for_needs_none(kind: str) -> None:
    """Such as what a caller gives as input from memory: a run with it starts, and can read it."""
    here = (
        os.memfd_create("input") if kind == "memory" else os.open("/proc/self/ns/net", os.O_RDONLY)
    )
    script = _STREAM.format(folder=str(Path(landlock.__file__).parent))
    words = [sys.executable, "-I", "-S", "-B", "-c", script]
    done = subprocess.run(words, stdin=here, capture_output=True, check=False)
    os.close(here)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_the_kernel_refuses_is_an_error() -> None:
    with pytest.raises(OSError, match="Landlock refused the restriction"):
        landlock.enforce(-1)
