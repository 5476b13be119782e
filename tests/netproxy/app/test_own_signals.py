"""A signal that comes to us is the command's, but for a SIGHUP that asks for a reload."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.app.own_signals import OwnSignals
from tests.support.loops import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.app.hang_up import HangUp
    from sandbox.command import Command


class FakeCommand:
    """A command that notes what it is sent."""

    relay = None
    on_stop: Callable[[int], None]

    def __init__(self) -> None:
        self.told: list[str] = []

    def signal(self, number: int) -> None:
        self.told.append(f"signal {number}")


class FakeHangUp:
    """Comes when it is looked for the nth time, and never again."""

    def __init__(self, comes_at: int) -> None:
        self.looks = 0
        self._comes_at = comes_at

    def has_come(self) -> bool:
        self.looks += 1
        return self.looks == self._comes_at


@pytest.mark.parametrize(
    ("comes_at", "told"),
    [
        pytest.param(0, ["reload"], id="a-request"),
        pytest.param(1, ["signal 1"], id="a-hang-up"),
        pytest.param(2, ["reload", "signal 1"], id="a-terminal-that-closes-behind-the-signal"),
    ],
)
def test_a_hang_up_is_the_commands_and_any_other_sighup_is_ours(
    comes_at: int, told: list[str]
) -> None:
    async def story() -> list[str]:
        command = FakeCommand()
        signals = OwnSignals(cast("Command", command), lambda: command.told.append("reload"))
        signals._hang_up = cast("HangUp", hang_up)
        with signals:
            os.kill(os.getpid(), signal.SIGHUP)
            looks = max(comes_at, 2 if told[0] == "reload" else 1)
            await until(lambda: hang_up.looks >= looks)
        return command.told

    hang_up = FakeHangUp(comes_at)
    assert asyncio.run(story()) == told


def test_what_is_sent_to_us_reaches_the_command_and_later_ends_nobody() -> None:
    async def story() -> list[str]:
        command = FakeCommand()
        with OwnSignals(cast("Command", command), lambda: None):
            os.kill(os.getpid(), signal.SIGUSR1)
            await until(lambda: command.told)
        return command.told

    assert asyncio.run(story()) == [f"signal {signal.SIGUSR1:d}"]


def test_whoever_heard_them_before_hears_them_afterwards() -> None:
    async def story() -> list[str]:
        with OwnSignals(cast("Command", FakeCommand()), lambda: None):
            pass
        os.kill(os.getpid(), signal.SIGUSR2)
        await until(lambda: heard)
        return heard

    heard: list[str] = []
    before = signal.signal(signal.SIGUSR2, lambda *_: heard.append("before"))
    try:
        assert asyncio.run(story()) == ["before"]
    finally:
        signal.signal(signal.SIGUSR2, before)
