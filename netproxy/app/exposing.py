"""Ports of this host that lead to what the command serves: opened before it starts, then served."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from netproxy.app.listening import ListenRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.policy.forwards import Expose
    from netproxy.transport.server import ProxyServer
    from sandbox.launch import ExposedPort, Listeners

# Of programs on this host: browsers open six, load generators a few hundred.
_BACKLOG = 512


@contextmanager
def exposed_ports(asked: tuple[Expose, ...]) -> Iterator[tuple[ExposedPort, ...]]:
    """Listen on 127.0.0.1, for programs of this user only, until the block ends.

    Raises `ListenRefused`: whoever wrote the port down finds the command there, or it never runs.
    """
    if not asked:
        yield ()
        return
    from sandbox.launch import ExposedPort
    from sandbox.loopback import OwnListener

    with ExitStack() as opened:
        ports = []
        for each in asked:
            try:
                listener = OwnListener(_BACKLOG, port=each.host_port)
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise ListenRefused(
                    f"--expose {each.text}: can't listen on 127.0.0.1:{each.host_port}: {why}; "
                    f"choose another port with --expose {each.port}:HOSTPORT"
                ) from None
            opened.enter_context(listener)
            ports.append(ExposedPort(port=each.port, listener=listener))
        yield tuple(ports)


@contextmanager
def exposed(server: ProxyServer, listeners: Listeners) -> Iterator[None]:
    """Lead whoever connects there to the command, until the block ends. Inside a running loop."""
    # A command may be over before its gateway is up.
    if listeners.supplier is None or listeners.supplier.fileno() < 0:
        yield
        return
    from netproxy.transport.exposed import Exposed
    from sandbox.linux.supply import SocketSupply

    supply = SocketSupply(listeners.supplier)
    try:
        for each in listeners.exposed:
            host_port = each.listener.getsockname()[1]
            link = Exposed(port=each.port, host_port=host_port, take_socket=supply.take)
            server.serve_link(each.listener, link)
        yield
    finally:
        supply.close()


def count_strangers(server: ProxyServer, listeners: Listeners) -> None:
    """Put on record that programs of other users were hung up on."""
    if listeners.datagrams is not None and not listeners.exposed:
        return  # all of them are in the sandbox, where nobody else is
    from sandbox.loopback import OwnListener

    for listener in listeners.proxies():
        if isinstance(listener, OwnListener):
            listener.on_stranger = lambda address: server.hung_up_on(f"{address[0]}:{address[1]}")
