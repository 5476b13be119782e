"""Tests that are coroutines: each in an event loop of its own, with real time and real sockets."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

# A test that hangs says where instead of holding up the suite.
_SECONDS = 60
# Far above what the busiest machine needs.
PATIENCE_SECONDS = 20.0


def on_a_loop[**P](test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def limited() -> None:
            async with asyncio.timeout(_SECONDS):
                await test(*args, **kwargs)

        asyncio.run(limited())

    return run


async def until(holds: Callable[[], object]) -> None:
    """Wait for something that a thread, a process or another task does; fail when it does not."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.002)
