"""The life of one connection as decisions and answers; pure. The sockets are in `transport`."""

from __future__ import annotations

from netproxy.connection.gate import Gate

__all__ = ["Gate"]
