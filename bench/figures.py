"""The names of what is measured, and of the rows that the bars compare."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Figure(Enum):
    """One column of the table; its unit is in the name."""

    CONNECT_RATE = "CONNECT tunnels/s"
    CONNECT_CPU_US = "CONNECT CPU µs"
    CONNECT_P50_MS = "CONNECT p50 ms"
    CONNECT_P99_MS = "CONNECT p99 ms"
    SOCKS5_RATE = "SOCKS5 tunnels/s"
    SOCKS5_CPU_US = "SOCKS5 CPU µs"
    SOCKS5_P50_MS = "SOCKS5 p50 ms"
    SOCKS5_P99_MS = "SOCKS5 p99 ms"
    BULK_GBPS = "bulk GB/s"
    BULK_CPU_SECONDS = "bulk CPU s/GB"
    HTTP_RATE = "HTTP req/s"
    IDLE_KIB = "idle KiB/tunnel"

    @property
    def more_is_better(self) -> bool:
        """Rates are; times, costs and sizes are not."""
        return self.value.endswith("/s")


# A row's figures. What a subject can't do, or what was left out, is missing.
type Figures = Mapping[Figure, float]
type Rows = Mapping[str, Figures]

NO_PROXY = "no proxy"
RELAY = "C relay"
BARE_LOOP = "bare Python loop"
NETPROXY = "netproxy"
INSIDE = "netproxy, from inside"
UNRECORDED = "netproxy, journal off"
SQUID = "squid"
TINYPROXY = "tinyproxy"
DANTE = "dante"
MITMDUMP = "mitmdump"

OURS = (NETPROXY, INSIDE, UNRECORDED)
PEERS = (SQUID, TINYPROXY, DANTE, MITMDUMP)
