"""Opens a TCP connection to one of several checked addresses: Happy Eyeballs (RFC 8305).

Dials addresses, never a name. Attempts start one after the other, a quarter of a second apart or
as soon as one fails; the first that connects wins and the rest are closed. Callbacks only: a race
of one address is the common case and costs no task.
"""

from __future__ import annotations

import errno
import os
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.transport.readiness import WRITABLE, Readiness
from netproxy.transport.sockets import tcp_socket
from netproxy.transport.stream import abort

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from netproxy.config import Limits
    from netproxy.model import Destination
    from netproxy.transport.sockets import Socket

_IN_PROGRESS = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN})
_CONNECTED = frozenset({0, errno.EISCONN})

FAILURES: Final = {
    errno.ECONNREFUSED: Failure.CONNECTION_REFUSED,
    errno.ETIMEDOUT: Failure.CONNECTION_TIMEOUT,
    errno.ENETUNREACH: Failure.NETWORK_UNREACHABLE,
    errno.ENETDOWN: Failure.NETWORK_UNREACHABLE,
    # A blackhole route (ip-route(8)), or an address that needs an interface to mean anything.
    errno.EINVAL: Failure.NETWORK_UNREACHABLE,
    errno.EADDRNOTAVAIL: Failure.NETWORK_UNREACHABLE,
    errno.EAFNOSUPPORT: Failure.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: Failure.HOST_UNREACHABLE,
    errno.EHOSTDOWN: Failure.HOST_UNREACHABLE,
    # What ICMP says, too (icmp_err_convert in the kernel's net/ipv4/icmp.c).
    errno.ENONET: Failure.HOST_UNREACHABLE,
    errno.ENOPROTOOPT: Failure.HOST_UNREACHABLE,
    errno.EPROTO: Failure.HOST_UNREACHABLE,
    # A local firewall's reject.
    errno.EACCES: Failure.HOST_UNREACHABLE,
    errno.EPERM: Failure.HOST_UNREACHABLE,
    errno.ECONNRESET: Failure.CONNECTION_TERMINATED,
    errno.ECONNABORTED: Failure.CONNECTION_TERMINATED,
}


def interleaved(addresses: Sequence[str]) -> tuple[str, ...]:
    """Give the two families turns, in the order given (RFC 6724), first come first (RFC 8305)."""
    if len(addresses) < 3:  # noqa: PLR2004 of two, each has its turn already
        return tuple(addresses)
    families: dict[bool, list[str]] = {}
    for address in addresses:
        families.setdefault(":" in address, []).append(address)
    rows = zip_longest(*families.values())
    return tuple(address for row in rows for address in row if address is not None)


def _is_itself(connected: Socket, where: tuple[str, int]) -> bool:
    """Whether both ends are one socket, which leaves the port at once when it is closed then.

    Where nobody listens on this host, the kernel may give us that very port to dial from (RFC 9293
    section 3.5): nobody is there, and who wants to be can't.
    """
    if connected.getsockname()[:2] != where:
        return False
    abort(connected)
    return True


class HappyEyeballs:
    """Fills `ports.Dialer`."""

    def __init__(self, readiness: Readiness, limits: Limits) -> None:
        self._readiness = readiness
        self._limits = limits

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> Socket:
        """Return a connected, non-blocking socket. Raises `DestinationUnreachable`."""
        turns = interleaved(addresses)
        race = _Race(self._readiness, turns, destination.port, self._limits)
        try:
            winner = race.start()
            return winner if winner is not None else await race.outcome
        except BaseException:
            race.discard_winner()
            raise
        finally:
            race.close()


