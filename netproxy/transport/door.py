"""A listener that asks for a secret: whose it is decides into which run a client is let."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.connection.credentials import Credentials, Identity
    from netproxy.transport.driver import Connection


class Hosting(Protocol):
    """A run that takes clients over: `netproxy.transport.server.ProxyServer`."""

    def take_over(self, connection: Connection) -> None:
        """Make it a connection of this run: its rules, its session, its limits."""
        ...


@dataclass(slots=True, kw_only=True)
class Door:
    """Every identity that `credentials` knows has a run of its own. Both may be replaced."""

    credentials: Credentials
    runs: Mapping[Identity, Hosting]

    def let_in(
        self, connection: Connection, secret: bytes | None, known: Identity | None
    ) -> Identity | None:
        """Return whose client it is, once it is with that run; None if it has to stay outside.

        `known` is who it is already: one connection never changes sides.
        """
        who = None if secret is None else self.credentials.identify(secret)
        if who is None or known not in {None, who}:
            return None
        if known is None:
            self.runs[who].take_over(connection)
        return who
