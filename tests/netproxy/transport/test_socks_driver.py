"""SOCKS5 over real sockets."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.credentials import Credentials, Identity
from netproxy.connection.fake_names import FakeNames
from netproxy.errors import SocksReply
from netproxy.model import CloseReason, Verdict
from netproxy.protocol.socks5 import reply
from netproxy.transport.readiness import READABLE
from otel.events import (
    ClientsTurnedAway,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    PolicyDecision,
)
from tests.support.fakes import FakePolicy, FakeResolver, LateAudit, judgement
from tests.support.origins import PATIENCE_SECONDS, echo, origin, read_all
from tests.support.proxies import LIMITS, Proxy, Setting, eventually, proxy

if TYPE_CHECKING:
    from netproxy.model import Destination, Judgement
    from netproxy.ports import SessionCache

GREETING = b"\x05\x01\x00"


def ask(host: str | bytes, port: int) -> bytes:
    name = host if isinstance(host, bytes) else host.encode()
    return b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2)


def exactly(client: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        data = client.recv(count - len(received))
        if not data:
            break
        received += data
    return received


@pytest.mark.parametrize("is_slow", [False, True], ids=["at-once", "byte-by-byte"])
@pytest.mark.parametrize("kind", ["name", "ipv4", "ipv6"])
def test_a_tunnel(kind: str, is_slow: bool) -> None:
    family = socket.AF_INET6 if kind == "ipv6" else socket.AF_INET
    with (
        origin(echo, family=family) as far,
        proxy(Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))) as near,
        near.socks() as client,
    ):
        port = far.port.to_bytes(2)
        request = {
            "name": ask("a.test", far.port),
            "ipv4": b"\x05\x01\x00\x01\x7f\x00\x00\x01" + port,
            "ipv6": b"\x05\x01\x00\x04" + b"\x00" * 15 + b"\x01" + port,
        }[kind]
        data = GREETING + request + b"early"
        for part in [bytes([byte]) for byte in data] if is_slow else [data]:
            client.sendall(part)
        assert exactly(client, 2) == b"\x05\x00"
        assert exactly(client, 3) == b"\x05\x00\x00"
        bound = exactly(client, 19 if kind == "ipv6" else 7)
        assert bound[1:-2].endswith(b"\x7f\x00\x00\x01" if kind != "ipv6" else b"\x00\x01")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"early"
        near.settle()
    (decision,) = near.audit.of(PolicyDecision)
    assert (decision.protocol, decision.method, decision.server_port) == (
        "socks5-tcp", "none", far.port,
    )  # fmt: skip
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["finished"]


def test_who_looked_the_name_up_inside_means_the_name() -> None:
    """As with `socks5://` instead of `socks5h://`; some clients of CONNECT do the same."""
    names = FakeNames()
    literal = socket.inet_ntoa(names.address("a.test"))
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]), names=names)
    with origin(echo) as far, proxy(setting) as near:
        with near.socks() as client:
            client.sendall(GREETING + ask(literal, far.port))
            assert exactly(client, 12)[:4] == b"\x05\x00\x05\x00"
        client, answer = near.connect(f"{literal}:{far.port}")
        client.close()
        assert b" 200 " in answer
        near.settle()
    assert {event.server_address for event in near.audit.of(PolicyDecision)} == {"a.test"}


def test_a_denial_is_reply_02_and_cancels() -> None:
    with proxy(Setting(policy=FakePolicy(Verdict.DENY))) as near, near.socks() as client:
        client.sendall(GREETING + ask("a.test", 443) + b"x" * 100_000)
        assert read_all(client) == b"\x05\x00" + reply(SocksReply.NOT_ALLOWED)
    assert near.token.is_cancelled


def test_a_name_that_is_not_a_name_is_reply_01_and_cancels_nothing() -> None:
    with proxy() as near, near.socks() as client:
        client.sendall(GREETING + ask(b"127.0.0.1\0.a.test", 443))
        assert read_all(client) == b"\x05\x00" + reply(SocksReply.GENERAL_FAILURE)
    assert near.audit.decisions == [("deny", "invalid_destination")]
    assert not near.token.is_cancelled


@pytest.mark.parametrize(
    ("host", "code"),
    [("unknown.test", SocksReply.HOST_UNREACHABLE), ("127.0.0.1", SocksReply.CONNECTION_REFUSED)],
)
def test_failures_have_their_reply(host: str, code: SocksReply) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with proxy() as near, near.socks() as client:
            client.sendall(GREETING + ask(host, unused.getsockname()[1]))
            assert read_all(client) == b"\x05\x00" + reply(code)


def test_private_addresses_behind_a_name_are_reply_02() -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("10.0.0.1",)]))
    with proxy(setting) as near, near.socks() as client:
        client.sendall(GREETING + ask("a.test", 443))
        assert read_all(client) == b"\x05\x00" + reply(SocksReply.NOT_ALLOWED)


def test_over_the_limit_is_reply_01() -> None:
    setting = Setting(limits=replace(LIMITS, connections_per_run=1))
    with proxy(setting) as near, near.socks() as held:
        held.sendall(b"\x05")
        eventually(lambda: bool(near.server.connections))
        with near.socks() as client:
            client.sendall(GREETING + ask("a.test", 443))
            assert read_all(client) == b"\x05\x00" + reply(SocksReply.GENERAL_FAILURE)
    assert near.audit.decisions == []
    assert [each.count for each in near.audit.of(ClientsTurnedAway)] == [1]


def secret(text: bytes) -> bytes:
    return b"\x05\x02\x00\x02\x01\x04user" + bytes([len(text)]) + text


def test_a_tunnel_for_whoever_shows_the_secret() -> None:
    credentials = Credentials.of({Identity("builds"): b"right"})
    with origin(echo) as far, proxy(Setting(credentials=credentials)) as near:
        with near.socks() as client:
            client.sendall(secret(b"right") + ask("127.0.0.1", far.port) + b"early")
            assert exactly(client, 4) == b"\x05\x02\x01\x00"
            assert exactly(client, 10)[:2] == b"\x05\x00"
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"early"
        near.settle()
    assert near.audit.decisions == [("allow", "allowed_by_rule")]


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(secret(b"wrong"), b"\x05\x02\x01\x01", id="wrong"),
        pytest.param(GREETING, b"\x05\xff", id="none-offered"),
        pytest.param(b"\x05\x01\x02\x05\x01\x00", b"\x05\x02\x01\x01", id="step-skipped"),
    ],
)
def test_without_the_secret_nothing_is_judged(sent: bytes, answer: bytes) -> None:
    credentials = Credentials.of({Identity("builds"): b"right"})
    with (
        origin(echo) as far,
        proxy(Setting(credentials=credentials)) as near,
        near.socks() as client,
    ):
        client.sendall(sent + ask("127.0.0.1", far.port))
        assert read_all(client) == answer
        near.settle_after(client)
        assert far.accepted == 0
        assert near.setting.policy.judged == []
    (counted,) = near.audit.events
    assert isinstance(counted, ClientsTurnedAway)
    assert (counted.limit, counted.count) == ("credentials", 1)
    assert "wrong" not in repr(near.audit.events)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", id="4"),
        pytest.param(b"\x04\x01\x00\x50\x00\x00\x00\x01\x00a.test\x00", id="4a"),
    ],
)
def test_socks4_is_refused_in_its_own_words(asked: bytes) -> None:
    with proxy() as near, near.socks() as client:
        client.sendall(asked)
        assert read_all(client) == b"\x00\x5b\x00\x00\x00\x00\x00\x00"
        near.settle_after(client)
    assert near.audit.decisions == [("deny", "invalid_destination")]
    assert not near.token.is_cancelled


@pytest.mark.parametrize("start", [b"", b"\x05\x01\x00", b"\x05\x01\x00\x05\x01\x00\x03\xff"])
def test_r94_a_handshake_that_stalls_is_closed(start: bytes) -> None:
    setting = Setting(limits=replace(LIMITS, head_seconds=0.05))
    with proxy(setting) as near, near.socks() as client:
        client.sendall(start)
        client.settimeout(PATIENCE_SECONDS)
        assert read_all(client) in {b"", b"\x05\x00"}


@pytest.mark.parametrize("start", [b"", b"\x05\x01\x00", b"\x05\x01\x00\x05\x01\x00\x03\xff"])
def test_a_handshake_is_cut_at_once(start: bytes) -> None:
    """It has no task that would have to have its turn first."""
    with proxy() as near, near.socks() as client:
        client.sendall(start or b"\x05")
        eventually(lambda: bool(near.server.connections))

        def cut() -> int:
            near.server.close_all(CloseReason.POLICY_CHANGED)
            return len(near.server.connections)

        assert near.call(cut) == 0
        assert read_all(client) in {b"", b"\x05\x00"}
    assert near.audit.events == []


def test_who_has_asked_for_nothing_is_closed_by_draining() -> None:
    setting = Setting(limits=replace(LIMITS, head_seconds=10 * PATIENCE_SECONDS))
    with proxy(setting) as near, near.socks() as silent, near.socks() as greeting:
        greeting.sendall(GREETING)
        assert exactly(greeting, 2) == b"\x05\x00"
        eventually(lambda: len(near.server.connections) == 2)
        near.call(near.server.retire)
        assert read_all(silent) == read_all(greeting) == b""


def test_who_has_asked_is_served_while_it_drains() -> None:
    with origin(echo) as far, proxy() as near, near.socks() as client:
        client.sendall(GREETING)
        assert exactly(client, 2) == b"\x05\x00"
        client.sendall(ask("127.0.0.1", far.port))
        assert exactly(client, 10)[:2] == b"\x05\x00"
        near.call(near.server.retire)
        client.sendall(b"hello")
        assert exactly(client, 5) == b"hello"


def test_a_handshake_that_is_cut_before_its_greeting_is_answered() -> None:
    """Answers wait for the end of a batch; another event of the same batch comes before."""
    with proxy() as near, near.socks() as client:
        eventually(lambda: bool(near.server.connections))
        mine, other = socket.socketpair()

        def cut(_: int) -> None:
            near.readiness.forget(mine.fileno())
            near.server.close_all(CloseReason.POLICY_CHANGED)

        def both() -> None:
            """The loop looks only when this is over: then both are there, in this order."""
            near.readiness.watch(mine.fileno(), READABLE, cut)
            client.sendall(GREETING)
            other.send(b"x")

        near.call(both)
        assert read_all(client) == b""
        mine.close()
        other.close()


def test_over_a_limit_a_handshake_has_less_time() -> None:
    limits = replace(LIMITS, connections_per_run=0, head_seconds=30.0, linger_seconds=0.05)
    with proxy(Setting(limits=limits)) as near, near.socks() as client:
        client.sendall(b"\x05")
        client.settimeout(PATIENCE_SECONDS)
        assert read_all(client) == b""


def asking_late(near: Proxy, audit: LateAudit) -> socket.socket:
    """A client whose request is allowed, and not on record yet."""
    client = near.socks()
    client.sendall(GREETING + ask("127.0.0.1", 9))
    eventually(lambda: bool(audit.turn))
    return client


def test_a_policy_that_changes_before_the_record_is_written_refuses() -> None:
    audit = LateAudit()
    setting = Setting(audit=audit)
    with proxy(setting) as near, asking_late(near, audit) as client:
        setting.policy.default = judgement(Verdict.DENY)
        near.call(near.server.judge_again)
        near.call(audit.end_turn)
        assert read_all(client) == b"\x05\x00" + reply(SocksReply.NOT_ALLOWED)
        near.settle_after(client)
    assert audit.decisions == [("allow", "allowed_by_rule"), ("deny", "denied_by_rule")]
    assert audit.of(ConnectionOpened) == audit.of(ConnectionFailed) == []


def test_a_cut_before_the_record_is_written_ends_it_at_once() -> None:
    audit = LateAudit()
    with proxy(Setting(audit=audit)) as near, asking_late(near, audit) as client:

        def cut() -> int:
            near.server.close_all(CloseReason.RUN_CANCELLED)
            return len(near.server.connections)

        assert near.call(cut) == 0
        near.call(audit.end_turn)
        assert read_all(client) == b"\x05\x00"
    assert audit.decisions == [("allow", "allowed_by_rule")]
    assert audit.of(ConnectionOpened) == []
    assert [event.error_type for event in audit.of(ConnectionFailed)] == ["abandoned"]


def test_a_cut_after_a_change_of_the_policy_answers_nothing() -> None:
    audit = LateAudit()
    setting = Setting(audit=audit)
    with proxy(setting) as near, asking_late(near, audit) as client:
        setting.policy.default = judgement(Verdict.DENY)
        near.call(near.server.judge_again)
        near.close_all(CloseReason.RUN_CANCELLED)
        near.call(audit.end_turn)
        assert read_all(client) == b"\x05\x00"
    assert audit.decisions == [("allow", "allowed_by_rule")]


def test_who_ends_the_run_by_asking_is_told_and_not_waited_for() -> None:
    """The token's listener cuts all connections from within the decision."""
    limits = replace(LIMITS, linger_seconds=60.0)
    with proxy(Setting(policy=FakePolicy(Verdict.DENY), limits=limits)) as near:
        near.token.on_cancel = lambda: near.server.close_all(CloseReason.RUN_CANCELLED)
        with near.socks() as client:
            client.sendall(GREETING + ask("127.0.0.1", 9))
            assert read_all(client) == b"\x05\x00" + reply(SocksReply.NOT_ALLOWED)
            near.settle()
    assert near.audit.decisions == [("deny", "denied_by_rule")]


