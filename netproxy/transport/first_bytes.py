"""What the client of a tunnel sends first, looked at before it goes on.

Only the client's direction waits, and only while what came is the beginning of a ClientHello, or of
a plain request where one is looked for: a server that speaks first is heard at once, and whoever
speaks neither is let through with the first bytes. For the time limit there is a timer while it is
in pieces, which few are for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.connection.server_names import shown_name
from netproxy.protocol import host_field, tls_hello
from netproxy.protocol.buffer import NEED_DATA
from netproxy.protocol.host_field import Asked, HostReader
from netproxy.protocol.tls_hello import Hello, HelloReader
from otel.events import TlsObserved

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from netproxy.model import Request
    from netproxy.transport.services import Services


class FirstBytes:
    """Keeps them until they were judged. One for each tunnel, until its client has spoken."""

    __slots__ = ("_may_ask", "_may_say", "_reader", "_services", "_timer")

    def __init__(
        self,
        services: Services,
        may_say: Callable[[Hello], bool],
        may_ask: Callable[[Asked], bool] | None = None,
    ) -> None:
        """`may_say` judges a hello, and ends the tunnel itself where it says no.

        So does `may_ask` of a plain request; without it none is looked for.
        """
        self._services = services
        self._may_say = may_say
        self._may_ask = may_ask
        self._reader: HelloReader | HostReader | None = None
        self._timer: asyncio.TimerHandle | None = None

    def take(
        self, data: bytes | memoryview, on_time: Callable[[], None]
    ) -> bytes | bytearray | memoryview | None:
        """Return what may go on: all that came, or None for nothing yet, or nothing ever.

        `on_time` is called once if the rest takes too long.
        """
        limits = self._services.limits
        if self._reader is None:
            if tls_hello.may_begin(data[0]):
                self._reader = HelloReader(limit=limits.hello_bytes)
            elif self._may_ask is not None and host_field.may_begin(data[0]):
                self._reader = HostReader(limit=limits.hello_bytes)
            else:
                return data
        outcome = self._reader.receive(data)
        if outcome is NEED_DATA:
            if self._timer is None:
                loop = self._services.readiness.loop
                self._timer = loop.call_later(limits.hello_seconds, on_time)
            return None
        self.close()
        return self._reader.held if self._is_let_on(outcome) else None

    def give_up(self, *, is_ended: bool) -> bytes | bytearray | None:
        """Return what is kept: the rest is too late, or (`is_ended`) never comes."""
        self.close()
        if self._reader is None:
            return b""
        found = self._reader.give_up(is_ended=is_ended)
        return self._reader.held if self._is_let_on(found) else None

    def _is_let_on(self, found: object) -> bool:
        if isinstance(found, Hello):
            return self._may_say(found)
        return not isinstance(found, Asked) or self._may_ask is None or self._may_ask(found)

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
