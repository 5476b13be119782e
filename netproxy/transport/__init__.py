"""Sockets: listeners, lookups, dialling and the relay. It obeys; it decides nothing."""

from __future__ import annotations

from netproxy.transport.dialer import HappyEyeballs
from netproxy.transport.door import Door
from netproxy.transport.readiness import Readiness
from netproxy.transport.resolver import SystemResolver
from netproxy.transport.server import ListenerKind, ProxyServer
from netproxy.transport.udp_ports import OwnPorts, SharedPorts

__all__ = [
    "Door",
    "HappyEyeballs",
    "ListenerKind",
    "OwnPorts",
    "ProxyServer",
    "Readiness",
    "SharedPorts",
    "SystemResolver",
]
