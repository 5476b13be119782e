"""What the client of a tunnel sends first, looked at before it goes on.

Only the client's direction waits, and only while what came is the beginning of a ClientHello, or of
a plain request where one is looked for: a server that speaks first is heard at once, and whoever
speaks neither is let through with the first bytes. A server of TLS 1.3 may ask for a second hello,
which is looked at like the first. For the time limit there is a timer while it is in pieces, which
few are for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.connection.server_names import shown_name
from netproxy.protocol import host_field, tls_hello
from netproxy.protocol.buffer import NEED_DATA
from netproxy.protocol.host_field import Asked, HostReader
from netproxy.protocol.tls_hello import Between, Hello, HelloReader
from otel.events import TlsObserved

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from netproxy.model import Request
    from netproxy.transport.services import Services


class FirstBytes:
    """Keeps them until they were judged. One for each tunnel, until its client has spoken."""

    __slots__ = (
        "_between", "_may_ask", "_may_say", "_reader", "_services", "_shown", "_timer", "is_over",
    )  # fmt: skip

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
        self._between: Between | None = None  # after a first hello
        self._shown: tuple[object, ...] | None = None  # by that
        self._timer: asyncio.TimerHandle | None = None
        self.is_over = False  # nothing of what comes next is looked at

    @property
    def held_bytes(self) -> int:
        """How many bytes wait to be judged."""
        return 0 if self._reader is None else len(self._reader.held)

    def take(
        self, data: bytes | memoryview, on_time: Callable[[], None]
    ) -> bytes | bytearray | memoryview | None:
        """Return what may go on: all that came, or None for nothing yet, or nothing ever.

        `on_time` is called once if the rest takes too long.
        """
        if self._reader is None:
            self._reader = self._reader_for(data)
            if self._reader is None:
                return data
        held: bytes | bytearray | memoryview = data
        while (outcome := self._reader.receive(held)) is not NEED_DATA:
            self.close()
            held = self._reader.held
            if not self._is_let_on(outcome):
                return None
            # What was sent right behind a hello is looked at before any of it goes on.
            self._reader = self._next_reader(self._reader, outcome)
            if self._reader is None:
                return held
        if self._timer is None:
            loop = self._services.readiness.loop
            self._timer = loop.call_later(self._services.limits.hello_seconds, on_time)
        return None

    def _reader_for(self, data: bytes | memoryview) -> HelloReader | HostReader | None:
        """Return what is to read these, if they begin anything that is looked for."""
        limit = self._services.limits.hello_bytes
        if self._between is not None:
            return self._second_reader(self._between, data, 0)
        if tls_hello.may_begin(data[0]):
            return HelloReader(limit=limit)
        if self._may_ask is not None and host_field.may_begin(data[0]):
            return HostReader(limit=limit)
        self.is_over = True
        return None

    def _next_reader(
        self, reader: HelloReader | HostReader, outcome: object
    ) -> HelloReader | HostReader | None:
        """Return what is to read all that is held again, but for what was judged."""
        if (
            isinstance(reader, HelloReader)
            and isinstance(outcome, Hello)
            and outcome.may_be_retried
            and self._between is None
        ):
            self._between = Between(outcome)
            return self._second_reader(self._between, reader.held, reader.end)
        self.is_over = True  # nobody is asked for a third one
        return None

    def _second_reader(
        self, between: Between, data: bytes | bytearray | memoryview, judged: int
    ) -> HelloReader | None:
        count = between.walk(data[judged:])
        if count is None or judged + count == len(data):
            self.is_over = count is None
            return None
        limit = self._services.limits.hello_bytes
        return HelloReader(limit=limit, begins_at=judged + count, between=between)

    def give_up(self, *, is_ended: bool) -> bytes | bytearray | None:
        """Return what is kept: the rest is too late, or (`is_ended`) never comes."""
        self.close()
        self.is_over = True
        if self._reader is None:
            return b""
        found = self._reader.give_up(is_ended=is_ended)
        return self._reader.held if self._is_let_on(found) else None

    def _is_let_on(self, found: object) -> bool:
        if isinstance(found, Hello):
            before, self._shown = self._shown, found.shown
            return before == self._shown or self._may_say(found)
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
