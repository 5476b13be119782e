"""The steady state of a tunnel: bytes in both directions, by plain callbacks.

No task, buffer or pipe while nothing moves. Each direction reads only what the other side can take,
keeps a half-close a half-close, and counts what it delivered. One that has moved enough goes on
through a pipe, which few tunnels need. What may be connected to what was decided long before.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from netproxy.model import CloseReason
from netproxy.transport.readiness import BROKEN, READABLE, WRITABLE, Readiness
from netproxy.transport.stream import abort
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.transport.first_bytes import FirstBytes
    from netproxy.transport.pipes import Pipe, PipePool
    from netproxy.transport.sockets import Socket


_READS: Final = READABLE | BROKEN
_WRITES: Final = WRITABLE | BROKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all relays of a loop share. Nothing of one stays in the buffer between two callbacks."""

    readiness: Readiness
    buffer: memoryview
    pipes: PipePool
    splice_after: int  # bytes that a direction delivered before it goes through a pipe
    tunnel_bytes: int | None = None  # that both directions of one tunnel may carry together


class Relay:
    """A running tunnel. Owns both sockets until it ends; `on_end` is called exactly once."""

    __slots__ = ("_client", "_is_over", "_moved", "_moved_at", "_on_end", "_upstream")

    def __init__(
        self,
        means: Means,
        client: Socket,
        upstream: Socket,
        *,
        on_end: Callable[[CloseReason], None],
        first: FirstBytes | None = None,
    ) -> None:
        """Make a relay that is not running yet. `first` sees what the client sends first."""
        self._on_end = on_end
        self._is_over = False
        self._moved = -1  # when it was last asked
        self._moved_at = 0.0
        self._client = _End(self, means, client)
        self._client.first = first
        self._upstream = _End(self, means, upstream)
        self._client.other, self._upstream.other = self._upstream, self._client

    @property
    def bytes_sent(self) -> int:
        """Delivered from the client to the origin."""
        return self._upstream.delivered

    @property
    def bytes_received(self) -> int:
        """Delivered from the origin to the client."""
        return self._client.delivered

    @property
    def bytes_taken(self) -> int:
        """Taken in from both sides, delivered or not."""
        first = self._client.first
        held = 0 if first is None else first.held_bytes
        return self._client.taken + self._upstream.taken + held

    def quiet_since(self, now: float) -> float:
        """Since when no byte was delivered, as far as those know who ask now and then."""
        moved = self.bytes_sent + self.bytes_received
        if moved != self._moved:
            self._moved, self._moved_at = moved, now
        return self._moved_at

    def start(self, early: bytes, answered: bytes = b"", *, watched: int = 0) -> None:
        """Deliver what the client sent early, and what the origin did, then whatever comes.

        `watched`: for which events the client's socket is watched already.
        """
        self._upstream.update()
        if watched:
            self._client.adopt(watched)
        self._client.update()
        if early:
            self._client.take_early(early)
        if answered and not self._is_over:
            self._upstream.take_early(answered)

    def end(self, reason: CloseReason) -> None:
        """Close both sides now; anything but `FINISHED` is a reset to both."""
        if self._is_over:
            return
        self._is_over = True
        if self._client.first is not None:
            self._client.first.close()
        self._client.close(reason)
        self._upstream.close(reason)
        self._on_end(reason)
        # Each knows the others: left like that they are there until somebody looks for garbage, and
        # with thousands of tunnels to look through that stops all of them.
        for end in (self._client, self._upstream):
            del end.other, end.relay


