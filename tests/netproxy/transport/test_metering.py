"""A yes with a budget of bytes: what it carries is counted wherever it flows, and cut in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netproxy.model import ApprovalId, CloseReason, Reason, Source, Verdict
from netproxy.transport.metering import Meter
from otel.events import ConnectionClosed
from tests.support.datagrams import Associated, peer
from tests.support.fakes import FakeCache, FakeLedger, judgement
from tests.support.origins import Keeper, echo, origin, read_all
from tests.support.proxies import Proxy, Setting, eventually, proxy, read_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.model import Destination

GRANT, OTHER = ApprovalId("a-1"), ApprovalId("a-2")


class Flows:
    """Connections as the meter sees them."""

    def __init__(self, ledger: FakeLedger) -> None:
        self.live: dict[ApprovalId | None, int] = {}
        self.meter = Meter(ledger, asyncio.get_running_loop(), in_flight=self._look)
        self.looks = 0

    def _look(self) -> list[tuple[ApprovalId | None, int]]:
        self.looks += 1
        return list(self.live.items())


def test_it_adds_what_is_over_and_what_runs_and_tells_each_byte_once() -> None:
    async def inside() -> None:
        ledger = FakeLedger()
        ledger.bytes_left[GRANT] = 1000
        flows = Flows(ledger)
        flows.meter.begin(GRANT)
        flows.live = {GRANT: 100, OTHER: 50, None: 70}
        flows.meter.look()
        assert ledger.bytes_left == {GRANT: 900}
        flows.live = {GRANT: 250}
        flows.meter.look()
        flows.live = {}
        flows.meter.ended(GRANT, 300)
        flows.meter.ended(OTHER, 5)
        flows.meter.look()
        assert ledger.bytes_left == {GRANT: 700}
        flows.meter.begin(GRANT)
        flows.live = {GRANT: 10}
        flows.meter.close()
        assert ledger.bytes_left == {GRANT: 690}, "the last bytes count, too"

    asyncio.run(inside())


def test_without_a_budget_nothing_is_looked_at() -> None:
    async def inside() -> None:
        flows = Flows(FakeLedger())
        flows.meter.begin(GRANT)
        flows.meter.ended(GRANT, 10)
        await asyncio.sleep(0.15)
        assert flows.looks == 0
        flows.meter.close()

    asyncio.run(inside())


def test_nobody_looks_any_more_when_nobody_carries_it() -> None:
    async def inside() -> None:
        ledger = FakeLedger()
        ledger.bytes_left[GRANT] = 1000
        flows = Flows(ledger)
        flows.meter.begin(GRANT)
        await asyncio.sleep(0.25)
        assert flows.looks == 1
        flows.meter.close()

    asyncio.run(inside())


class Everything(FakeCache):
    """A session that said yes to any destination."""

    def grant(self, destination: Destination) -> ApprovalId | None:
        return GRANT


def metered(budget: int) -> tuple[Setting, Callable[[Proxy], None]]:
    """Everything is let through by one grant, with so many bytes; what to do with the proxy."""
    setting = Setting(cache=Everything())
    setting.policy.default = judgement(
        Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE
    )
    setting.ledger.bytes_left[GRANT] = budget

    def connect(near: Proxy) -> None:
        def cut(approval_id: ApprovalId) -> None:
            near.server.close_approved(approval_id, CloseReason.BYTE_LIMIT)

        setting.ledger.on_spent = cut

    return setting, connect


def test_tunnels_under_one_grant_are_cut_together_when_it_is_used_up() -> None:
    setting, connect = metered(100_000)
    with origin(echo) as far, proxy(setting) as near:
        connect(near)
        busy, _ = near.connect(f"127.0.0.1:{far.port}")
        idle, _ = near.connect(f"127.0.0.1:{far.port}")
        with busy, idle:
            busy.sendall(bytes(60_000))
            read_all(busy)
            read_all(idle)
        near.settle()
    assert [each.close_reason for each in near.audit.of(ConnectionClosed)] == ["byte_limit"] * 2
    assert setting.ledger.bytes_left[GRANT] <= 0


def test_plain_requests_count_also_on_a_kept_connection() -> None:
    setting, connect = metered(10**9)
    answer = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"
    with origin(Keeper(lambda _: answer)) as far, proxy(setting) as near, near.http() as client:
        connect(near)
        where = f"127.0.0.1:{far.port}"
        for _ in range(2):
            client.sendall(f"GET http://{where}/ HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
            assert read_until(client, b"hi").endswith(b"hi")
        eventually(lambda: len(near.audit.of(ConnectionClosed)) == 2)
        moved = [each.bytes_sent + each.bytes_received for each in near.audit.of(ConnectionClosed)]
        eventually(lambda: setting.ledger.bytes_left[GRANT] == 10**9 - sum(moved))


def test_datagrams_count() -> None:
    setting, connect = metered(900)
    with peer() as far, proxy(setting) as near, Associated(near.socks()) as client:
        connect(near)
        client.send("127.0.0.1", far.port, bytes(500))
        assert client.receive()[2] == bytes(500)
        eventually(lambda: bool(near.audit.of(ConnectionClosed)))
    (closed,) = near.audit.of(ConnectionClosed)
    assert closed.close_reason == "byte_limit"
