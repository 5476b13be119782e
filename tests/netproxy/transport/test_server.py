"""Accepting: never dies, backs off, owns what it took."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.gate import Gate
from netproxy.model import ApprovalId, OnDenial, Reason, Verdict
from netproxy.transport import HappyEyeballs, ListenerKind, ProxyServer, Readiness
from otel.events import (
    ClientsTurnedAway,
    ConnectionClosed,
    ConnectionOpened,
    DialRefused,
    PolicyDecision,
)
from tests.support.fakes import (
    FakeApprover,
    FakeAudit,
    FakeCache,
    FakePolicy,
    FakeResolver,
    FakeToken,
    answer,
    judgement,
)
from tests.support.origins import PATIENCE_SECONDS, echo, origin, read_all, read_head
from tests.support.proxies import LIMITS, LOOPBACK, Proxy, Setting, eventually, proxy, read_until
from tests.support.reluctant import Reluctant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.config import Limits
    from netproxy.model import CloseReason, Destination
    from netproxy.transport.sockets import Socket


def serving(failures: list[int]) -> bytes:
    """What a client is answered by a server whose accept fails like that, all of it at last."""

    async def inside() -> bytes:
        loop = asyncio.get_running_loop()
        reports: list[str] = []
        readiness = Readiness(loop, report=reports.append)
        policy, audit = FakePolicy(Verdict.DENY, on_denial=OnDenial.BLOCK), FakeAudit()
        server = ProxyServer(
            gate=Gate(
                policy=policy,
                cache=FakeCache(),
                approver=FakeApprover(),
                audit=audit,
                token=FakeToken(),
            ),
            policy=policy,
            resolver=FakeResolver(),
            dialer=HappyEyeballs(readiness, LIMITS),
            audit=audit,
            limits=replace(LIMITS, linger_seconds=0.1),
            readiness=readiness,
            report=reports.append,
        )
        listener = Reluctant()
        listener.failures = failures
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server.serve(listener, ListenerKind.HTTP)
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, listener.getsockname())
            await loop.sock_sendall(client, b"CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(PATIENCE_SECONDS):
                answered = await loop.sock_recv(client, 100)
        await server.aclose()
        readiness.close()
        assert reports == []
        assert failures == []
        return answered

    return asyncio.run(inside())


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_out_of_descriptors_waits_and_goes_on(code: int) -> None:
    """Trying again at once would keep the processor busy, and nobody could close anything."""
    began = time.monotonic()
    assert serving([code, code]).startswith(b"HTTP/1.1 403 ")
    assert time.monotonic() - began >= 0.2


def test_a_client_that_gave_up_in_the_queue_stops_nobody() -> None:
    assert serving([errno.ECONNABORTED, errno.EPROTO]).startswith(b"HTTP/1.1 403 ")


def test_closing_leaves_nothing_open() -> None:
    with proxy() as near:
        client = near.http()
        client.sendall(b"CONNECT a")
    with client:
        assert client.recv(10) == b""
    assert not near.server.connections
    assert near.server._readiness._handlers == {}


def test_many_silent_clients_do_not_stop_a_speaking_one() -> None:
    """Slowloris: each holds a descriptor for a while, and nothing else."""
    with proxy() as near:
        silent = [near.http() for _ in range(100)]
        for client in silent[:50]:
            client.sendall(b"CONNECT ")
        with near.http() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 400"
        for client in silent:
            client.close()


def tighten(near: Proxy, verdict: Verdict = Verdict.DENY) -> None:
    """From now on the policy says this, and every connection is judged by it."""

    def inside() -> None:
        near.setting.policy.default = judgement(verdict)
        near.server.judge_again()

    near.call(inside)


def closed(near: Proxy) -> list[tuple[str, int, int]]:
    events = near.audit.of(ConnectionClosed)
    return [(each.close_reason, each.bytes_sent, each.bytes_received) for each in events]


def refused(answered: bytes) -> tuple[bytes, str]:
    """Status and reason of a refusal."""
    head, _, body = answered.partition(b"\r\n\r\n")
    return head.split()[1], json.loads(body)["reason"]


def socks(near: Proxy, host: str, port: int) -> socket.socket:
    client = near.socks()
    address = bytes([3, len(host)]) + host.encode()
    client.sendall(b"\x05\x01\x00\x05\x01\x00" + address + port.to_bytes(2, "big"))
    return client


class Holding:
    """A resolver and a dialer that wait until the test lets them go on."""

    def __init__(self, *held: str) -> None:
        self.asked = threading.Event()
        self._held = held
        self._policy_changed = asyncio.Event()

    def __call__(self, readiness: Readiness, limits: Limits) -> Holding:
        self._dialer = HappyEyeballs(readiness, limits)
        return self

    async def resolve(self, host: str) -> Sequence[str]:
        if "lookup" in self._held:
            await self._hold()
        return ("127.0.0.1", "127.0.0.2")

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> Socket:
        if "dial" in self._held:
            await self._hold()
        return await self._dialer.dial(destination, addresses)

    async def _hold(self) -> None:
        self.asked.set()
        await self._policy_changed.wait()


def test_a_tunnel_that_is_no_longer_allowed_is_cut_with_exact_counts() -> None:
    with origin(echo) as far, proxy() as near:
        client, _ = near.connect(f"127.0.0.1:{far.port}")
        with client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            tighten(near)
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        near.settle()
    assert closed(near) == [("policy_changed", 5, 5)]
    assert near.audit.decisions == [("allow", "allowed_by_rule")]
    assert not near.token.is_cancelled


def test_so_is_a_socks_tunnel() -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    with origin(echo) as far, proxy(setting) as near, socks(near, "a.test", far.port) as client:
        assert b"\x05\x00\x05\x00" in read_until(client, b"\x05\x00\x05\x00")
        tighten(near)
        assert read_all(client) == b""
        near.settle()
    assert closed(near) == [("policy_changed", 0, 0)]


def test_so_is_a_plain_request_in_flight_and_its_half_does_not_look_whole() -> None:
    request = b"GET http://a.test:%d/ HTTP/1.0\r\n\r\n"
    half = b"HTTP/1.1 200 OK\r\n\r\nhalf"

    def answers_half(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(half)
        connection.recv(1)

    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    with origin(answers_half) as far, proxy(setting) as near, near.http() as client:
        client.sendall(request % far.port)
        read_until(client, b"half")
        tighten(near)
        with pytest.raises(ConnectionResetError):
            client.recv(100)
        near.settle()
    ((reason, sent, received),) = closed(near)
    assert (reason, received) == ("policy_changed", len(half))
    assert sent > 0


def test_an_idle_client_keeps_its_connection_and_meets_the_new_policy() -> None:
    with proxy(Setting(resolver=FakeResolver())) as near, near.http() as client:
        request = b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
        client.sendall(request)
        assert read_until(client, b"}\n").startswith(b"HTTP/1.1 502 ")
        tighten(near)
        client.sendall(request)
        assert refused(read_until(client, b"}\n")) == (b"403", "denied_by_rule")


@pytest.mark.parametrize("held", ["lookup", "dial"])
@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.ASK])
def test_nothing_is_dialled_that_the_policy_in_force_refuses(held: str, verdict: Verdict) -> None:
    holding = Holding(held)
    setting = Setting(resolver=holding, dialer=holding)
    with origin(echo) as far, proxy(setting) as near, near.http() as client:
        client.sendall(f"CONNECT a.test:{far.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert holding.asked.wait(PATIENCE_SECONDS)
        tighten(near, verdict)
        status, reason = refused(read_all(client))
    assert status == b"403"
    assert near.audit.decisions == [("allow", "allowed_by_rule"), ("deny", reason)]
    assert not near.audit.of(ConnectionOpened)
    assert not near.token.is_cancelled
    assert far.accepted == 0


def test_nor_is_an_address_that_it_refuses() -> None:
    holding = Holding("dial")
    setting = Setting(resolver=holding, dialer=holding)
    setting.policy.dialable = frozenset({"127.0.0.1", "127.0.0.2"})
    with origin(echo) as far, proxy(setting) as near, near.http() as client:
        client.sendall(f"CONNECT a.test:{far.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert holding.asked.wait(PATIENCE_SECONDS)
        setting.policy.dialable = frozenset({"127.0.0.2"})
        tighten(near, Verdict.ALLOW)
        assert refused(read_all(client)) == (b"403", "not_allowed_local")
    (event,) = near.audit.of(DialRefused)
    assert event.addresses == ("127.0.0.1 (loopback)",)
    assert not near.token.is_cancelled
    assert far.accepted == 0


def test_a_tunnel_to_an_address_that_it_refuses_is_cut() -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    with origin(echo) as far, proxy(setting) as near:
        client, _ = near.connect(f"a.test:{far.port}")
        with client:
            setting.policy.dialable = frozenset()
            tighten(near, Verdict.ALLOW)
            assert read_all(client) == b""
        near.settle()
    assert closed(near) == [("policy_changed", 0, 0)]


def asking(near: Proxy) -> socket.socket:
    client = near.http()
    client.sendall(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: bool(near.setting.approver.pending))
    return client


def test_a_question_that_it_answers_with_no_is_refused_at_once() -> None:
    with proxy(Setting(policy=FakePolicy(Verdict.ASK))) as near, asking(near) as client:
        tighten(near)
        assert refused(read_all(client)) == (b"403", "denied_by_rule")
        assert near.setting.approver.abandoned
    assert near.audit.decisions == [("deny", "denied_by_rule")]
    assert not near.token.is_cancelled


def test_a_question_that_it_answers_with_yes_goes_on_at_once() -> None:
    setting = Setting(policy=FakePolicy(Verdict.ASK), resolver=FakeResolver())
    with proxy(setting) as near, asking(near) as client:
        tighten(near, Verdict.ALLOW)
        assert read_until(client, b"\r\n").startswith(b"HTTP/1.1 502 ")
        assert near.setting.approver.abandoned
    assert near.audit.decisions == [("allow", "allowed_by_rule")]


def test_what_it_let_through_in_place_of_a_reviewer_is_cut_where_it_asks_again() -> None:
    setting = Setting(policy=FakePolicy(Verdict.ASK, dialable=LOOPBACK))
    with origin(echo) as far, proxy(setting) as near, near.http() as client:
        client.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % far.port)
        eventually(lambda: bool(near.setting.approver.pending))
        tighten(near, Verdict.ALLOW)
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        tighten(near, Verdict.ASK)
        with pytest.raises(ConnectionResetError):
            client.recv(100)
        near.settle()
    assert closed(near) == [("policy_changed", 0, 0)]


def test_a_question_that_it_leaves_open_stays() -> None:
    setting = Setting(policy=FakePolicy(Verdict.ASK), resolver=FakeResolver())
    with proxy(setting) as near, asking(near) as client:
        tighten(near, Verdict.ASK)
        near.call(lambda: setting.approver.pending[0].set_result(answer(Reason.APPROVED)))
        assert read_until(client, b"\r\n").startswith(b"HTTP/1.1 502 ")
    assert near.audit.decisions == [("allow", "approved")]


def test_what_a_reviewer_allowed_stays_where_it_only_asks() -> None:
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    setting = Setting(policy=policy, approver=FakeApprover(answer(Reason.APPROVED)))
    with origin(echo) as far, proxy(setting) as near:
        client, _ = near.connect(f"127.0.0.1:{far.port}")
        with client:
            tighten(near, Verdict.ASK)
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            tighten(near, Verdict.DENY)
            assert read_all(client) == b""
        near.settle()
    assert closed(near) == [("policy_changed", 5, 5)]


class Tunnel:
    """As much of a tunnel as the server knows when it has it judged again."""

    is_under_way = False
    approval_id: ApprovalId | None = None

    def __init__(self, judged: list[float], loop: asyncio.AbstractEventLoop) -> None:
        self._judged = judged
        self._loop = loop

    def judge_again(self) -> None:
        self._judged.append(self._loop.time())

    def cut(self, reason: CloseReason) -> None:
        return


def test_five_thousand_tunnels_are_judged_a_slice_at_a_time() -> None:
    """Whoever else is ready has a turn after each slice, and a second change starts anew."""
    judged: list[float] = []
    turns: list[int] = []

    async def inside() -> None:
        for _ in range(5000):
            near.server.connections[Tunnel(judged, loop)] = None  # type: ignore[index]  # a stand-in
        near.server.judge_again()
        while len(judged) < 1000:
            turns.append(len(judged))
            await asyncio.sleep(0)
        near.server.judge_again()
        while len(judged) < 6000:
            turns.append(len(judged))
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        near.server.connections.clear()

    with proxy() as near:
        loop = near._loop
        asyncio.run_coroutine_threadsafe(inside(), loop).result(10)
    assert 6000 <= len(judged) <= 6000 + 64
    assert len(turns) > 6000 / 64 / 2
    assert max(after - before for before, after in pairwise(turns)) <= 128


def requested(near: Proxy, *, count: int) -> list[int]:
    """The statuses that so many clients get, one after the other."""
    statuses = []
    for _ in range(count):
        client, head = near.connect("a.test:443")
        statuses.append(int(head.split()[1]))
        client.close()
    near.settle()
    return statuses


def turned_away(near: Proxy) -> list[tuple[str, int]]:
    near.call(near.server._services.refusals.flush)
    return [(each.limit, each.count) for each in near.audit.of(ClientsTurnedAway)]


def test_more_new_clients_in_a_second_than_may_come() -> None:
    setting = Setting(
        policy=FakePolicy(Verdict.DENY, on_denial=OnDenial.BLOCK),
        limits=replace(LIMITS, connections_per_second=0.01),
    )
    with proxy(setting) as near:
        assert requested(near, count=10) == [403] + [429] * 9
        assert turned_away(near) == [("connections_per_second", 9)]
    assert len(near.audit.decisions) == 1, "the others are a number"
    assert len(setting.policy.judged) == 1, "and were never asked about"


def test_a_socks_client_over_the_rate_is_reply_01() -> None:
    setting = Setting(limits=replace(LIMITS, connections_per_second=0.01))
    with proxy(setting) as near:
        assert requested(near, count=1) == [502]
        with socks(near, "a.test", 443) as client:
            assert read_all(client)[:4] == b"\x05\x00\x05\x01"


def test_over_the_gateways_own_limits_it_is_the_gateway_that_is_busy() -> None:
    for limits, name in (
        (replace(LIMITS, connections_total=0), "connections_total"),
        (replace(LIMITS, descriptor_reserve=10**9), "descriptors"),
    ):
        with proxy(Setting(policy=FakePolicy(Verdict.DENY), limits=limits)) as near:
            assert requested(near, count=2) == [503, 503]
            assert turned_away(near) == [(name, 2)]
        assert near.audit.decisions == []


def test_one_runs_connections_count_for_all() -> None:
    setting = Setting(limits=replace(LIMITS, connections_total=1))
    with proxy(setting) as near:
        near.server._crowd.count += 1  # of another run
        assert requested(near, count=1) == [503]
        near.server._crowd.count -= 1
        assert requested(near, count=1) == [502]
        assert near.server._crowd.count == 0


def test_who_is_turned_away_takes_no_place_of_the_gateways_either() -> None:
    limits = replace(
        LIMITS, connections_per_run=1, connections_total=2, linger_seconds=PATIENCE_SECONDS
    )
    setting = Setting(policy=FakePolicy(Verdict.DENY, on_denial=OnDenial.BLOCK), limits=limits)
    with proxy(setting) as near, ExitStack() as stack:
        holder = stack.enter_context(near.http())
        eventually(lambda: len(near.server.connections) == 1)
        for _ in range(2):  # told no once they have asked, which they do not
            stack.enter_context(near.http())
        eventually(lambda: len(near.server.connections) == 3)
        holder.close()
        eventually(lambda: len(near.server.connections) == 2)
        client, head = near.connect("a.test:443")
        client.close()
        assert head.startswith(b"HTTP/1.1 403 ")


def test_who_is_turned_away_is_told_to_come_again_by_a_new_connection() -> None:
    """By the old one the answer would stay what it was, and the place be taken."""
    setting = Setting(
        policy=FakePolicy(Verdict.DENY),
        limits=replace(LIMITS, connections_per_run=1, refusals_per_run=2),
    )
    with proxy(setting) as near, ExitStack() as stack:
        holder = stack.enter_context(near.http())
        eventually(lambda: bool(near.server.connections))
        for _ in range(4):
            other = stack.enter_context(near.http())
            other.sendall(b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
            answer = read_all(other)
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b"\r\nConnection: close\r\n" in answer
            other.close()
        holder.close()
        near.settle()
        assert requested(near, count=1) == [403]


def test_who_is_turned_away_takes_no_place_of_those_who_are_let_in() -> None:
    limits = replace(LIMITS, connections_per_run=2, linger_seconds=PATIENCE_SECONDS)
    setting = Setting(policy=FakePolicy(Verdict.DENY, on_denial=OnDenial.BLOCK), limits=limits)
    with proxy(setting) as near, ExitStack() as stack:
        holders = [stack.enter_context(near.http()) for _ in range(2)]
        eventually(lambda: len(near.server.connections) == 2)
        for _ in range(2):  # told no once they have asked, which they do not
            stack.enter_context(near.http())
        eventually(lambda: len(near.server.connections) == 4)
        holders[0].close()
        eventually(lambda: len(near.server.connections) == 3)
        client, head = near.connect("a.test:443")
        client.close()
        assert head.startswith(b"HTTP/1.1 403 ")


def test_who_is_turned_away_is_counted_whatever_it_asks_for() -> None:
    setting = Setting(limits=replace(LIMITS, connections_per_run=1))
    with proxy(setting) as near, near.http():
        eventually(lambda: bool(near.server.connections))
        with near.http() as other:
            other.sendall(b"GET http://127.1/ HTTP/1.1\r\nHost: 127.1\r\n\r\n")
            assert read_all(other).startswith(b"HTTP/1.1 429 ")
        assert turned_away(near) == [("connections_per_run", 1)]
        assert near.audit.of(PolicyDecision) == []


def test_who_is_turned_away_and_says_nothing_does_not_keep_the_others_out() -> None:
    setting = Setting(
        policy=FakePolicy(Verdict.DENY),
        limits=replace(
            LIMITS,
            connections_per_second=0.01,
            refusals_per_run=2,
            linger_seconds=0.1,
            head_seconds=9,
        ),
    )
    with proxy(setting) as near:
        assert requested(near, count=1) == [403]
        silent = [near.http() for _ in range(6)]
        for client in silent:
            client.sendall(b"C")
        assert requested(near, count=1) == [429]
        for client in silent:
            client.close()
