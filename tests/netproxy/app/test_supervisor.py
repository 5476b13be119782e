"""The supervisor tells the command to end before anybody hears of the refusal."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.app.supervisor import EXIT_DENIED, Denial, Supervisor
from netproxy.model import Decision, Destination, Protocol, Reason, Source
from sandbox.model import Exited
from sandbox.token import CancellationToken
from tests.support.fakes import FakeAudit

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.app.hang_up import HangUp
    from sandbox.command import Command

DENIAL = Denial(
    destination=Destination(host="example.com", port=443, protocol=Protocol.HTTPS),
    decision=Decision(
        allowed=False, source=Source.BASELINE_POLICY, reason=Reason.NOT_ALLOWED, message="no rule"
    ),
    connection_id="c-1",
)


class FakeCommand:
    """A command that notes what is done to it, and never ends by itself."""

    relay = None

    def __init__(self) -> None:
        self.told: list[str] = []
        self.ended = asyncio.get_running_loop().create_future()

    def signal(self, number: int) -> None:
        self.told.append(f"signal {number}")

    def terminate(self) -> None:
        self.told.append("terminate")

    async def end(self, on_phase: Callable[[str], None]) -> None:
        self.told.append("end")
        on_phase("killed")

    async def finish(self, *, kill: bool) -> None:
        self.told.append("kill" if kill else "finish")


def supervise(command: FakeCommand, token: CancellationToken[Denial]) -> Supervisor:
    return Supervisor(
        cast("Command", command),
        token,
        FakeAudit(),
        timeout_seconds=None,
        close_connections=lambda _: command.told.append("close connections"),
        request_reload=lambda: command.told.append("reload"),
    )


def test_the_command_is_told_to_end_before_the_refusal_can_be_answered() -> None:
    asyncio.run(_a_denial())


async def _a_denial() -> None:
    token: CancellationToken[Denial] = CancellationToken()
    command = FakeCommand()
    watching = asyncio.create_task(supervise(command, token).watch())
    await asyncio.sleep(0)

    token.cancel(DENIAL)  # the gate does this before it returns the decision that is answered
    assert command.told == ["terminate"]

    outcome = await watching
    assert command.told == ["terminate", "close connections", "end", "kill"]
    assert (outcome.status, outcome.denial) == (EXIT_DENIED, DENIAL)


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
        supervisor = supervise(command, CancellationToken())
        supervisor._hang_up = cast("HangUp", hang_up)
        watching = asyncio.create_task(supervisor.watch())
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(5):
            while hang_up.looks < max(comes_at, 2 if told[0] == "reload" else 1):
                await asyncio.sleep(0.01)
        seen = list(command.told)
        command.ended.set_result(Exited(code=0))
        await watching
        return seen

    hang_up = FakeHangUp(comes_at)
    assert asyncio.run(story()) == told
