"""Services that appear inside: the ports they are on there, and where the gateway takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netproxy.model import Destination
    from netproxy.policy.forwards import Reach
    from netproxy.transport.known_driver import Find
    from netproxy.transport.server import ProxyServer
    from sandbox.launch import Listeners

_LOOPBACK = bytes((127, 0, 0, 1))


def reach_variables(reached: Iterable[Reach]) -> dict[str, str]:
    """Say inside where they are: `NETPROXY_REACH_POSTGRES=127.0.0.1:5432`."""
    return {each.variable: f"127.0.0.1:{each.destination.port}" for each in reached}


def reach_names(reached: Iterable[Reach]) -> dict[str, bytes]:
    """Return addresses for who looks their names up inside, where look-ups are captured."""
    return {each.name: _LOOPBACK for each in reached}


def serve_reached(server: ProxyServer, listeners: Listeners, reached: Iterable[Reach]) -> None:
    """Take whoever connects to one of them where it leads, if the policy lets that through.

    The option is an allow rule, and no more: a deny rule or the managed file still wins.
    """
    for listener, each in zip(listeners.reached, reached, strict=True):
        server.serve_known(listener, _always(each.destination))


def _always(destination: Destination) -> Find:
    return lambda _client: destination
