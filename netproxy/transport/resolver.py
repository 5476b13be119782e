"""Names to addresses, with a time limit: the system's resolver in a thread, pinned names first.

A lookup is egress: callers ask only about names that were allowed, and check every address that
comes back. Literals don't come here.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.transport.dialer import interleaved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# getaddrinfo can't be interrupted, so a name server that never answers holds a thread for half a
# minute. So many of one run may hang at once; its next lookups wait for one of them within their
# own limit, and those of other runs don't.
_THREADS = 16
# Only so many are tried before the time to connect is over, and whoever owns a name could point it
# at thousands: one request must not become a scan.
_ADDRESSES = 32
_HOSTS_FILE = Path("/etc/hosts")

type _Entry = tuple[
    int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]
type Entries = Sequence[_Entry]
type Lookup = Callable[[str], Entries]


def system_lookup(host: str, hosts_file: Path = _HOSTS_FILE) -> Entries:
    """Ask getaddrinfo for both families, whatever addresses this host has (no AI_ADDRCONFIG).

    The name that was allowed, and none that a search list makes of it (RFC 1535): a dot at its end
    says that it is whole. glibc finds no such name in the hosts file, so it is looked for here.
    """
    if "." not in host:
        return _asked(host)
    return _in_hosts_file(host, hosts_file) or _asked(f"{host}.")


def _asked(host: str, flags: int = 0) -> Entries:
    return socket.getaddrinfo(
        host, None, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM, flags=flags
    )


def _in_hosts_file(host: str, hosts_file: Path) -> list[_Entry]:
    """Read it as hosts(5) says: an address, its names, and comments."""
    try:
        text = hosts_file.read_bytes().lower()
    except OSError:
        return []
    found: list[_Entry] = []
    name = host.encode()
    for line in text.splitlines() if name in text else ():
        address, *names = line.partition(b"#")[0].split() or [b""]
        if name in names:
            with suppress(OSError, UnicodeError):  # a line that getaddrinfo skips as well
                found += _asked(address.decode(), socket.AI_NUMERICHOST)
    return found


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
        # A lookup that is under way answers everybody who asks for the name meanwhile. An answer
        # isn't kept: the next request has a lookup of its own, and what it says is checked anew.
        self._under_way: dict[str, asyncio.Future[Entries | Exception]] = {}

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
        addresses = addresses_of(entries)
        if not addresses:
            raise DestinationUnreachable(Failure.DNS_ERROR, f"{host} has no address")
        return addresses

    async def _looked_up(self, host: str) -> Entries:
        if (shared := self._under_way.get(host)) is None:
            await self._threads.acquire()
            # Somebody else may have had the same wait, and be first.
            if (shared := self._under_way.get(host)) is None:
                shared = self._started(host)
            else:
                self._threads.release()
        # Whoever leaves must not take the answer away from the others.
        answer = await asyncio.shield(shared)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _started(self, host: str) -> asyncio.Future[Entries | Exception]:
        """Run the lookup in a thread of its own: a daemon, so that a hung one can't delay exit."""
        loop = asyncio.get_running_loop()
        answer = self._under_way[host] = loop.create_future()

        def deliver(found: Entries | Exception) -> None:
            self._threads.release()
            del self._under_way[host]
            answer.set_result(found)

        arguments = (self._lookup, host, loop, deliver)
        try:
            threading.Thread(target=_run, args=arguments, name="lookup", daemon=True).start()
        except RuntimeError as refused:
            deliver(OSError(str(refused)))
        return answer


def _run(
    lookup: Lookup,
    host: str,
    loop: asyncio.AbstractEventLoop,
    deliver: Callable[[Entries | Exception], None],
) -> None:
    found: Entries | Exception
    try:
        found = lookup(host)
    except Exception as failed:  # noqa: BLE001 root of the thread: carried to whoever waits
        found = failed
    try:
        loop.call_soon_threadsafe(deliver, found)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more


def addresses_of(entries: Entries) -> tuple[str, ...]:
    """Read the addresses that can be dialled, each once, families in turn, bounded."""
    found: dict[str, None] = {}
    for family, _, _, _, address in entries:
        text = str(address[0])
        # A scope id makes sense on one link only, and nothing on a link may be dialled by a name.
        if family in {socket.AF_INET, socket.AF_INET6} and "%" not in text:
            found[text] = None
    return interleaved(tuple(found))[:_ADDRESSES]


def _why(refused: Exception) -> str:
    return (refused.strerror if isinstance(refused, OSError) else None) or str(refused)
