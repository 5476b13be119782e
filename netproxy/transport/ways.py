"""Which way out the operator's routes give. What parents need is loaded when one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.connection.routes import Parent
from netproxy.errors import DestinationUnreachable, Failure
from netproxy.model import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.config import Limits
    from netproxy.connection.routes import Routes
    from netproxy.model import Destination
    from netproxy.ports import Dialer, Resolver
    from netproxy.transport.parents import ParentDialer, Reached
    from netproxy.transport.readiness import Readiness


class Ways:
    """The routes of one run, and what connects through their parents."""

    def __init__(
        self,
        routes: Routes,
        *,
        readiness: Readiness,
        limits: Limits,
        dialer: Dialer,
        resolver: Resolver,
    ) -> None:
        """`dialer` and `resolver` reach the parents themselves."""
        self._routes = routes
        self._readiness = readiness
        self._limits = limits
        self._dialer = dialer
        self._resolver = resolver
        self._parents: ParentDialer | None = None

    def parent(self, destination: Destination) -> Parent | None:
        """Choose; None is directly. What is refused never comes this far."""
        way = self._routes.way(destination)
        return way if isinstance(way, Parent) else None

    async def dial(
        self, parent: Parent, destination: Destination, addresses: Sequence[str]
    ) -> Reached:
        """Connect through a parent, to an address that was checked, or to a name that it looks up.

        Raises `DestinationUnreachable`, also for datagrams: they never go around a parent.
        """
        if destination.protocol is Protocol.SOCKS5_UDP:
            raise DestinationUnreachable(
                Failure.NETWORK_UNREACHABLE, "no datagrams can leave this way"
            )
        if self._parents is None:
            from netproxy.transport.parents import ParentDialer

            self._parents = ParentDialer(
                readiness=self._readiness,
                limits=self._limits,
                dialer=self._dialer,
                resolver=self._resolver,
            )
        return await self._parents.dial(parent, destination, addresses)
