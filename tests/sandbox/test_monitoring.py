from __future__ import annotations

import os
import py_compile
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.monitoring import Heard, compiled, interpreter, monitor_words, receive

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script, and what this interpreter compiled of it."""
    script = tmp_path / "script.py"
    script.write_text("print('as it was')\n")
    py_compile.compile(str(script), doraise=True)
    return script


def _cached(script: Path) -> Path:
    (cached,) = (script.parent / "__pycache__").iterdir()
    return cached


def test_what_was_compiled_of_this_very_source_is_taken(script: Path) -> None:
    assert compiled(script) == _cached(script)
    words = [interpreter(), "-I", "-S", str(compiled(script))]
    said = subprocess.run(words, capture_output=True, text=True, check=True)
    assert said.stdout == "as it was\n"


def _edit(script: Path) -> None:
    script.write_text("print('as it shall be')\n")


def _touch(script: Path) -> None:
    os.utime(script, (1, 1))


def _lose(script: Path) -> None:
    _cached(script).unlink()


def _cut(script: Path) -> None:
    _cached(script).write_bytes(_cached(script).read_bytes()[:10])


def _take_from_another_python(script: Path) -> None:
    rest = _cached(script).read_bytes()[4:]
    _cached(script).write_bytes(b"\0\0\r\n" + rest)


def _trust_its_hash(script: Path) -> None:
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(script), doraise=True, invalidation_mode=mode)


@pytest.mark.parametrize(
    "change", [_edit, _touch, _lose, _cut, _take_from_another_python, _trust_its_hash]
)
def test_else_the_source_is(script: Path, change: Callable[[Path], None]) -> None:
    change(script)
    assert compiled(script) == script


def test_the_monitor_is_started_without_anything_of_its_surroundings() -> None:
    python, *options, script = monitor_words()
    assert not Path(python).is_symlink()
    assert options == ["-I", "-S", "-B", "-X", "utf8"]
    assert Path(script).name.startswith("monitor.")


def test_who_speaks_is_what_the_kernel_says() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        theirs.send(b"r")
        assert receive(ours) == Heard(b"r", os.getpid(), None)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, theirs.fileno().to_bytes(4, sys.byteorder))
        theirs.sendmsg([b"p"], [rights])
        heard = receive(ours)
        assert (heard.message, heard.pid) == (b"p", os.getpid())
        assert heard.descriptor is not None
        assert not os.get_inheritable(heard.descriptor)
        os.close(heard.descriptor)
        theirs.close()
        assert receive(ours).message == b""
