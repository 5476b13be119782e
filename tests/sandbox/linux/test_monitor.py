"""How the monitor finds a program: as the standard library does, which takes longer to load.

And how it takes its orders.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox.linux.kernel import in_memory
from sandbox.linux.monitor import _hear, _take_orders

if TYPE_CHECKING:
    from pathlib import Path

# Exits with what the program does, or with the number of the error.
EXECUTE = """
import os, sys
from sandbox.linux.monitor import execute
how, name, *path = sys.argv[1:]
argv, environment = [os.fsencode(name)], {b"PATH": os.fsencode(path[0])} if path else {}
try:
    execute(argv, environment) if how == "ours" else os.execvpe(argv[0], argv, environment)
except OSError as error:
    os._exit(error.errno)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folders `a` and `b`; `tool` can be executed in `b` only, `data` nowhere, `here` is here."""
    for name, status, mode in (("b/tool", 201, 0o755), ("here", 202, 0o755), ("b/data", 0, 0o644)):
        program = tmp_path / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(mode)
    (tmp_path / "a/tool").mkdir(parents=True)
    (tmp_path / "b/lost").write_text("#!/no/such/interpreter\n")
    (tmp_path / "b/lost").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("tool", "a:b"), 201),  # EACCES for the folder of that name, and it is looked for further
        (("tool", "none:here:b"), 201),
        (("tool", "a"), 13),
        (("tool", "a:none"), 13),  # what is there says more than what is not
        (("data", "a:b"), 13),
        (("gone", "a:b"), 2),
        (("gone", "a:here"), 20),
        (("lost", "b:a"), 2),
        (("here", ""), 202),  # an empty entry is the working directory
        (("here", "a:"), 202),
        (("here", "a"), 2),
        (("./here", "a"), 202),  # with a slash it is a path
        (("b/tool", "a"), 201),
        (("b/gone", "a"), 2),
        (("true",), 0),  # without a PATH: /bin and /usr/bin
        (("gone",), 2),
    ],
)
def test_a_program_is_found_as_by_execvpe(
    folder: Path, words: tuple[str, ...], status: int
) -> None:
    found = {
        how: subprocess.run(
            [sys.executable, "-c", EXECUTE, how, *words], cwd=folder, check=False
        ).returncode
        for how in ("ours", "theirs")
    }
    assert found == {"ours": status, "theirs": status}


@pytest.mark.parametrize("words", [("./plain",), ("plain", "none:.:b")], ids=["path", "name"])
def test_a_script_that_names_no_interpreter_is_the_shells(
    folder: Path, words: tuple[str, ...]
) -> None:
    """And no other one further down is taken for it."""
    for place, status in ((folder, 203), (folder / "b", 204)):
        (place / "plain").write_text(f'[ -e "$0" ] && exit {status}\n')
        (place / "plain").chmod(0o755)
    done = subprocess.run([sys.executable, "-c", EXECUTE, "ours", *words], cwd=folder, check=False)
    assert done.returncode == 203


def test_no_program_has_an_empty_name(folder: Path) -> None:
    """As in a shell, which says 127."""
    words = [sys.executable, "-c", EXECUTE, "ours", "", "a:b"]
    assert subprocess.run(words, cwd=folder, check=False).returncode == 2


def test_orders_have_no_end_that_is_too_far() -> None:
    """A message that holds them would be cut, or refused: a folder for each of 20,000 is 1 MB."""
    wanted = [
        ("write", f"/srv/a folder with a long name/\udcff={number}") for number in range(20_000)
    ]
    text = b"".join(os.fsencode(f"{name}={words}") + b"\0" for name, words in wanted)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    orders = in_memory("orders", text)
    with ours, theirs:
        socket.send_fds(ours, [b"o"], [orders])
        os.close(orders)
        assert _take_orders(theirs) == wanted


def test_who_was_killed_with_something_unread_says_nothing_more() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.send(b"r")
        theirs.close()
        assert _hear(ours) == b""
