"""`--health ADDRESS`: whether this gateway serves.

`GET /health` is 200 `ok`, or 503 `draining` or `audit_unavailable`: then no allow can be recorded,
and so there is none.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from netproxy.app.one_page import OnePage, refusal, response, status_of

if TYPE_CHECKING:
    import socket

_TARGET = b"/health"


class Condition(StrEnum):
    """How the gateway is, as the body says."""

    OK = "ok"
    ALMOST_FULL = "ok, but the audit disk is almost full"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    DRAINING = "draining"


_SERVING = frozenset({Condition.OK, Condition.ALMOST_FULL})


class Record(Protocol):
    """What is asked of the audit trail."""

    @property
    def impairment(self) -> str | None:
        """Why no allow can be recorded now; None: it can."""

    @property
    def is_almost_full(self) -> bool:
        """Whether its disk soon takes no more."""


def answer(head: bytes, condition: Condition) -> bytes:
    """Answer one request head. Pure."""
    status = status_of(head, _TARGET)
    if status != 200:  # noqa: PLR2004  every other one is an error
        return refusal(head, status)
    return response(head, 200 if condition in _SERVING else 503, f"{condition}\n".encode())


class Health(OnePage):
    """Answers on `listener`, which it owns, as long as it is entered."""

    def __init__(self, listener: socket.socket, record: Record) -> None:
        super().__init__(listener, self._answer)
        self.is_draining = False
        self._record = record

    async def _answer(self, head: bytes) -> bytes:
        return answer(head, self._condition())

    def _condition(self) -> Condition:
        if self.is_draining:
            return Condition.DRAINING
        if self._record.impairment is not None:
            return Condition.AUDIT_UNAVAILABLE
        return Condition.ALMOST_FULL if self._record.is_almost_full else Condition.OK
