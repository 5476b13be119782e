"""Puts on record what left the command past its proxies and was refused: datagrams, mostly.

The kernel refused them before it told us (`sandbox.linux.nftables`); nothing here decides.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final, Self

from otel.events import EgressFlood, EgressRejected
from sandbox.linux.nflog import rejected

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from otel.events import Event
    from sandbox.linux.nflog import Rejected

    type Target = tuple[str, str, int]  # transport, address, port

# One record a second for each target.
_SECONDS: Final = 1.0
# More than most commands ever try; of the rest only how many they are.
_MOST: Final = 1000
_FLOOD_SECONDS: Final = 60.0
_REPORT_BYTES: Final = 8192
# A command that sends without end must not keep the gateway from its work. What nobody reads in
# the meantime the kernel drops, and says so.
_BURST: Final = 64
_REST_SECONDS: Final = 0.05


class RejectedPackets:
    """Reads one run's reports inside the block. `note` records an event."""

    def __init__(
        self,
        reports: socket.socket,
        loop: asyncio.AbstractEventLoop,
        note: Callable[[Event], None],
        *,
        most: int = _MOST,
    ) -> None:
        """`reports` is somebody else's to close. `most`: so many are recorded one by one."""
        self._reports, self._loop, self._note, self._left = reports, loop, note, most
        self._counts: dict[Target, int] = {}
        self._more = self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._flood: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever was refused is on record then."""
        self._loop.remove_reader(self._reports)
        for timer in (self._rest, self._timer, self._flood):
            if timer is not None:
                timer.cancel()
        self._read()
        self._record()
        self._record_flood()

    def _listen(self) -> None:
        self._rest = None
        self._loop.add_reader(self._reports, self._readable)

    def _readable(self) -> None:
        if not self._read():
            self._loop.remove_reader(self._reports)
            self._rest = self._loop.call_later(_REST_SECONDS, self._listen)
        if self._counts and self._timer is None:
            self._timer = self._loop.call_later(_SECONDS, self._record)
        if (self._more or self._dropped) and self._flood is None:
            self._flood = self._loop.call_later(_FLOOD_SECONDS, self._record_flood)

    def _read(self) -> bool:
        """Whether that was all."""
        for _ in range(_BURST):
            try:
                report = self._reports.recv(_REPORT_BYTES)
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # which is told once for whatever was dropped
                    raise
                self._dropped += 1
                continue
            for packet in rejected(report):
                self._count(packet)
        return False

    def _count(self, packet: Rejected) -> None:
        target = (packet.transport, packet.address, packet.port)
        if target in self._counts or len(self._counts) < self._left:
            self._counts[target] = self._counts.get(target, 0) + 1
        else:
            self._more += 1

    def _record(self) -> None:
        self._timer = None
        counts, self._counts = self._counts, {}
        self._left -= len(counts)
        for (transport, address, port), packets in counts.items():
            self._note(
                EgressRejected(
                    server_address=address, server_port=port, protocol=transport, packets=packets
                )
            )

    def _record_flood(self) -> None:
        self._flood = None
        more, self._more = self._more, 0
        dropped, self._dropped = self._dropped, 0
        if more or dropped:
            self._note(EgressFlood(packets=more, reports_dropped=dropped))