def test_a_record_that_is_lost_is_a_refusal() -> None:
    audit = LateAudit(lambda event: isinstance(event, PolicyDecision) and event.decision == "allow")
    with proxy(Setting(audit=audit)) as near, asking_late(near, audit) as client:
        near.call(audit.end_turn)
        assert read_all(client) == b"\x05\x00" + reply(SocksReply.NOT_ALLOWED)
        near.settle_after(client)
    assert audit.decisions == [("deny", "audit_unavailable")]
    assert audit.of(ConnectionFailed) == []


def test_whatever_breaks_while_a_request_is_decided_ends_that_connection_only() -> None:
    class Broken(FakePolicy):
        def judge(self, destination: Destination, method: str, cache: SessionCache) -> Judgement:
            raise ValueError("a bug")

    with proxy(Setting(policy=Broken(Verdict.ALLOW))) as near:
        for _ in range(2):
            with near.socks() as client:
                client.sendall(GREETING + ask("127.0.0.1", 9))
                assert read_all(client) == b"\x05\x00"
                near.settle()
            assert len(near.reports) == 1
            near.reports.clear()


def test_a_client_that_leaves_early() -> None:
    with proxy() as near:
        for start in (b"", b"\x05", GREETING):
            client = near.socks()
            client.sendall(start)
            client.close()
        near.settle()
    assert near.audit.events == []
