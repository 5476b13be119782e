"""A signal that comes to us is the command's, but for a SIGHUP that asks for a reload."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.app.called_off import CalledOff, unwinding
from netproxy.app.own_signals import OwnSignals, released
from tests.support.loops import until

if TYPE_CHECKING:
    import sandbox.process
    from netproxy.app.hang_up import HangUp
    from sandbox.command import Command


class FakeCommand:
    """A command that notes what it is sent."""

    relay = None

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
        signals = OwnSignals(lambda: command.told.append("reload"))
        signals.take(cast("Command", command))
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
        with OwnSignals(lambda: None) as signals:
            signals.take(cast("Command", command))
            os.kill(os.getpid(), signal.SIGUSR1)
            await until(lambda: command.told)
        return command.told

    assert asyncio.run(story()) == [f"signal {signal.SIGUSR1:d}"]


@pytest.mark.parametrize(
    ("number", "told"),
    [
        pytest.param(signal.SIGTERM, [f"signal {signal.SIGTERM:d}"], id="SIGTERM"),
        pytest.param(signal.SIGINT, [f"signal {signal.SIGINT:d}"], id="SIGINT"),
        pytest.param(signal.SIGUSR1, [f"signal {signal.SIGUSR1:d}"], id="SIGUSR1"),
        pytest.param(signal.SIGHUP, ["reload"], id="SIGHUP"),
    ],
)
def test_what_comes_while_the_command_starts_is_the_commands(
    number: signal.Signals, told: list[str]
) -> None:
    """It runs, and may have said so, before we know its process."""

    class Fence:
        async def release(self) -> FakeCommand:
            os.kill(os.getpid(), number)
            return command

    async def story() -> None:
        fence = cast("sandbox.process.Fence", Fence())
        async with released(fence, lambda: command.told.append("reload"), ends_at=None):
            await until(lambda: command.told)

    command = FakeCommand()
    with unwinding():
        try:
            asyncio.run(story())
        except (CalledOff, KeyboardInterrupt) as called_off:
            raise AssertionError("the run was called off") from called_off
    assert command.told == told


def test_whoever_heard_them_before_hears_them_afterwards() -> None:
    async def story() -> list[str]:
        with OwnSignals(lambda: None) as signals:
            signals.take(cast("Command", FakeCommand()))
        os.kill(os.getpid(), signal.SIGUSR2)
        await until(lambda: heard)
        return heard

    heard: list[str] = []
    before = signal.signal(signal.SIGUSR2, lambda *_: heard.append("before"))
    try:
        assert asyncio.run(story()) == ["before"]
    finally:
        signal.signal(signal.SIGUSR2, before)
