"""A command of another launcher is ended by handle and group, without any help of that one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from sandbox.model import Exited, Signalled
from sandbox.remote import RemoteCommand
from tests.support.fair_clock import FairClock
from tests.support.late_loops import LateLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FAMILY = "trap 'echo told; exit 3' TERM; echo up; while :; do sleep 0.01; done"
KILLED = Signalled(signal=signal.SIGKILL, unreported=True)
DEAF = "trap '' TERM; echo up; while :; do sleep 0.01; done"


def with_family(
    script: str,
    story: Callable[[RemoteCommand, subprocess.Popen[str]], Awaitable[None]],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """The command stands for its own init, and leads a group as a command does."""

    async def told() -> None:
        with subprocess.Popen(
            ["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as family:
            assert family.stdout is not None
            assert family.stdout.readline() == "up\n"
            command = RemoteCommand(os.pidfd_open(family.pid))
            try:
                await story(command, family)
            finally:
                await command.finish(kill=True)
                await command.finish(kill=True)  # once more is nothing

    asyncio.run(told(), loop_factory=loop)


def test_it_is_told_at_once_and_may_say_a_last_word() -> None:
    async def story(command: RemoteCommand, family: subprocess.Popen[str]) -> None:
        command.terminate()  # it has not begun, so nobody is meant
        command.began(family.pid)
        os.kill(family.pid, signal.SIGSTOP)
        command.terminate()
        assert family.stdout is not None
        assert family.stdout.readline() == "told\n"
        command.reported(Exited(code=3))
        command.reported(Exited(code=4))
        phases: list[str] = []
        await command.end(phases.append)
        assert (phases, command.ended.result()) == (["terminated", "killed"], Exited(code=3))
        command.terminate()  # who has ended is not told again

    with_family(FAMILY, story)


def test_who_does_not_listen_is_killed_after_the_grace() -> None:
    async def story(command: RemoteCommand, family: subprocess.Popen[str]) -> None:
        command.began(family.pid)
        clock = FairClock()
        command.terminate()
        await command.end(lambda _: None)
        assert await command.ended == KILLED
        assert clock() < 0.3

    with_family(DEAF, story)


def test_what_was_killed_from_outside_has_ended() -> None:
    async def story(command: RemoteCommand, family: subprocess.Popen[str]) -> None:
        os.kill(family.pid, signal.SIGKILL)
        assert await command.ended == KILLED

    with_family(DEAF, story)


def test_who_is_gone_is_not_called_endless_because_we_are_late() -> None:
    async def story(_: RemoteCommand, family: subprocess.Popen[str]) -> None:
        family.kill()
        family.wait()

    with_family(FAMILY, story, LateLoop)
