"""CONNECT over real sockets: nothing before the dial, nothing lost, everything on record."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.credentials import Credentials, Identity
from netproxy.model import ApprovalId, CloseReason, OnDenial, Reason, Verdict
from netproxy.transport import HappyEyeballs
from otel.events import (
    ClientsTurnedAway,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    DialRefused,
    Event,
    PolicyDecision,
)
from tests.support.fakes import (
    FakeApprover,
    FakeAudit,
    FakePolicy,
    FakeResolver,
    FakeToken,
    answer,
    judgement,
)
from tests.support.origins import (
    PATIENCE_SECONDS,
    Recorder,
    echo,
    origin,
    read_all,
    read_head,
    reset,
)
from tests.support.proxies import LIMITS, LOOPBACK, Proxy, Setting, eventually, proxy, read_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netproxy.config import Limits
    from netproxy.model import Destination
    from netproxy.transport import Readiness
    from netproxy.transport.sockets import Socket

END = b"\r\n"
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


def status(answer_bytes: bytes) -> int:
    return int(answer_bytes.split()[1])


def body(answer_bytes: bytes) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(answer_bytes.partition(b"\r\n\r\n")[2])
    return parsed


class HeldDialer:
    """Dials when it is told to."""

    def __init__(self, readiness: Readiness, limits: Limits) -> None:
        self._dialer = HappyEyeballs(readiness, limits)
        self.asked: list[tuple[str, ...]] = []
        self.go = asyncio.Event()

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> Socket:
        self.asked.append(tuple(addresses))
        await self.go.wait()
        return await self._dialer.dial(destination, addresses)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, None], ids=["asyncio", "uvloop"])
def test_a_tunnel(loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
    setting = Setting()
    if loop_factory is not None:
        setting.loop_factory = loop_factory
    with origin(echo) as far, proxy(setting) as near:
        client, head = near.connect(f"127.0.0.1:{far.port}")
        with client:
            assert head == OK
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
        near.settle()
    decision, opened, closed = setting.audit.events
    assert isinstance(decision, PolicyDecision)
    assert isinstance(opened, ConnectionOpened)
    assert isinstance(closed, ConnectionClosed)
    assert opened.peer_address == f"127.0.0.1:{far.port}"
    assert decision.connection_id == opened.connection_id == closed.connection_id
    assert (closed.bytes_sent, closed.bytes_received, closed.close_reason) == (5, 5, "finished")
    assert decision.client_address.startswith("127.0.0.1:")


def test_200_comes_only_after_the_dial_and_early_bytes_wait_for_it() -> None:
    dialers: list[HeldDialer] = []

    def dialer(readiness: Readiness, limits: Limits) -> HeldDialer:
        dialers.append(HeldDialer(readiness, limits))
        return dialers[0]

    with origin(echo) as far, proxy(Setting(dialer=dialer)) as near:
        client = near.http()
        with client:
            authority = f"127.0.0.1:{far.port}".encode()
            client.sendall(
                b"CONNECT " + authority + b" HTTP/1.1\r\nHost: " + authority + b"\r\n\r\nearly"
            )
            client.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.recv(100)
            assert far.accepted == 0
            client.sendall(b" bird")
            near.call(dialers[0].go.set)
            client.settimeout(PATIENCE_SECONDS)
            assert read_until(client, b"bird") == OK + b"early bird"


def test_the_client_may_end_first_and_still_be_answered() -> None:
    def answers_after_the_end(connection: socket.socket) -> None:
        said = read_all(connection)
        time.sleep(0.05)
        connection.sendall(b"you said " + said)

    with origin(answers_after_the_end) as far, proxy() as near:
        client, _ = near.connect(f"127.0.0.1:{far.port}")
        with client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"you said hello"


def test_the_origin_may_end_first_and_still_be_spoken_to() -> None:
    heard: list[bytes] = []

    def ends_at_once(connection: socket.socket) -> None:
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        heard.append(read_all(connection))

    with origin(ends_at_once) as far, proxy() as near:
        client, head = near.connect(f"127.0.0.1:{far.port}")
        with client:
            assert head + read_all(client) == OK + b"bye"
            client.sendall(b"one more thing")
    assert heard == [b"one more thing"]


def test_a_head_byte_by_byte() -> None:
    with origin(echo) as far, proxy() as near:
        client = near.http()
        with client:
            text = f"CONNECT 127.0.0.1:{far.port} HTTP/1.1\r\nHost: a\r\n\r\nx"
            for byte in text.encode():
                client.sendall(bytes([byte]))
            assert read_until(client, b"\r\n\r\nx") == OK + b"x"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"GET http://a.test/" + b"a" * 20_000, 414, id="target"),
        pytest.param(b"GET http://a.test/ HTTP/1.1\r\nX: " + b"a" * 70_000, 431, id="field"),
        pytest.param(b"GET http://a.test/ HTTP/1.1\r\n" + b"X: 1\r\n" * 101 + END, 431, id="count"),
        pytest.param(b"\x16\x03\x01", 400, id="tls"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="r5-origin-form"),
        pytest.param(b"CONNECT a.test:0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="r64-port-0"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_answered_recorded_and_closed(data: bytes, expected: int) -> None:
    with proxy() as near, near.http() as client:
        client.sendall(data)
        assert status(read_all(client)) == expected
    assert near.audit.decisions == [("deny", "invalid_destination")]
    assert not near.token.is_cancelled


def test_a_head_that_takes_too_long_is_a_408() -> None:
    setting = Setting(limits=replace(LIMITS, head_seconds=0.1))
    with proxy(setting) as near, near.http() as client:
        client.sendall(b"CONNECT a.test:443 HT")
        assert status(read_all(client)) == 408


@pytest.mark.parametrize("kind", ["http", "mixed", "socks"])
def test_who_has_asked_for_nothing_in_time_is_closed_without_a_word(kind: str) -> None:
    """Browsers connect beforehand, and probes connect only: that is no request, and no denial."""
    setting = Setting(limits=replace(LIMITS, head_seconds=0.1))
    with proxy(setting) as near, getattr(near, kind)() as client:
        assert read_all(client) == b""
    assert near.audit.events == []


def test_a_refusal_closes_and_cancels_and_is_read_even_after_early_bytes() -> None:
    """A close at once would reset a client that is still sending, before it reads the answer."""
    with proxy(Setting(policy=FakePolicy(Verdict.DENY))) as near:
        client, head = near.connect("a.test:443", early=bytes(16 << 20))
        client.close()
        assert status(head) == 403
        with near.http() as again:
            head = b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n"
            again.sendall(head + b"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n" * 3)
            answered = read_all(again)
    assert answered.count(b"HTTP/1.1 ") == 1
    assert body(answered)["reason"] == "proxy_disabled"
    assert near.audit.decisions == [("deny", "denied_by_rule"), ("deny", "proxy_disabled")]
    assert near.token.is_cancelled


def test_who_reads_no_refusal_and_goes_on_asking_is_hung_up_on() -> None:
    setting = Setting(limits=replace(LIMITS, idle_seconds=0.2))
    setting.policy.default = judgement(Verdict.DENY, on_denial=OnDenial.BLOCK)
    ask = b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
    with proxy(setting) as near, near.http() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.sendall(ask * 300_000)
        near.settle()


def test_nothing_is_resolved_before_it_is_allowed() -> None:
    resolver = FakeResolver(a__test=[("127.0.0.1",)])
    for verdict in (Verdict.DENY, Verdict.ASK):
        approver = FakeApprover(answer(Reason.DENIED_BY_REVIEWER))
        setting = Setting(policy=FakePolicy(verdict), resolver=resolver, approver=approver)
        with proxy(setting) as near:
            client, head = near.connect("a.test:443")
            client.close()
            assert status(head) == 403
    assert resolver.asked == []


def test_a_name_is_resolved_once_and_dialled_where_it_pointed_then() -> None:
    """Rebinding: the second answer would be another address, and nobody asks for it."""
    resolver = FakeResolver(a__test=[("127.0.0.1",), ("127.0.0.9",)])
    with origin(echo) as far, proxy(Setting(resolver=resolver)) as near:
        client, head = near.connect(f"a.test:{far.port}")
        client.close()
        assert head == OK
    assert resolver.asked == ["a.test"]


def test_a_name_that_moves_to_a_private_address_is_refused_the_next_time() -> None:
    resolver = FakeResolver(a__test=[("127.0.0.1",), ("10.0.0.1",)])
    with origin(echo) as far, proxy(Setting(resolver=resolver)) as near:
        for expected in (200, 403):
            client, head = near.connect(f"a.test:{far.port}")
            client.close()
            assert status(head) == expected
    assert [event.addresses for event in near.audit.of(DialRefused)] == [("10.0.0.1 (private)",)]
    assert near.audit.of(DialRefused)[0].connection_id == (
        near.audit.of(PolicyDecision)[1].connection_id
    )
    ((_, cause),) = near.token.causes
    assert cause.reason is Reason.NOT_ALLOWED_LOCAL


def test_of_mixed_answers_only_those_that_may_be_dialled_are() -> None:
    dialers: list[HeldDialer] = []

    def dialer(readiness: Readiness, limits: Limits) -> HeldDialer:
        dialers.append(HeldDialer(readiness, limits))
        dialers[0].go.set()
        return dialers[0]

    resolver = FakeResolver(a__test=[("10.0.0.1", "127.0.0.1", "169.254.169.254")])
    with origin(echo) as far, proxy(Setting(resolver=resolver, dialer=dialer)) as near:
        client, head = near.connect(f"a.test:{far.port}")
        client.close()
        assert head == OK
    assert dialers[0].asked == [("127.0.0.1",)]


def test_without_a_record_there_is_no_dial() -> None:
    with origin(echo) as far:
        with proxy(Setting(audit=FakeAudit(lambda _: True))) as near:
            client, _ = near.connect(f"127.0.0.1:{far.port}")
            with client:
                pass
        assert far.accepted == 0
    assert not near.token.is_cancelled


def test_an_opening_that_cannot_be_recorded_carries_nothing() -> None:
    def openings(event: Event) -> bool:
        return isinstance(event, ConnectionOpened)

    with origin(echo) as far, proxy(Setting(audit=FakeAudit(openings))) as near:
        client = near.http()
        with client:
            client.sendall(f"CONNECT 127.0.0.1:{far.port} HTTP/1.1\r\nHost: a\r\n\r\nx".encode())
            assert body(read_all(client))["reason"] == "audit_unavailable"


def asking(near: Proxy, approver: FakeApprover, authority: str) -> socket.socket:
    client = near.http()
    client.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    eventually(lambda: len(approver.pending) > 0)
    return client


@pytest.mark.parametrize("early", [0, LIMITS.relay_bytes // 2, LIMITS.relay_bytes * 3 // 2])
@pytest.mark.parametrize("how", ["close", "end", "reset"])
def test_a_client_that_leaves_takes_its_question_with_it(how: str, early: int) -> None:
    approver = FakeApprover()
    setting = Setting(policy=FakePolicy(Verdict.ASK, dialable=LOOPBACK), approver=approver)
    with origin(echo) as far, proxy(setting) as near:
        client = asking(near, approver, f"127.0.0.1:{far.port}")
        client.sendall(bytes(early))
        if how == "reset":
            reset(client)
        elif how == "end":
            client.shutdown(socket.SHUT_WR)
        else:
            client.close()
        eventually(lambda: len(approver.abandoned) > 0)
        near.settle()
        client.close()
        assert far.accepted == 0
    assert near.audit.decisions == [("deny", "approval_timeout")]


def test_early_bytes_sent_while_somebody_thinks_are_kept() -> None:
    approver = FakeApprover()
    setting = Setting(policy=FakePolicy(Verdict.ASK, dialable=LOOPBACK), approver=approver)
    early = bytes(range(256)) * 1024  # more than is kept in the gateway: the kernel has the rest
    with origin(echo) as far, proxy(setting) as near:
        client = asking(near, approver, f"127.0.0.1:{far.port}")
        with client:
            client.sendall(early)
            near.call(lambda: approver.pending[0].set_result(answer(Reason.APPROVED)))
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == OK + early


def test_a_cancelled_run_cuts_tunnels_and_questions() -> None:
    approver = FakeApprover()
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    setting = Setting(policy=policy, approver=approver)
    with origin(echo) as far, proxy(setting) as near:
        waiting = asking(near, approver, "a.test:443")
        policy.default = FakePolicy(Verdict.ALLOW).default
        tunnel, head = near.connect(f"127.0.0.1:{far.port}")
        assert head == OK
        near.token.is_cancelled = True
        near.close_all(CloseReason.RUN_CANCELLED)
        with waiting, tunnel:
            assert read_all(tunnel) == b""
            assert read_all(waiting) == b""
        near.settle()
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["run_cancelled"]
    assert ("deny", "proxy_disabled") in near.audit.decisions


def test_a_denial_that_cancels_from_inside_still_answers_its_client() -> None:
    """The token's listener closes everything at once, the refused connection included."""
    token = FakeToken()
    with proxy(Setting(policy=FakePolicy(Verdict.DENY), token=token)) as near:
        token.on_cancel = lambda: near.server.close_all(CloseReason.RUN_CANCELLED)
        client, head = near.connect("a.test:443")
        client.close()
        assert status(head) == 403


