"""Names to addresses, with a time limit: the system's resolver in a thread, pinned names first.

A lookup is egress: callers ask only about names that were allowed, and check every address that
comes back. Literals don't come here.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

from netproxy.errors import DestinationUnreachable, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# getaddrinfo can't be interrupted, so a name server that never answers holds a thread for half a
# minute. So many may hang at once; the next lookups wait for one of them within their own limit.
_THREADS = 16

type _Entry = tuple[
    int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]
type Entries = Sequence[_Entry]
type Lookup = Callable[[str], Entries]


def system_lookup(host: str) -> Entries:
    """Ask getaddrinfo for both families, whatever addresses this host has (no AI_ADDRCONFIG)."""
    return socket.getaddrinfo(host, None, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM, flags=0)


class SystemResolver:
    """Fills `ports.Resolver`. `hosts` are names whose addresses the operator pinned."""

    def __init__(
        self,
        *,
        hosts: Mapping[str, tuple[str, ...]],
        timeout_seconds: float,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._hosts = hosts
        self._timeout_seconds = timeout_seconds
        self._lookup = lookup
        self._threads = asyncio.Semaphore(_THREADS)

    async def resolve(self, host: str) -> Sequence[str]:
        """Addresses in order of preference, families in turn. Raises `DestinationUnreachable`."""
        if (pinned := self._hosts.get(host)) is not None:
            return pinned
        try:
            async with asyncio.timeout(self._timeout_seconds):
                entries = await self._looked_up(host)
        except TimeoutError:
            raise DestinationUnreachable(
                Failure.DNS_TIMEOUT,
                f"no answer about {host} within {self._timeout_seconds:g} seconds",
            ) from None
        except (OSError, UnicodeError) as refused:
            raise DestinationUnreachable(
                Failure.DNS_ERROR, f"{host} could not be resolved: {_why(refused)}"
            ) from refused
        addresses = interleaved(entries)
        if not addresses:
            raise DestinationUnreachable(Failure.DNS_ERROR, f"{host} has no address")
        return addresses

    async def _looked_up(self, host: str) -> Entries:
        """Run the lookup in a thread of its own: a daemon, so that a hung one can't delay exit."""
        await self._threads.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Entries] = loop.create_future()

        def deliver(entries: Entries | None, problem: Exception | None) -> None:
            self._threads.release()
            if answer.done():
                return
            if entries is None:
                answer.set_exception(problem or OSError("no answer"))
            else:
                answer.set_result(entries)

        arguments = (self._lookup, host, loop, deliver)
        try:
            threading.Thread(target=_run, args=arguments, name="lookup", daemon=True).start()
        except RuntimeError as refused:
            self._threads.release()
            raise OSError(str(refused)) from refused
        return await answer


def _run(
    lookup: Lookup,
    host: str,
    loop: asyncio.AbstractEventLoop,
    deliver: Callable[[Entries | None, Exception | None], None],
) -> None:
    entries, problem = None, None
    try:
        entries = lookup(host)
    except Exception as failed:  # noqa: BLE001 root of the thread: carried to whoever waits
        problem = failed
    try:
        loop.call_soon_threadsafe(deliver, entries, problem)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more


def interleaved(entries: Entries) -> tuple[str, ...]:
    """Give the two families turns, in the order given (RFC 6724), first come first (RFC 8305)."""
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in entries:
        text = str(address[0])
        # A scope id makes sense on one link only, and nothing on a link may be dialled by a name.
        if family in {socket.AF_INET, socket.AF_INET6} and "%" not in text:
            known = families.setdefault(family, [])
            if text not in known:
                known.append(text)
    columns = list(families.values())
    longest = max(map(len, columns), default=0)
    return tuple(column[row] for row in range(longest) for column in columns if row < len(column))


def _why(refused: Exception) -> str:
    return (refused.strerror if isinstance(refused, OSError) else None) or str(refused)
