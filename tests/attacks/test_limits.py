"""A command that would take more than it was given: the limits hold for all that it starts.

Each was seen to fail with its limit not set, and that none can be raised, with soft limits only.
That others' processes don't count is the user namespace's doing: without one bwrap builds nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

_TAKES_TOO_MUCH = """
import errno, os, resource, subprocess, sys
for number in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_FSIZE):
    try:
        resource.setrlimit(number, (2 * resource.getrlimit(number)[0],) * 2)
        print("raised", number)
    except ValueError:
        pass
try:
    bytearray(1 << 30)
    print("memory")
except MemoryError:
    pass
held = []
try:
    while len(held) < 200:
        held.append(os.open("/", os.O_RDONLY))
    print("files")
except OSError as error:
    assert error.errno == errno.EMFILE
for one in held:
    os.close(one)
subprocess.run(["sh", "-c", "head -c 1000000 /dev/zero > big; true"], stderr=subprocess.DEVNULL)
print(os.path.getsize("big"))
"""

_FORKS = """
import os, time
held = 0
try:
    while held < 100:
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        held += 1
except BlockingIOError:
    pass
print(held)
"""


def test_no_process_of_it_gets_more(person: Person, base: Path) -> None:
    netproxy = Netproxy(person, base)
    limits = ("memory=256M", "open-files=64", "file-size=64K")
    options = [word for limit in limits for word in ("--limit", limit)]

    done = netproxy.run(
        "--ask", "never", *options, command=[sys.executable, "-I", "-c", _TAKES_TOO_MUCH]
    )

    assert (done.status, done.out) == (0, f"{64 << 10}\n"), done.err


def test_the_processes_of_others_do_not_count(ordinary: Person, base: Path) -> None:
    """They are counted in the sandbox's own user namespace: no build elsewhere starves it."""
    netproxy = Netproxy(ordinary, base)
    with ExitStack() as stack:
        for _ in range(30):
            process = subprocess.Popen([*ordinary.prefix, "sleep", "20"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        options = ("--ask", "never", "--limit", "processes=20")
        done = netproxy.run(*options, command=[sys.executable, "-I", "-c", _FORKS])
    assert done.status == 0, done.err
    assert 10 <= int(done.out) < 20


@pytest.mark.skipif(os.getuid() != 0, reason="only root's are not counted")
@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["run", "only shown"])
def test_for_root_processes_cannot_be_limited_and_that_is_said(
    me: Person, base: Path, more: tuple[str, ...]
) -> None:
    done = Netproxy(me, base).run("--limit", "processes=20", *more, command=["echo", "ran"])
    assert (done.status, done.out) == (64, "")
    assert "--limit processes can't be enforced for root" in done.err


def test_nor_without_a_sandbox_and_that_is_said(ordinary: Person, base: Path) -> None:
    """There all that the user runs would count."""
    options = ("--no-sandbox", "--limit", "processes=20")
    done = Netproxy(ordinary, base).run(*options, command=["echo", "ran"])
    assert (done.status, done.out) == (64, "")
    assert "--limit processes needs the sandbox" in done.err
