"""What the client of a tunnel sends first, looked at before it goes on.

Only the client's direction waits, and only while what came is the beginning of a ClientHello: a
server that speaks first is heard at once, and whoever speaks no TLS is let through with the first
byte. For the time limit there is a timer while a hello is in pieces, which few are for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.connection.server_names import shown_name
from netproxy.protocol.buffer import NEED_DATA
from netproxy.protocol.tls_hello import HANDSHAKE, Hello, HelloReader
from otel.events import TlsObserved

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from netproxy.model import Request
    from netproxy.transport.services import Services


class FirstBytes:
    """Keeps a ClientHello until it was judged. One for each tunnel, until its client has spoken."""

    __slots__ = ("_may_say", "_reader", "_services", "_timer")

    def __init__(self, services: Services, may_say: Callable[[Hello], bool]) -> None:
        """`may_say` judges a hello, and ends the tunnel itself where it says no."""
        self._services = services
        self._may_say = may_say
        self._reader: HelloReader | None = None
        self._timer: asyncio.TimerHandle | None = None

    def take(
        self, data: bytes | memoryview, on_time: Callable[[], None]
    ) -> bytes | bytearray | memoryview | None:
        """Return what may go on: all that came, or None for nothing yet, or nothing ever.

        `on_time` is called once if the rest takes too long.
        """
        limits = self._services.limits
        if self._reader is None:
            if data[0] != HANDSHAKE:
                return data
            self._reader = HelloReader(limit=limits.hello_bytes)
        outcome = self._reader.receive(data)
        if outcome is NEED_DATA:
            if self._timer is None:
                loop = self._services.readiness.loop
                self._timer = loop.call_later(limits.hello_seconds, on_time)
            return None
        self.close()
        if isinstance(outcome, Hello) and not self._may_say(outcome):
            return None
        return self._reader.held

    def give_up(self, *, is_ended: bool) -> bytes | bytearray | None:
        """Return what is kept: the rest is too late, or (`is_ended`) never comes."""
        self.close()
        if self._reader is None:
            return b""
        hello = self._reader.give_up(is_ended=is_ended)
        return self._reader.held if self._may_say(hello) else None

    def close(self) -> None:
        """Wait for nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def observed(request: Request, hello: Hello) -> TlsObserved:
    """Word it for the record."""
    return TlsObserved(
        connection_id=request.connection_id,
        server_address=request.destination.host,
        server_port=request.destination.port,
        seen="whole" if hello.is_whole else "part",
        ech=hello.has_ech,
        server_name=shown_name(hello),
        alpn=tuple(word.decode("ascii", "backslashreplace") for word in hello.alpn),
    )