class _End:
    """One socket of a relay: reads from it go to `other`, `pending` waits to be written to it."""

    __slots__ = (
        "_descriptor",
        "_events",
        "_means",
        "_socket",
        "delivered",
        "first",
        "has_ended",
        "is_shut",
        "other",
        "pending",
        "relay",
    )

    other: _End

    def __init__(self, relay: Relay, means: Means, sock: Socket) -> None:
        self.relay = relay
        self._means = means
        self._socket = sock
        self._descriptor = sock.fileno()
        self._events = 0
        self.pending: memoryview | Pipe | None = None
        self.first: FirstBytes | None = None
        self.delivered = 0
        self.has_ended = False  # it said that it sends nothing more
        self.is_shut = False  # we said so to it

    @property
    def taken(self) -> int:
        """What was delivered to here, and what waits to be written to it."""
        waits = self.pending
        if waits is None:
            return self.delivered
        return self.delivered + (len(waits) if isinstance(waits, memoryview) else waits.held)

    def ready(self, events: int) -> None:
        """Do what can be done without waiting. The callback."""
        try:
            if self.pending is not None and events & _WRITES:
                self.flush()
            if events & _READS and self._events & READABLE:
                self.pull()
        except BlockingIOError:
            return
        except OSError:
            self.relay.end(CloseReason.RESET)
        except Exception:
            self.relay.end(CloseReason.RESET)
            raise

    def pull(self) -> None:
        """Read once from here and deliver it there."""
        means = self._means
        if means.tunnel_bytes is not None:
            room = means.tunnel_bytes - self.relay.bytes_taken
            if room < means.pipes.size:
                self._pull_within(room)
                return
        if (
            self.other.delivered >= means.splice_after
            and self.first is None
            and (pipe := means.pipes.borrow())
        ):
            self._pull_through(pipe)
            return
        count = self._socket.recv_into(means.buffer)
        if not count:
            self._end()
        elif self.first is None:
            self.other.deliver(means.buffer[:count])
        else:
            self.take(means.buffer[:count])

    def take_early(self, data: bytes) -> None:
        """Deliver what came from here before there was a tunnel: it counts like the rest."""
        limit = self._means.tunnel_bytes
        if limit is not None and len(data) > limit - self.relay.bytes_taken:
            self.relay.end(CloseReason.BYTE_LIMIT)
        else:
            self.take(data)

    def take(self, data: bytes | memoryview) -> None:
        """Deliver what came from here, but for first bytes that wait."""
        if self.first is None:
            self.other.deliver(data)
        elif (seen := self.first.take(data, self.let_go)) is not None:
            if self.first.is_over:
                self.first = None
            self.other.deliver(seen)

    def let_go(self, *, is_ended: bool = False) -> None:
        """Deliver first bytes that wait: more comes too late, or (`is_ended`) not at all."""
        if self.first is not None and (held := self.first.give_up(is_ended=is_ended)) is not None:
            self.first = None
            if held:
                self.other.deliver(held)

    def _pull_within(self, room: int) -> None:
        """Take in no more than the limit leaves; what comes beyond it ends the tunnel."""
        buffer = self._means.buffer
        # With no room left one byte more tells an end from too much.
        count = self._socket.recv_into(buffer, min(len(buffer), max(room, 1)))
        if count > room:
            self.relay.end(CloseReason.BYTE_LIMIT)
        elif count:
            self.take(buffer[:count])
        else:
            self._end()

    def _pull_through(self, pipe: Pipe) -> None:
        try:
            count = pipe.fill(self._descriptor)
        except OSError:
            self._means.pipes.give_back(pipe)
            raise
        if count:
            self.other.deliver_from(pipe)
        else:
            self._means.pipes.give_back(pipe)
            self._end()

    def _end(self) -> None:
        """Pass on that nothing more comes, as soon as all that came is delivered."""
        self.has_ended = True
        if self.first is not None:
            self.let_go(is_ended=True)
            if self._descriptor < 0:
                return  # those were the wrong first bytes
        if self.other.pending is None:
            self.other.shut()
        self.update()

    def deliver(self, data: bytes | bytearray | memoryview) -> None:
        """Write to here; what does not fit waits, and `other` is not read until it is gone."""
        try:
            count = self._socket.send(data)
        except BlockingIOError:
            count = 0
        except OSError:
            self.relay.end(CloseReason.RESET)
            return
        self.delivered += count
        if count < len(data):
            self.pending = memoryview(bytes(memoryview(data)[count:]))
            self.update()
            self.other.update()

    def deliver_from(self, pipe: Pipe) -> None:
        """Write what is in a pipe; while not all of it fits the pipe waits, and so does `other`."""
        self.pending = pipe
        try:
            self._drain(pipe)
        except OSError:
            self.relay.end(CloseReason.RESET)
            return
        if self.pending is not None:
            self.update()
            self.other.update()

    def flush(self) -> None:
        """Write what waits. Raises `OSError`."""
        waits = self.pending
        if waits is None:
            return
        if isinstance(waits, memoryview):
            count = self._socket.send(waits)
            self.delivered += count
            self.pending = waits[count:] if count < len(waits) else None
        else:
            self._drain(waits)
        if self.pending is not None:
            return
        if self.other.has_ended:
            self.shut()
        if self._descriptor >= 0:
            self.update()
            self.other.update()

    def _drain(self, pipe: Pipe) -> None:
        held = pipe.held
        try:
            pipe.drain(self._descriptor)
        finally:
            self.delivered += held - pipe.held
        if not pipe.held:
            self.pending = None
            self._means.pipes.give_back(pipe)

    def shut(self) -> None:
        """Pass the other side's half-close on; when both have ended, closing says the same."""
        self.is_shut = True
        if self.other.is_shut:
            self.relay.end(CloseReason.FINISHED)
        else:
            self._socket.shutdown(socket.SHUT_WR)

    def update(self) -> None:
        """Watch for exactly what can be acted on: less would stall, more would spin."""
        if self._descriptor < 0:
            return
        events = READABLE if not self.has_ended and self.other.pending is None else 0
        if self.pending is not None:
            events |= WRITABLE
        if events == self._events:
            return
        if not events:
            self._means.readiness.forget(self._descriptor)
        elif self._events:
            self._means.readiness.change(self._descriptor, events, self.ready)
        else:
            self._means.readiness.watch(self._descriptor, events, self.ready)
        self._events = events

    def adopt(self, events: int) -> None:
        """It is watched for these already, by somebody who is done."""
        self._events = events
        self._means.readiness.hand_over(self._descriptor, self.ready)

    def close(self, reason: CloseReason) -> None:
        """Close for good."""
        if reason is not CloseReason.FINISHED:
            abort(self._socket)
        self._means.readiness.drop(self._descriptor)
        self._descriptor = -1
        self._events = 0
        if self.pending is not None and not isinstance(self.pending, memoryview):
            self._means.pipes.give_back(self.pending)
        self.pending = None
        self._socket.close()
