"""The supervisor tells the command to end before anybody hears of the refusal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netproxy.app.supervisor import EXIT_DENIED, Denial, Supervisor
from netproxy.model import Decision, Destination, Protocol, Reason, Source
from sandbox.token import CancellationToken
from tests.support.fakes import FakeAudit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.model import Ending

DENIAL = Denial(
    destination=Destination(host="example.com", port=443, protocol=Protocol.HTTPS),
    decision=Decision(
        allowed=False, source=Source.BASELINE_POLICY, reason=Reason.NOT_ALLOWED, message="no rule"
    ),
    connection_id="c-1",
)


class FakeCommand:
    """A command that notes what is done to it, and never ends by itself."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def terminate(self) -> None:
        self.told.append("terminate")

    async def end(self, on_phase: Callable[[str], None]) -> None:
        self.told.append("end")
        on_phase("killed")

    async def finish(self, *, kill: bool) -> None:
        self.told.append("kill" if kill else "finish")


def supervise(command: FakeCommand, token: CancellationToken[Denial]) -> Supervisor:
    return Supervisor(
        command,
        token,
        FakeAudit(),
        timeout_seconds=None,
        close_connections=lambda _: command.told.append("close connections"),
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
