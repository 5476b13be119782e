"""`netproxy demo`: the real steps, on this machine, and its honesty when one of them fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netproxy.app.demo.steps import LAST, STEPS
from tests.support.at_terminal import Terminal
from tests.support.fair_clock import share
from tests.support.hiding import without
from tests.support.people import ROOT, Person
from tests.support.runs import NETPROXY, Netproxy

if TYPE_CHECKING:
    from collections.abc import Iterator

# What somebody will wait for, on a machine that does nothing else.
SECONDS = 20
# A demo that is stuck. The suite's machines may be busy.
STUCK_SECONDS = 120
_FOLDER = re.compile(r"\S*/netproxy-demo-\w+")


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def programs(base: Path, *names: str) -> str:
    """A PATH with no other programs than these, besides the interpreter's own folder."""
    folder = base / "bin"
    folder.mkdir()
    for name in names:
        path = shutil.which(name)
        assert path is not None, f"{name} is not installed"
        (folder / name).symlink_to(path)
    return str(folder)


def test_inside_a_run_it_says_that_it_needs_to_be_outside(netproxy: Netproxy) -> None:
    done = netproxy.run("--ask", "never", command=(*NETPROXY, "demo"))
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        "netproxy demo: this is inside a netproxy run, whose rules hold: the demo needs to be "
        "outside\n"
    )


def test_every_step_does_what_it_says(netproxy: Netproxy) -> None:
    own = netproxy.person.owns(netproxy.config / "netproxy")
    (own / "config.toml").write_text("the person's own settings, not even TOML\n")
    began = time.monotonic()
    done = netproxy("demo", timeout=STUCK_SECONDS)
    assert (done.status, done.err) == (0, ""), done.out
    assert (time.monotonic() - began) * share() < SECONDS
    for number, step in enumerate((*STEPS, LAST), start=1):
        assert f"── {number}. {step.title} ──" in done.out
    assert "left out" not in done.out
    for sight in (
        "netproxy asks: may this command go there?",
        "netproxy: allowed for this session: http://news.test:",
        "netproxy run: stopped the command: http://tracker.test:",
        "exit status 77",
        "netproxy run: stopped the command: tcp://192.0.2.1:443 ",
        "http   denied_by_rule",
        "http   approved",
        "http   allowed_by_grant",
    ):
        assert sight in done.out
    assert "\x1b" not in done.out, "no colours into a pipe"
    folder = _FOLDER.search(done.out)
    assert folder is not None
    assert not Path(folder[0]).exists(), "it cleans up"
    assert list(netproxy.state.iterdir()) == [], "the person's own journal is not the demo's"


def test_at_a_terminal_it_is_coloured_and_fits(ordinary: Person, base: Path) -> None:
    """An ordinary user's."""
    netproxy = Netproxy(ordinary, base)
    environment = netproxy.environment()
    with Terminal(
        netproxy.argv("demo"), cwd=netproxy.workspace, environment=environment
    ) as terminal:
        terminal.see("each did what it says", timeout=STUCK_SECONDS)
        assert terminal.wait() == 0
    assert b"\x1b[32mok\x1b[0m" in terminal.screen
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.screen.decode())
    assert "\x1b" not in plain, "colours, and nothing that moves the cursor"
    assert [line for line in plain.split("\r\n") if len(line) > 100] == []
    assert "left out" not in plain
    assert [step.title for step in (*STEPS, LAST) if f". {step.title} ──" not in plain] == []


def test_a_terminal_that_goes_away_leaves_nothing(netproxy: Netproxy, base: Path) -> None:
    """Also: NO_COLOR is obeyed."""
    temporary = base / "temporary"
    temporary.mkdir()
    environment = netproxy.environment({"NO_COLOR": "1", "TMPDIR": str(temporary)})
    with Terminal(
        netproxy.argv("demo"), cwd=netproxy.workspace, environment=environment
    ) as terminal:
        terminal.see("2. git clone", timeout=STUCK_SECONDS)
        assert b"\x1b" not in terminal.screen
        assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []


def test_a_step_that_fails_is_named(netproxy: Netproxy, base: Path) -> None:
    """A curl that pretends: exit status 0 and a page, and nobody was asked for it."""
    path = programs(base, "bwrap", "sh", "sleep", "git")
    fake = base / "bin" / "curl"
    fake.write_text("#!/bin/sh\necho Welcome to the shop\n")
    fake.chmod(0o755)
    done = netproxy("demo", environment={"PATH": path})
    assert done.status == 1
    assert done.err.startswith("netproxy demo: FAILED at 'An allowed site': ")
    assert done.err.count("\n") == 1


def test_a_record_that_says_something_else_fails_the_step(netproxy: Netproxy, base: Path) -> None:
    """The right page is not enough: where else the command went is on record."""
    path = programs(base, "bwrap", "sh", "sleep", "git")
    fake = base / "bin" / "curl"
    real = shutil.which("curl")
    fake.write_text(f'#!/bin/sh\n{real} -s http://other.test/ -o /tmp/other\nexec {real} "$@"\n')
    fake.chmod(0o755)
    done = netproxy("demo", environment={"PATH": path})
    assert done.status == 1
    assert "FAILED at 'An allowed site'" in done.err


def test_a_host_that_cannot_gets_doctors_line(netproxy: Netproxy) -> None:
    done = subprocess.run(
        [*without("bwrap"), *netproxy.argv("demo")],
        capture_output=True,
        text=True,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=False,
    )
    assert done.returncode == 1
    assert "netproxy demo: FAIL  bubblewrap: bwrap is not installed" in done.stderr
    assert done.stdout == "", "nothing was started"


def test_an_interrupted_demo_leaves_nothing(netproxy: Netproxy, base: Path) -> None:
    temporary = base / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        netproxy.argv("demo"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=netproxy.workspace,
        env=netproxy.environment({"TMPDIR": str(temporary)}),
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        while b"2. git clone" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(30) == 130
    assert list(temporary.iterdir()) == []


@pytest.fixture
def installed_under_tmp() -> Iterator[Path]:
    """An interpreter in /tmp, which is private inside a sandbox, with netproxy in it."""
    folder = Path(f"/tmp/netproxy-test-{os.getpid()}")
    venv.create(folder / "venv", symlinks=True)
    for package in ("netproxy", "approvals", "sandbox", "otel"):
        shutil.copytree(ROOT / package, folder / package)  # bytecode, too: it is for these sources
    library = folder / "venv" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    # The demo's command needs pip inside, where the rest of a checkout in /tmp would be hidden.
    shutil.copytree(Path(sysconfig.get_path("purelib")) / "pip", library / "pip")
    lines = (str(folder), sysconfig.get_path("purelib"))
    (library / "netproxy.pth").write_text("\n".join(lines) + "\n")
    yield folder / "venv" / "bin" / "python"
    shutil.rmtree(folder)


def test_it_works_when_installed_under_tmp_and_without_a_client(
    netproxy: Netproxy, installed_under_tmp: Path, base: Path
) -> None:
    """Two oddities at once, which have nothing to do with each other: a demo takes seconds."""
    path = programs(base, "bwrap", "sh", "sleep", "curl")
    done = subprocess.run(
        [installed_under_tmp, "-I", "-m", "netproxy", "demo"],
        capture_output=True,
        text=True,
        cwd="/",
        env=netproxy.environment({"PATH": path}),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "── 2. git clone ──" in done.stdout
    assert "(left out: not installed: git)" in done.stdout
    assert "each did what it says" in done.stdout