class _Race:
    """The attempts for one destination; `outcome` is for when they must be waited for."""

    __slots__ = (
        "_addresses",
        "_attempts",
        "_limits",
        "_next",
        "_next_turn",
        "_outcome",
        "_port",
        "_problem",
        "_readiness",
        "_time_limit",
    )

    def __init__(
        self, readiness: Readiness, addresses: tuple[str, ...], port: int, limits: Limits
    ) -> None:
        self._readiness = readiness
        self._addresses = addresses
        self._port = port
        self._limits = limits
        self._next = 0
        self._attempts: dict[int, Socket] = {}
        self._time_limit: asyncio.TimerHandle | None = None
        self._next_turn: asyncio.TimerHandle | None = None
        self._outcome: asyncio.Future[Socket] | None = None
        self._problem: DestinationUnreachable | None = None  # the most telling one

    def start(self) -> Socket | None:
        """Try what can be had at once; None means that `outcome` has to be awaited."""
        winner = self._attempt_next()
        if winner is not None:
            return winner
        if not self._attempts:
            raise self._most_telling
        loop = self._readiness.loop
        self._outcome = loop.create_future()
        self._time_limit = loop.call_later(self._limits.connect_seconds, self._time_is_up)
        self._stagger()
        return None

    @property
    def outcome(self) -> asyncio.Future[Socket]:
        """The connection, for those who have to wait for it."""
        if self._outcome is None:
            raise AssertionError("nothing to wait for: `start` had the answer")
        return self._outcome

    @property
    def _most_telling(self) -> DestinationUnreachable:
        if self._problem is None:
            return DestinationUnreachable(Failure.DNS_ERROR, "no address to connect to")
        return self._problem

    def close(self) -> None:
        """Close every attempt but the one that was given away."""
        if self._outcome is None and not self._attempts:
            return  # what was had at once left nothing behind
        for timer in (self._time_limit, self._next_turn):
            if timer is not None:
                timer.cancel()
        for descriptor, attempt in self._attempts.items():
            self._readiness.drop(descriptor)
            attempt.close()
        self._attempts.clear()

    def discard_winner(self) -> None:
        """Close a connection that nobody took: the wait was cancelled just after it was made."""
        ended = self._outcome
        if ended is not None and ended.done() and not ended.cancelled() and not ended.exception():
            ended.result().close()

    def _attempt_next(self) -> Socket | None:
        """Start attempts until one is under way; return it if it is connected already."""
        while self._next < len(self._addresses):
            address = self._addresses[self._next]
            self._next += 1
            try:
                attempt = tcp_socket(address)
            except OSError as failed:
                self._failed(address, failed.errno or 0)
                continue
            where = (address, self._port)
            result = attempt.connect_ex(where)
            if result in _IN_PROGRESS:
                # Something on this host is connected by the time of asking.
                result = attempt.connect_ex(where)
            if result in _CONNECTED:
                if not _is_itself(attempt, where):
                    return attempt
                result = errno.ECONNREFUSED
            if result in _IN_PROGRESS:
                self._watch(attempt, address)
                return None
            attempt.close()
            self._failed(address, result)
        return None

    def _watch(self, attempt: Socket, address: str) -> None:
        descriptor = attempt.fileno()
        self._attempts[descriptor] = attempt

        def ready(_events: int) -> None:
            self._check(descriptor, address)

        self._readiness.watch(descriptor, WRITABLE, ready)

    def _check(self, descriptor: int, address: str) -> None:
        """Ask the kernel how an attempt went: connecting again answers with its result."""
        attempt = self._attempts[descriptor]
        where = (address, self._port)
        result = attempt.connect_ex(where)
        if result in _IN_PROGRESS:
            return
        if result in _CONNECTED:
            if not _is_itself(attempt, where):
                self._won(self._taken(descriptor))
                return
            result = errno.ECONNREFUSED
        self._taken(descriptor).close()
        self._failed(address, result)
        winner = self._attempt_next()
        if winner is not None:
            self._won(winner)
        elif self._attempts:
            self._stagger()
        elif not self.outcome.done():
            self.outcome.set_exception(self._most_telling)

    def _taken(self, descriptor: int) -> Socket:
        self._readiness.forget(descriptor)
        return self._attempts.pop(descriptor)

    def _won(self, winner: Socket) -> None:
        if self.outcome.done():
            winner.close()
        else:
            self.outcome.set_result(winner)

    def _stagger(self) -> None:
        """Count the delay from the last attempt, whatever started it (RFC 8305 section 5)."""
        if self._next_turn is not None:
            self._next_turn.cancel()
        if self._next < len(self._addresses):
            delay = self._limits.attempt_delay_seconds
            self._next_turn = self._readiness.loop.call_later(delay, self._next_in_turn)

    def _next_in_turn(self) -> None:
        if self.outcome.done():
            return
        winner = self._attempt_next()
        if winner is not None:
            self._won(winner)
            return
        self._stagger()

    def _time_is_up(self) -> None:
        if not self.outcome.done():
            seconds = self._limits.connect_seconds
            self.outcome.set_exception(
                DestinationUnreachable(
                    Failure.CONNECTION_TIMEOUT, f"not connected within {seconds:g} seconds"
                )
            )

    def _failed(self, address: str, code: int) -> None:
        """Keep the most telling failure: an address without a route says little of the others."""
        failure = FAILURES.get(code, Failure.INTERNAL)
        if (
            self._problem is None
            or failure is not Failure.NETWORK_UNREACHABLE
            or self._problem.failure is Failure.NETWORK_UNREACHABLE
        ):
            where = f"[{address}]" if ":" in address else address
            self._problem = DestinationUnreachable(
                failure, f"{where}:{self._port}: {os.strerror(code)}"
            )
