"""A port for a program that must be told one: nobody else is given it by the kernel meanwhile."""

from __future__ import annotations

import random
import socket

# Below where Linux takes the ports from that nobody chose: net.ipv4.ip_local_port_range is
# 32768 to 60999. A port from there that is free now may be any connection's in an instant.
_CHOSEN = range(20_000, 32_000)


def free_port(address: str = "127.0.0.1") -> int:
    """Free now, on that address. By chance, because other tests and suites look beside this one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in random.sample(_CHOSEN, 100):
        with socket.socket(family) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port on {address}")
