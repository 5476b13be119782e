"""`--metrics ADDRESS`: what a Prometheus scrapes, `GET /metrics`.

A port of its own beside `--health`: probes are often open to whoever may know that a service is up,
and numbers say more. Rendering takes some milliseconds, in a thread: no tunnel waits for a scrape.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netproxy.app.one_page import OnePage, refusal, response, status_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_TARGET = b"/metrics"


class MetricsPage(OnePage):
    """Answers on `listener`, which it owns, as long as it is entered."""

    def __init__(self, listener: socket.socket, page: Callable[[], tuple[str, bytes]]) -> None:
        """`page` gives content type and text; it is called in another thread, never twice at once.

        A scrape that comes meanwhile waits for its turn: more threads make nobody faster.
        """
        super().__init__(listener, self._answer)
        self._page = page
        self._turn = asyncio.Lock()

    async def _answer(self, head: bytes) -> bytes:
        status = status_of(head, _TARGET)
        if status != 200:  # noqa: PLR2004  every other one is an error
            return refusal(head, status)
        async with self._turn:
            kind, text = await asyncio.to_thread(self._page)
        return response(head, 200, text, kind=kind)