def test_a_revoked_grant_cuts_what_it_carried_and_nothing_else() -> None:
    approver = FakeApprover(answer(Reason.APPROVED))
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    with origin(echo) as far, proxy(Setting(policy=policy, approver=approver)) as near:
        carried, _ = near.connect(f"127.0.0.1:{far.port}")
        policy.default = FakePolicy(Verdict.ALLOW).default
        other, _ = near.connect(f"127.0.0.1:{far.port}")
        near.call(lambda: near.server.close_approved(ApprovalId("a-1")))
        with carried, other:
            assert read_all(carried) == b""
            other.sendall(b"still here")
            assert other.recv(100) == b"still here"
        near.settle()
    reasons = sorted(event.close_reason for event in near.audit.of(ConnectionClosed))
    assert reasons == ["finished", "revoked"]


def test_two_hundred_tunnels_at_once() -> None:
    with origin(echo) as far, proxy() as near:
        tunnels = [near.connect(f"127.0.0.1:{far.port}") for _ in range(200)]
        for number, (client, head) in enumerate(tunnels):
            assert head == OK
            client.sendall(b"%d!" % number)
        for number, (client, _) in enumerate(tunnels):
            assert read_until(client, b"!") == b"%d!" % number
            client.close()
        near.settle()
    closed = near.audit.of(ConnectionClosed)
    assert len(closed) == 200
    assert {event.close_reason for event in closed} == {"finished"}
    assert sum(event.bytes_sent for event in closed) == sum(len(b"%d!" % n) for n in range(200))


