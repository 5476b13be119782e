"""Who watches sees each question once, answers with a key, and is told what others did."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from approvals.model import Scope, Status, Verdict
from tests.support.approvals import ASKING, KEY, answer
from tests.support.at_terminal import Terminal
from tests.support.control_gateways import control_gateway
from tests.support.inbox import FakeInbox, question
from tests.support.loops import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from approvals.model import Question

WATCH = [sys.executable, "-m", "netproxy", "approvals", "watch"]
_LFLAG = 3  # in what termios tells


def about(approval_id: str, host: str, command: str = "pip install requests") -> Question:
    return question(
        approval_id, replace(ASKING, key=replace(KEY, host=host), command=command, group=host)
    )


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**keep, "XDG_RUNTIME_DIR": str(tmp_path), "TERM": "xterm", "LANG": "C.UTF-8"}


@contextmanager
def watching(
    environment: dict[str, str], *words: str, command: Sequence[str] = WATCH
) -> Iterator[subprocess.Popen[str]]:
    """Ended when a test fails, too: nothing would wait for it in vain."""
    with subprocess.Popen(
        [*command, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watch:
        try:
            yield watch
        finally:
            watch.kill()


def left_by_interrupt(terminal: Terminal) -> int:
    """What is pressed before the question has given the terminal back is not for us."""
    asyncio.run(until(lambda: cast("int", terminal.modes()[_LFLAG]) & termios.ISIG))
    terminal.press("\x03")
    return terminal.wait()


def test_questions_are_answered_with_keys(tmp_path: Path, environment: dict[str, str]) -> None:
    hostile = about("a-HOST", "evil.test", "curl \x1b]0;owned\x07 https://evil.test")
    inbox = FakeInbox(about("a-FIRST", "pypi.org"), hostile)
    with (
        control_gateway(tmp_path / "netproxy", inbox) as gateway,
        Terminal(WATCH, cwd=tmp_path, environment=environment) as terminal,
    ):
        terminal.see("host +pypi.org")
        assert b" s at most" not in terminal.screen
        terminal.see("1 request waits")
        assert gateway.do(lambda: gateway.presence.anybody)
        time.sleep(0.6)  # keys that come sooner can't be meant for it
        terminal.press("s")
        terminal.see("allowed for this session: https://pypi.org:443")
        terminal.see("host +evil.test")
        assert b"owned\x07" not in terminal.screen
        # Somebody else is faster.
        said = answer(Verdict.DENY, reviewer="bob")
        gateway.do(lambda: inbox.resolve("a-HOST", Status.DENIED, said))
        terminal.see("denied by bob .fake.: https://evil.test:443")
        assert left_by_interrupt(terminal) == 0
    ((approval_id, given),) = inbox.decided
    assert (approval_id, given.scope, given.channel) == ("a-FIRST", Scope.SESSION, "cli")
    assert given.seen_digest == about("a-FIRST", "pypi.org").digest


def test_lines_for_programs_and_gateways_that_come_and_go(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with watching(environment, "--json") as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert "no gateway of yours runs here yet" in watch.stderr.readline()
        with control_gateway(tmp_path / "netproxy", FakeInbox(about("a-ONE", "pypi.org"))):
            told = json.loads(watch.stdout.readline())
            assert (told["kind"], told["approval_id"]) == ("asked", "a-ONE")
        ended = json.loads(watch.stdout.readline())
        assert (ended["kind"], ended["status"]) == ("resolved", "withdrawn")
        inbox = FakeInbox()
        with control_gateway(tmp_path / "netproxy", inbox) as gateway:
            gateway.do(lambda: inbox.put(about("a-TWO", "pypi.org")))
            assert json.loads(watch.stdout.readline())["approval_id"] == "a-TWO"
            gateway.do(lambda: inbox.resolve("a-TWO", Status.GRANTED, answer()))
            assert json.loads(watch.stdout.readline())["status"] == "granted"
            watch.send_signal(signal.SIGINT)
            assert watch.wait(PATIENCE_SECONDS) == 0
    assert inbox.decided == []


def notifier(folder: Path, told: Path) -> Path:
    program = folder / "notify-send"
    folder.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}.new; mv {told}.new {told}\n')
    program.chmod(0o755)
    return program


def test_the_desktop_is_told_without_its_markup(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """By a program of the system's: one that PATH leads to may be a command's."""
    told, other = tmp_path / "told", tmp_path / "other"
    program = notifier(tmp_path / "bin", told)
    path = f"{notifier(tmp_path / 'node_modules', other).parent}:{environment['PATH']}"
    on_this_host = (
        f"from sandbox import host; host._SYSTEM = ({str(program.parent)!r},)",
        "from netproxy.app.cli import main; main()",
    )
    watch_here = [sys.executable, "-c", "; ".join(on_this_host), "approvals", "watch"]
    rest = ".".join(["a" * 60] * 3) + ".owner.test"  # whose it is stands at the end
    hostile = about("a-ONE", f"<b>evil</b>\x1b.{rest}")
    with (
        control_gateway(tmp_path / "netproxy", FakeInbox(hostile)),
        watching({**environment, "PATH": path}, "--notify", "--bell", command=watch_here) as watch,
    ):
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert watch.stdout.readline().startswith("asked  a-ONE  https://<b>evil</b>\\u001b.a")
        assert watch.stderr.read(1) == "\a"
        asyncio.run(until(told.exists))
    assert not other.exists()
    assert told.read_text().splitlines()[1:] == [
        "--",
        "netproxy asks",
        rf"https://&lt;b&gt;evil&lt;/b&gt;\u001b.{rest}:443",
    ]


def test_a_folder_that_is_not_ours_is_not_watched(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "netproxy").mkdir(mode=0o755)
    done = subprocess.run(
        WATCH,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE_SECONDS,
    )
    assert done.returncode == 69
    assert "chmod 700" in done.stderr
