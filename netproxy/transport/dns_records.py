"""What goes on record of the names that a command looks up: each name once, and few of a flood."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from netproxy.protocol.dns import Kind
from otel.events import NameAnswered, NameFlood, NameRefused

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from netproxy.connection.name_server import Outcome
    from netproxy.model import Judgement
    from otel.events import Event

# More than most commands ever look up; a crawler connects to what it finds, which is on record.
_MOST: Final = 1000
_SECONDS: Final = 1.0


class DnsRecords:
    """Of one run. Fills `netproxy.connection.name_server.Told`."""

    __slots__ = ("_known", "_lookups", "_loop", "_most", "_note", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        note: Callable[[Event], None],
        *,
        most: int = _MOST,
    ) -> None:
        """`most`: so many are recorded one by one; of others only how often they are looked up."""
        self._loop = loop
        self._note = note
        self._most = most
        self._known: set[tuple[str, Outcome]] = set()
        self._lookups = 0
        self._timer: asyncio.TimerHandle | None = None

    def told(
        self,
        host: str,
        outcome: Outcome,
        kind: int,
        judgement: Judgement | None,
        address: bytes | None,
    ) -> None:
        """Record it, unless that was done before."""
        if (host, outcome) in self._known:
            return
        if len(self._known) >= self._most:
            self._lookups += 1
            if self._timer is None:
                self._timer = self._loop.call_later(_SECONDS, self.flush)
            return
        self._known.add((host, outcome))
        if address is not None:
            self._note(NameAnswered(server_address=host, answers=(socket.inet_ntoa(address),)))
            return
        self._note(
            NameRefused(
                server_address=host,
                record_type=_kind_text(kind),
                outcome=outcome.value,
                reason=None if judgement is None else judgement.reason.value,
                rule=None if judgement is None else judgement.rule,
                explanation=None if judgement is None else judgement.explanation,
            )
        )

    def flush(self) -> None:
        """Record the sum of what was counted since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lookups, self._lookups = self._lookups, 0
        if lookups:
            self._note(NameFlood(lookups=lookups))


def _kind_text(kind: int) -> str:
    """Write a record type that has no name here as RFC 3597 section 5 does."""
    return Kind(kind).name if kind in set(Kind) else f"TYPE{kind}"
