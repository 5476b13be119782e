"""An event loop that gets too little of the processor."""

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
