"""Streams that are closed, full or read by nobody: what a verb's writes come to, and its status."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

BEGINS = "import os, sys\nfrom netproxy.app.standard_streams import standard_streams\n"
# More than both layers of buffers hold: it fails where it is written, not at the end.
LONG = "'x' * 100_000"


def perform(redirected: str, *body: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """Run lines under `standard_streams`, redirected by a shell: the status, and what it said."""
    script = BEGINS + "with standard_streams():\n" + "".join(f"    {line}\n" for line in body)
    shell = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", script]
    done = subprocess.run(
        shell, capture_output=True, text=True, check=False, env={**os.environ, **(environ or {})}
    )
    return done.returncode, done.stdout + done.stderr


def test_closed_streams_are_opened_and_can_be_used(tmp_path: Path) -> None:
    """Whatever was closed: no descriptor of ours takes its number."""
    told = tmp_path / "told"
    ended = perform(
        f"3>{told} 0<&- 1>&- 2>&-",
        "print('lost'); print('lost', file=sys.stderr); sys.stdout.flush()",
        "where = [os.readlink(f'/proc/self/fd/{number}') for number in (0, 1, 2)]",
        "os.write(3, repr([*where, sys.stdin.read()]).encode())",
    )
    assert ended == (0, "")
    assert told.read_text() == repr([*["/dev/null"] * 3, ""])


@pytest.mark.parametrize("text", ["'x'", LONG], ids=["at the end", "at once"])
def test_a_full_stdout_is_the_outcome(text: str) -> None:
    """Also where the verb would take an OSError for one of its own, or leaves by itself."""
    line = "netproxy: can't write standard output: No space left on device\n"
    lines = ("try:", f"    print({text}, flush=True)", "except OSError:", "    print('wrong')")
    assert perform(">/dev/full", *lines) == (73, line)
    assert perform(">/dev/full", f"print({text})", "sys.exit(5)") == (73, line)


@pytest.mark.parametrize("text", ["'x'", LONG], ids=["at the end", "at once"])
def test_a_reader_that_left_ends_it_without_a_word(text: str) -> None:
    read, write = os.pipe()
    os.close(read)
    script = f"{BEGINS}with standard_streams():\n    print({text})\n"
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_what_can_not_be_said_on_stderr_stops_nothing(where: str) -> None:
    lines = (f"sys.stderr.write({LONG} + '\\n')", "print('done')", "sys.exit(5)")
    assert perform(where, *lines) == (5, "done\n")


def test_a_stderr_that_takes_nothing_now_stops_nothing() -> None:
    """It may be a pipe that somebody else made non-blocking."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    os.write(write, bytes(1 << 20))
    script = f"{BEGINS}with standard_streams():\n    sys.stderr.write('lost\\n'); sys.exit(5)\n"
    done = subprocess.run([sys.executable, "-c", script], stderr=write, check=False)
    os.close(read)
    os.close(write)
    assert done.returncode == 5


def test_a_failure_in_a_task_is_no_traceback() -> None:
    """As in `netproxy approvals watch`: asyncio would tell of a SystemExit at length."""
    lines = (
        "import asyncio",
        "async def show(): print('x', flush=True)",
        "async def wait():",
        "    async with asyncio.TaskGroup() as group:",
        "        group.create_task(show())",
        "        await asyncio.sleep(60)",
        "async def both(): await asyncio.gather(asyncio.create_task(wait()))",
        "asyncio.run(both())",
    )
    line = "netproxy: can't write standard output: No space left on device\n"
    assert perform(">/dev/full", *lines) == (73, line)


def test_another_error_is_left_alone() -> None:
    status, said = perform(">/dev/full", "raise OSError('of something else')")
    assert status == 1
    assert said.endswith("OSError: of something else\n")


def test_a_line_is_out_at_once_where_python_is_told_to() -> None:
    lines = ("print('first')", "os.write(1, b'second\\n')")
    assert perform("", *lines, environ={"PYTHONUNBUFFERED": ""})[1] == "second\nfirst\n"
    assert perform("", *lines, environ={"PYTHONUNBUFFERED": "1"})[1] == "first\nsecond\n"
