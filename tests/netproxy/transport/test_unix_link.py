"""What is recorded of a unix socket that crosses the fence."""

from __future__ import annotations

import asyncio
import socket

from netproxy.model import CloseReason, ConnectionId
from netproxy.transport.linked_driver import Flow
from netproxy.transport.unix_link import UnixLink
from otel.events import UnixClosed, UnixOpened


def test_it_is_connected_already_and_dropped_when_nobody_wants_it() -> None:
    far, other = socket.socketpair()
    link = UnixLink(path="/run/x.sock", far=far)

    assert asyncio.run(link.open()) is far
    link.drop()
    with other:
        assert other.recv(1) == b""


def test_the_path_and_what_flowed() -> None:
    with socket.socket() as far:
        link = UnixLink(path="/run/x.sock", far=far)

    assert link.opened(ConnectionId("c-1"), "unknown") == UnixOpened(
        connection_id="c-1", path="/run/x.sock"
    )
    flow = Flow(1, 2, 3, CloseReason.FINISHED)
    assert link.closed(ConnectionId("c-1"), "unknown", flow) == UnixClosed(
        connection_id="c-1",
        path="/run/x.sock",
        bytes_sent=1,
        bytes_received=2,
        duration_ms=3,
        close_reason="finished",
    )