def test_over_the_limit_is_a_429_and_cancels_nothing() -> None:
    setting = Setting(limits=replace(LIMITS, connections_per_run=2, refusals_per_run=1))
    with origin(echo) as far, proxy(setting) as near:
        held = [near.connect(f"127.0.0.1:{far.port}")[0] for _ in range(2)]
        client, head = near.connect(f"127.0.0.1:{far.port}")
        assert status(head) == 429
        assert b"Retry-After: 1\r\n" in head
        client.close()
        held.pop().close()
        eventually(lambda: len(near.server.connections) == 1)
        client, head = near.connect(f"127.0.0.1:{far.port}")
        assert head == OK
        client.close()
        held.pop().close()
    (event,) = near.audit.of(ClientsTurnedAway)
    assert (event.limit, event.count) == ("connections_per_run", 1)
    assert ("deny", "limit_exceeded") not in near.audit.decisions
    assert not near.token.is_cancelled


def test_past_the_limit_clients_wait_to_be_accepted() -> None:
    setting = Setting(limits=replace(LIMITS, connections_per_run=1, refusals_per_run=0))
    with origin(echo) as far, proxy(setting) as near:
        held, _ = near.connect(f"127.0.0.1:{far.port}")
        waiting = near.http()
        waiting.sendall(f"CONNECT 127.0.0.1:{far.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        waiting.settimeout(0.1)
        with pytest.raises(TimeoutError):
            waiting.recv(10)
        waiting.settimeout(PATIENCE_SECONDS)
        held.close()
        assert read_until(waiting, b"\r\n\r\n") == OK
        waiting.close()


def test_a_failed_connection_is_on_record_and_cancels_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with proxy() as near, near.http() as client:
            client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            answered = read_all(client)
    assert status(answered) == 502
    assert b"error=connection_refused;" in answered
    assert [event.error_type for event in near.audit.of(ConnectionFailed)] == ["connection_refused"]
    assert near.audit.decisions == [("allow", "allowed_by_rule")]
    assert not near.token.is_cancelled


def test_a_bug_in_one_connection_closes_that_one_only() -> None:
    class Broken(FakePolicy):
        def judge(self, *asked: object) -> object:  # type: ignore[override]  # a bug, on purpose
            if "bug" in str(asked[0]):
                raise ZeroDivisionError
            return self.default

    setting = Setting(policy=Broken(Verdict.ALLOW, dialable=LOOPBACK))
    running = Proxy(setting)
    running.start()
    with origin(echo) as far:
        client, head = running.connect("bug.test:443")
        client.close()
        assert head == b""
        client, head = running.connect(f"127.0.0.1:{far.port}")
        client.close()
        assert head == OK
    running.stop()
    assert len(running.reports) == 1
    assert "ZeroDivisionError" in running.reports[0]


def test_plain_requests_are_each_decided_on_their_own() -> None:
    recorder = Recorder(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    policy = FakePolicy(Verdict.DENY, dialable=LOOPBACK)
    policy.by_host["127.0.0.1"] = FakePolicy(Verdict.ALLOW).default
    policy.default = replace(policy.default, reason=Reason.INSPECTION_REQUIRED)
    with origin(recorder) as far, proxy(Setting(policy=policy)) as near, near.http() as client:
        authority = f"127.0.0.1:{far.port}"
        good = f"GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        bad = b"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n"
        last = good.replace(b"Host", b"Connection: close\r\nHost")
        client.sendall(good + bad + last)
        answered = read_all(client)
    assert [int(part[:3]) for part in answered.split(b"HTTP/1.1 ")[1:]] == [200, 403, 200]
    assert [decision for decision, _ in near.audit.decisions] == ["allow", "deny", "allow"]
    ids = [event.connection_id for event in near.audit.of(PolicyDecision)]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("turns", range(8))
def test_an_upload_that_is_cut_while_its_origin_fails_is_over_without_a_word(turns: int) -> None:
    """Between the failure and the end of the upload the loop has its turns."""
    far_ends, over = [], threading.Event()

    def held(connection: socket.socket) -> None:
        read_head(connection)
        far_ends.append(connection)
        over.wait(PATIENCE_SECONDS)

    with origin(held) as far, proxy() as near, near.http() as client:
        host = f"127.0.0.1:{far.port}"
        head = f"POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n"
        client.sendall(head.encode() + b"half")
        eventually(lambda: bool(far_ends))

        async def fail_and_cut() -> None:
            far_ends[0].sendall(b"rubbish\r\n\r\n")
            for _ in range(turns):
                await asyncio.sleep(0)
            near.server.close_all(CloseReason.POLICY_CHANGED)

        asyncio.run_coroutine_threadsafe(fail_and_cut(), near._loop).result(PATIENCE_SECONDS)
        near.settle()
        over.set()
        assert near.reports == []
        assert [each.close_reason for each in near.audit.of(ConnectionClosed)] in (
            [CloseReason.POLICY_CHANGED.value],
            [CloseReason.RESET.value],
        )


def test_an_idle_kept_connection_is_closed_without_a_word() -> None:
    setting = Setting(
        policy=FakePolicy(Verdict.DENY), limits=replace(LIMITS, keep_alive_seconds=0.05)
    )
    with proxy(setting) as near, near.http() as client:
        client.sendall(b"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n")
        assert read_all(client).count(b"HTTP/1.1 ") == 1


ASKS = Setting(
    credentials=Credentials.of({Identity("anna"): b"of-anna", Identity("bert"): b"of-bert"})
)


def authorized(port: int, *fields: str) -> bytes:
    lines = [f"CONNECT 127.0.0.1:{port} HTTP/1.1", "Host: a", *fields, "\r\n"]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("mixed", [False, True], ids=["http", "mixed"])
def test_a_secret_lets_in(mixed: bool) -> None:
    with origin(echo) as far, proxy(replace(ASKS, audit=FakeAudit())) as near:
        with near.mixed() if mixed else near.http() as client:
            client.sendall(authorized(far.port, "Proxy-Authorization: Bearer of-anna"))
            assert read_until(client, b"\r\n\r\n") == OK
        near.settle()
    assert near.audit.decisions == [("allow", "allowed_by_rule")]
    assert "of-anna" not in repr(near.audit.events)


@pytest.mark.parametrize("fields", [(), ("Proxy-Authorization: Bearer of-ann",)])
def test_without_it_nothing_is_judged_and_it_is_asked_for(fields: tuple[str, ...]) -> None:
    setting = replace(ASKS, audit=FakeAudit(), policy=FakePolicy(Verdict.ALLOW))
    with proxy(setting) as near:
        for mixed in (near.http, near.mixed):
            with mixed() as client:
                client.sendall(authorized(443, *fields))
                answered = read_all(client)
                assert status(answered) == 407
                assert answered.count(b"\r\nProxy-Authenticate: ") == 2
        with near.http() as client:
            client.sendall(b"no request at all\r\n\r\n")
            assert status(read_all(client)) == 400
    (counted,) = near.audit.events
    assert isinstance(counted, ClientsTurnedAway)
    assert (counted.limit, counted.count) == ("credentials", 3)
    assert setting.policy.judged == []


def test_each_request_shows_the_secret_of_the_first() -> None:
    request = "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n{}\r\n"
    with proxy(replace(ASKS, audit=FakeAudit())) as near, near.http() as client:
        for field, code in (
            ("Proxy-Authorization: Bearer of-anna\r\n", 502),
            ("", 407),
            ("Proxy-Authorization: Bearer of-bert\r\n", 407),
            ("Proxy-Authorization: Bearer of-anna\r\n", 502),
        ):
            client.sendall(request.format(field).encode())
            assert status(read_until(client, b"}\n")) == code


def test_among_those_outside_the_oldest_makes_room() -> None:
    """A thousand silent clients keep nobody out who has something to show."""
    setting = replace(ASKS, audit=FakeAudit(), limits=replace(LIMITS, connections_per_run=20))
    with origin(echo) as far, proxy(setting) as near:
        silent = [near.http() for _ in range(200)]
        for client in silent:
            client.sendall(b"C")
        with near.http() as client:
            client.sendall(authorized(far.port, "Proxy-Authorization: Bearer of-anna"))
            head = read_until(client, b"\r\n\r\n")
        for client in silent:
            client.close()
    # The run of this test is the same as the outside, and as full.
    assert status(head) in {200, 429}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("Host: b.test", 400),
        ("Host: a.test\r\nContent-Length: +3", 400),
        ("Host: a.test\r\nExpect: 200-ok", 417),
    ],
)
def test_no_answer_to_a_head_has_content(fields: str, status: int) -> None:
    """RFC 9110 section 9.3.2, also where the request is refused for how it is written."""
    with proxy() as near, near.http() as client:
        client.sendall(f"HEAD http://a.test/ HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        answered = read_all(client)
    assert answered.startswith(b"HTTP/1.1 %d " % status)
    assert answered.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ("Host: a.test\r\nExpect: 200-ok", "a.test"),
        ("Host: b.test", "unknown"),  # which of the two, nobody can say
    ],
)
def test_what_was_read_of_a_refused_request_is_on_record(fields: str, host: str) -> None:
    with proxy() as near, near.http() as client:
        client.sendall(f"PUT http://a.test/ HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        read_all(client)
    (decided,) = near.audit.of(PolicyDecision)
    assert (decided.method, decided.server_address) == ("PUT", host)


class Unreachable:
    """The socket of a client whose host was switched off, once the kernel has given it up."""

    def __init__(self, connected: Socket) -> None:
        self._connected = connected

    def send(self, data: bytes) -> int:
        raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH), len(data))

    def __getattr__(self, name: str) -> object:
        return getattr(self._connected, name)


def test_a_client_whose_host_is_off_is_gone_like_any_other() -> None:
    """It is no failure inside the gateway, which `proxy` would see."""
    asked, answer = threading.Event(), threading.Event()

    def late(connection: socket.socket) -> None:
        read_head(connection)
        asked.set()
        answer.wait(PATIENCE_SECONDS)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    with origin(late) as far, proxy() as near, near.http() as client:
        host = f"127.0.0.1:{far.port}"
        client.sendall(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert asked.wait(PATIENCE_SECONDS)
        (connection,) = near.server.connections
        connection._client.socket = Unreachable(connection._client.socket)  # type: ignore[assignment]  # does all that a socket does here
        answer.set()
        near.settle()
    assert [each.close_reason for each in near.audit.of(ConnectionClosed)] == ["reset"]
