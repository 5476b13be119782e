"""`--health ADDRESS`: whether this gateway serves. `GET /health` is 200 `ok`, or 503 `draining`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.one_page import OnePage, refusal, response, status_of

if TYPE_CHECKING:
    import socket

_TARGET = b"/health"


def answer(head: bytes, *, is_draining: bool) -> bytes:
    """Answer one request head. Pure."""
    status = status_of(head, _TARGET)
    if status != 200:  # noqa: PLR2004  every other one is an error
        return refusal(head, status)
    return response(head, 503, b"draining\n") if is_draining else response(head, 200, b"ok\n")


class Health(OnePage):
    """Answers on `listener`, which it owns, as long as it is entered."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener, self._answer)
        self.is_draining = False

    async def _answer(self, head: bytes) -> bytes:
        return answer(head, is_draining=self.is_draining)
