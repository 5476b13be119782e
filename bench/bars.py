"""The bars that ours has to reach, each against a row of the same run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.figures import DANTE, INSIDE, NETPROXY, RELAY, SQUID, UNRECORDED, Figure

if TYPE_CHECKING:
    from bench.figures import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line: what was compared, what it came to, and how much of it is enough."""

    what: str
    value: float | None  # None: something that it takes was not measured
    bound: float
    unit: str
    is_least: bool  # the bound: what is above it is enough; otherwise what is below

    @property
    def is_met(self) -> bool:
        """Whether it is enough. What was not measured is not."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.is_least else self.value <= self.bound

    def __str__(self) -> str:
        bound = f"bound {'≥' if self.is_least else '≤'} {self.bound:g}{self.unit}"
        if self.value is None:
            return f"{self.what}: not measured, {bound}"
        met = "met" if self.is_met else "not met"
        return f"{self.what}: {self.value:.2f}{self.unit}, {bound}, {met}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A figure of ours, what it stands beside, and how much of that is enough."""

    what: str
    row: str
    figure: Figure
    beside: tuple[str, Figure] | None  # None: the bound is no ratio
    bound: float

    def judge(self, rows: Rows) -> Verdict:
        """Say what ours came to, and whether that is enough."""
        value, unit = rows.get(self.row, {}).get(self.figure), " KiB"
        if self.beside is not None:
            row, figure = self.beside
            other = rows.get(row, {}).get(figure)
            value, unit = value / other if value is not None and other else None, " x"
        return Verdict(
            what=self.what,
            value=value,
            bound=self.bound,
            unit=unit,
            is_least=self.figure.more_is_better,
        )


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
