"""The bars that ours has to reach, each against a row of the same run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.figures import DANTE, INSIDE, NETPROXY, RELAY, SQUID, UNRECORDED, Figure

if TYPE_CHECKING:
    from bench.figures import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One line: what is compared, with what, and how much of it is enough."""

    what: str
    row: str
    figure: Figure
    beside: tuple[str, Figure] | None  # None: the bound is no ratio
    bound: float

    def judge(self, rows: Rows) -> str:
        """Say what ours came to, and whether that is enough."""
        ours = rows.get(self.row, {}).get(self.figure)
        value, unit = ours, " KiB"
        if self.beside is not None:
            row, figure = self.beside
            other = rows.get(row, {}).get(figure)
            value, unit = ours / other if ours is not None and other else None, " x"
        sign = "≥" if self.figure.more_is_better else "≤"
        bound = f"{sign} {self.bound:g}{unit}"
        if value is None:
            return f"{self.what}: not measured, bound {bound}"
        met = value >= self.bound if self.figure.more_is_better else value <= self.bound
        return f"{self.what}: {value:.2f}{unit}, bound {bound}, {'met' if met else 'not met'}"


BARS = (
    Bar(
        what="CPU per CONNECT tunnel beside the relay's, journal off",
        row=UNRECORDED,
        figure=Figure.CONNECT_CPU_US,
        beside=(RELAY, Figure.CONNECT_CPU_US),
        bound=2.0,
    ),
    Bar(
        what="CPU per CONNECT tunnel beside the relay's",
        row=NETPROXY,
        figure=Figure.CONNECT_CPU_US,
        beside=(RELAY, Figure.CONNECT_CPU_US),
        bound=2.5,
    ),
    Bar(
        what="CONNECT tunnels/s beside squid's",
        row=NETPROXY,
        figure=Figure.CONNECT_RATE,
        beside=(SQUID, Figure.CONNECT_RATE),
        bound=1.2,
    ),
    Bar(
        what="SOCKS5 tunnels/s beside our own CONNECT's",
        row=NETPROXY,
        figure=Figure.SOCKS5_RATE,
        beside=(NETPROXY, Figure.CONNECT_RATE),
        bound=1.0,
    ),
    Bar(
        what="SOCKS5 tunnels/s beside dante's",
        row=NETPROXY,
        figure=Figure.SOCKS5_RATE,
        beside=(DANTE, Figure.SOCKS5_RATE),
        bound=1.5,
    ),
    Bar(
        what="CONNECT tunnels/s from inside beside outside",
        row=INSIDE,
        figure=Figure.CONNECT_RATE,
        beside=(NETPROXY, Figure.CONNECT_RATE),
        bound=0.9,
    ),
    Bar(
        what="SOCKS5 tunnels/s from inside beside outside",
        row=INSIDE,
        figure=Figure.SOCKS5_RATE,
        beside=(NETPROXY, Figure.SOCKS5_RATE),
        bound=0.9,
    ),
    Bar(
        what="bulk GB/s beside the relay's",
        row=NETPROXY,
        figure=Figure.BULK_GBPS,
        beside=(RELAY, Figure.BULK_GBPS),
        bound=0.9,
    ),
    Bar(
        what="CPU per bulk GB beside the relay's",
        row=NETPROXY,
        figure=Figure.BULK_CPU_SECONDS,
        beside=(RELAY, Figure.BULK_CPU_SECONDS),
        bound=1.2,
    ),
    Bar(
        what="plain HTTP req/s beside squid's",
        row=NETPROXY,
        figure=Figure.HTTP_RATE,
        beside=(SQUID, Figure.HTTP_RATE),
        bound=1.0,
    ),
    Bar(
        what="memory per idle tunnel",
        row=NETPROXY,
        figure=Figure.IDLE_KIB,
        beside=None,
        bound=8.0,
    ),
)
