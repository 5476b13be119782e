"""The probe inside dies before it has an answer: nothing is executed, and one line says so.

A bwrap of ours shows the monitor another script in place of the probe's; all else is real.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.handing import Office
from tests.support.people import ROOT

if TYPE_CHECKING:
    from tests.support.people import Person

# Executes the real bwrap, with one file more before the command.
_BWRAP = """#!/usr/bin/python3
import os, sys
words = sys.argv[1:]
if "--" in words:
    at = words.index("--")
    words[at:at] = ["--ro-bind", {probe!r}, {attempts!r}]
os.execv({real!r}, ["bwrap", *words])
"""
_PROBE = """
import os, signal
def try_files(told):
    {dies}
def try_everything(told):
    return []
"""
_NO_ANSWER = "the probe inside the sandbox did not answer"


def with_another_bwrap(me: Person, base: Path, dies: str) -> Person:
    """Whatever he starts finds that bwrap where the system's is."""
    probe, fake, real = base / "probe.py", base / "bwrap", base / "real-bwrap"
    probe.write_text(_PROBE.format(dies=dies))
    real.write_bytes(Path("/usr/bin/bwrap").read_bytes())
    attempts = str(ROOT / "sandbox" / "linux" / "attempts.py")
    fake.write_text(_BWRAP.format(probe=str(probe), attempts=attempts, real=str(real)))
    for program in (fake, real):
        program.chmod(0o755)
    as_root = () if os.getuid() == 0 else ("--user", "--map-root-user")
    script = f'mount --bind {shlex.quote(str(fake))} /usr/bin/bwrap && exec "$@"'
    prefix = ("unshare", *as_root, "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make namespaces, so bwrap can't be replaced")
    return replace(me, prefix=prefix)


@pytest.mark.parametrize(
    ("dies", "said"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", _NO_ANSWER, id="killed"),
        pytest.param("raise RuntimeError", _NO_ANSWER, id="failed"),
        pytest.param("return ['half an answer=OK']", _NO_ANSWER, id="in-the-middle"),
        pytest.param(
            "os.kill(os.getppid(), signal.SIGKILL)",
            "the command's monitor ended without a word",
            id="with-the-monitor",
        ),
    ],
)
def test_nothing_is_executed(me: Person, base: Path, dies: str, said: str) -> None:
    office = Office(with_another_bwrap(me, base, dies), base)
    done = office.run("--ask", "never", command=("touch", "ran"))
    assert (done.status, done.out) == (125, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"netproxy run: the command could not be run: {said}")
    assert not (office.workspace / "ran").exists()
    assert office.events("netproxy.run.started") == []
    (exited,) = office.events("netproxy.run.exited")
    assert exited["process.exit.code"] == 125
    assert len(office.events("netproxy.session.ended")) == 1


def test_nor_where_a_gateway_decides(me: Person, base: Path) -> None:
    """It says no word of go to a launcher that has no proof."""
    office = Office(with_another_bwrap(me, base, "os._exit(0)"), base)
    inner = office.person
    with office.gateway("--ask", "never") as service:
        there = f"/proc/{service.pid}/ns"
        as_user = (f"--user={there}/user", "--preserve-credentials") if os.getuid() else ()
        office.person = replace(inner, prefix=("nsenter", *as_user, f"--mount={there}/mnt"))
        done = office.run("--ask", "never", command=("touch", "ran"), cwd=office.workspace)
        assert (done.status, done.out) == (125, "")
        assert done.err == f"netproxy run: the command could not be run: {_NO_ANSWER}\n"
        assert not (office.workspace / "ran").exists()
        assert office.gateways() == 1
        assert office.events("netproxy.run.started") == []
