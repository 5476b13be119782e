"""Event loops whose clock is not the machine's: one gets too little of the processor, one jumps."""

from __future__ import annotations

import asyncio


class LateLoop(asyncio.SelectorEventLoop):
    """An hour passes whenever it looks at the clock: each wait is over before its turn comes."""

    def __init__(self) -> None:
        super().__init__()
        self._hours = 0

    def time(self) -> float:
        self._hours += 1
        return super().time() + self._hours * 3600


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its clock goes on by as much as a test says: a limit of an hour is over at once.

    So the limit needs not be short, and nothing that must happen before it can come too late.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def jump(self, seconds: float) -> None:
        self._ahead += seconds


def jump(seconds: float) -> None:
    """Put the clock of the running loop on."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    loop.jump(seconds)
