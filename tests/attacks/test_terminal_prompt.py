"""Tries to answer, forge or hide the terminal's question from the command's side.

Defences: the question is read from /dev/tty and never from the command's stdin; what was typed
before it, or in a burst, answers nothing; every character from the command is made visible; the
screen is put in order first; two questions never read the same key.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from approvals.clock import SystemClock
from approvals.config import TerminalConfig
from approvals.reviewers.terminal import TerminalReviewer
from tests.support.approvals import ASKING, KEY
from tests.support.store_contract import Hands
from tests.support.terminals import HeldInquiry, NotedScreen, Window, window

if TYPE_CHECKING:
    from approvals.ports import Clock

FAST = TerminalConfig(deaf_seconds=0.05, quiet_seconds=0.02, tick_seconds=0.02, poll_seconds=0.01)
ROOT = Path(__file__).parents[2]

# A process of its own with the terminal as its controlling one and its stdin a pipe: what
# `netproxy run` is when its input is redirected. It prints the verdict to stdout, a pipe, too.
ALONE = """
import asyncio, fcntl, os, sys, termios
from approvals.clock import SystemClock
from approvals.config import TerminalConfig
from approvals.reviewers.terminal import TerminalReviewer
from tests.support.store_contract import Hands
from tests.support.terminals import HeldInquiry, NotedScreen
os.close(os.open(sys.argv[1], os.O_RDWR))
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
reviewer = TerminalReviewer(
    reviewer="anna", screen=NotedScreen(), clock=SystemClock(), environment={"TERM": "xterm"},
    config=TerminalConfig(deaf_seconds=0.05, quiet_seconds=0.02, tick_seconds=0.02),
)
print(asyncio.run(reviewer.review(HeldInquiry())).verdict)
"""


def reviewer(
    terminal: Window, config: TerminalConfig = FAST, clock: Clock | None = None
) -> TerminalReviewer:
    return TerminalReviewer(
        reviewer="anna",
        screen=NotedScreen(),
        clock=clock or SystemClock(),
        config=config,
        environment={"TERM": "xterm", "NO_COLOR": "1"},
        path=terminal.path,
        in_foreground=lambda _: True,
    )


def test_the_commands_stdin_can_not_answer() -> None:
    """`yes o | netproxy run …` approves nothing; the key on the terminal counts."""

    async def main() -> None:
        with window() as terminal:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                ALONE,
                terminal.path,
                cwd=ROOT,
                start_new_session=True,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=terminal.slave,
            )
            assert process.stdin is not None
            process.stdin.write(b"o\n" * 1000)
            await terminal.sees("left to answer")
            await asyncio.sleep(0.1)
            assert process.returncode is None
            terminal.type("d")
            output, _ = await asyncio.wait_for(process.communicate(), 30)
            assert output == b"deny\n"

    asyncio.run(main())


@pytest.mark.parametrize(
    "hostile",
    [
        "evil.example\x1b[2J\x1b[Hpypi.org",
        "evil.example\x1b]0;title\x07",
        "evil.example\x9b2J",
        "\u202egro.ipyp",
        "pypi.org\u200b.evil.example",
        "evil.example\r\n  host       pypi.org",
        "[bold]pypi.org[/bold]",
        "evil.example\u2028pypi.org",
    ],
    ids=["clear", "title", "c1", "bidi", "zero width", "new line", "markup", "separator"],
)
def test_no_text_of_the_command_can_move_the_cursor_or_paint(hostile: str) -> None:
    """Each character is on the screen, spelled out; no sequence but our own got there."""

    async def main() -> None:
        asking = replace(
            ASKING,
            key=replace(KEY, host=hostile),
            command=hostile,
            directory=hostile,
            explanation=hostile,
            hint=hostile,
            unicode_host=hostile,
        )
        with window() as terminal:
            terminal.resize(200)
            async with asyncio.TaskGroup() as tasks:
                review = tasks.create_task(reviewer(terminal).review(HeldInquiry(asking=asking)))
                await terminal.sees("left to answer")
                review.cancel()
            terminal.look()
            shown = terminal.text
        for ours in ("\x1b7", "\x1b8", "\x1b[?69l", "\x1b[r", "\x1b[4l", "\x1b(B", "\x1b[0m"):
            shown = shown.replace(ours, "")
        for ours in ("\x0f", "\x1b[J", "\x1b[K", "\r", "\n"):
            shown = shown.replace(ours, "")
        assert shown.isprintable()
        assert hostile.isprintable() or hostile not in terminal.text
        assert "evil.example" in shown or "gro.ipyp" in shown or "[bold]" in shown

    asyncio.run(main())


def test_what_was_typed_for_the_command_does_not_answer() -> None:
    """A password prompt, a shell, a game: the fingers are faster than the eye."""

    async def main() -> None:
        # By a clock that the test moves: a busy machine doesn't look like a typist who paused.
        clock = Hands()
        with window() as terminal:
            terminal.type("ooooss\n")
            async with asyncio.TaskGroup() as tasks:
                review = tasks.create_task(reviewer(terminal, clock=clock).review(HeldInquiry()))
                await terminal.sees("left to answer")
                for _ in range(10):  # and goes on typing
                    terminal.type("o")
                    await terminal.is_read()
                    clock.now += FAST.quiet_seconds * 0.9
                assert not review.done()
                clock.now += FAST.quiet_seconds
                terminal.type("so")  # a paste
                await terminal.sees("Press one of")
                assert not review.done()
                review.cancel()

    asyncio.run(main())


def test_a_command_that_set_a_one_line_scroll_region_can_not_hide_the_host() -> None:
    async def main() -> None:
        with window() as terminal:
            async with asyncio.TaskGroup() as tasks:
                review = tasks.create_task(reviewer(terminal).review(HeldInquiry()))
                await terminal.sees("left to answer")
                review.cancel()
            before, _, _ = terminal.look().partition("netproxy asks")
            assert "\x1b[r" in before
            assert "\x1b[J" in before

    asyncio.run(main())
