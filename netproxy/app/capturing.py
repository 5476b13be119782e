"""Serves what programs end up at that know of no proxy: their look-ups, and their connections."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from netproxy.app.rejected_packets import RejectedPackets
from netproxy.connection.name_server import NameServer
from netproxy.transport.capture import Captured
from netproxy.transport.dns_listeners import DnsListeners
from netproxy.transport.dns_records import DnsRecords

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.connection.fake_names import FakeNames
    from netproxy.connection.name_server import NameJudge
    from netproxy.transport.readiness import Readiness
    from netproxy.transport.server import ProxyServer
    from sandbox.launch import CaptureSockets


@contextmanager
def capturing(
    sockets: CaptureSockets | None,
    server: ProxyServer,
    names: FakeNames,
    judge: NameJudge,
    readiness: Readiness,
) -> Iterator[None]:
    """Serve them until the block ends; None: only the proxies lead out.

    `names` are the server's own: clients of its proxies may come with such an address, too.
    """
    if sockets is None:
        yield
        return
    records = DnsRecords(readiness.loop, server.note)
    name_server = NameServer(names, judge, records.told)
    listeners = DnsListeners(
        readiness, name_server.answer, udp=sockets.dns_udp, tcp=sockets.dns_tcp
    )
    captured = Captured(names)
    for listener in sockets.tcp:
        server.serve_known(listener, captured.find)
    with ExitStack() as served:
        served.callback(records.flush)
        served.callback(listeners.close)
        if sockets.rejected is not None:
            served.enter_context(RejectedPackets(sockets.rejected, readiness.loop, server.note))
        yield
