"""UDP ASSOCIATE over real sockets: each datagram goes where its own header says, if it may."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from netproxy.model import ApprovalId, CloseReason, OnDenial, Reason, Verdict
from netproxy.transport import OwnPorts, SharedPorts
from netproxy.transport.socks_driver import SocksConnection
from otel.events import (
    AssociationClosed,
    ClientsTurnedAway,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    DialRefused,
    PolicyDecision,
)
from tests.support.datagrams import Associated, Refused, header, peer
from tests.support.fakes import FakeApprover, FakeAudit, FakePolicy, FakeResolver, answer, judgement
from tests.support.late_loops import JumpingLoop, jump
from tests.support.loops import PATIENCE_SECONDS
from tests.support.origins import read_all
from tests.support.proxies import LIMITS, LOOPBACK, Proxy, Setting, eventually, proxy

if TYPE_CHECKING:
    from netproxy.transport import Readiness
    from netproxy.transport.udp_association import Association
    from netproxy.transport.udp_ports import Address


def associated(near: Proxy, *, announces: bool = False) -> Associated:
    return Associated(near.socks(), announces=announces)


def shared_ports(readiness: Readiness) -> SharedPorts:
    """As in a sandbox, but of this host's loopback device only."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    sock.setsockopt(socket.IPPROTO_IP, 8, 1)
    sock.bind(("", 0))
    return SharedPorts(sock, readiness)


def the_only(near: Proxy) -> Association:
    """Its association."""
    (connection,) = near.server.connections
    assert isinstance(connection, SocksConnection)
    assert connection._association is not None
    return connection._association


def dropped(near: Proxy) -> int:
    """How many datagrams its only association has not let through."""
    return the_only(near)._dropped


def asking(approver: FakeApprover, **more: object) -> Setting:
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    return replace(Setting(), policy=policy, approver=approver, **more)  # type: ignore[arg-type]  # each test knows its fields


@pytest.mark.parametrize("announces", [True, False], ids=["announced", "first"])
@pytest.mark.parametrize("kind", ["own", "shared"])
def test_datagrams_go_there_and_back(kind: str, announces: bool) -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    if kind == "shared":
        setting.ports = shared_ports
    with peer(bytes.upper) as far, proxy(setting) as near:
        with associated(near, announces=announces) as client:
            for data in (b"one", b"two", b""):
                client.send("a.test", far.port, data)
                assert client.receive() == ("127.0.0.1", far.port, data.upper())
        near.settle()
    (decision,) = near.audit.of(PolicyDecision)
    assert (decision.protocol, decision.server_address, decision.server_port) == (
        "socks5-udp", "a.test", far.port,
    )  # fmt: skip
    (opened,) = near.audit.of(ConnectionOpened)
    (closed,) = near.audit.of(ConnectionClosed)
    assert opened.peer_address == f"127.0.0.1:{far.port}"
    assert opened.connection_id == closed.connection_id == decision.connection_id
    assert (closed.bytes_sent, closed.bytes_received) == (6, 6)
    assert (closed.datagrams_sent, closed.datagrams_received) == (3, 3)
    assert closed.close_reason == "finished"
    (association,) = near.audit.of(AssociationClosed)
    assert (association.flows, association.dropped) == (1, 0)
    assert association.client_address == decision.client_address
    assert near.setting.resolver.asked == ["a.test"]  # type: ignore[attr-defined]  # it is the fake


def test_ipv6() -> None:
    with peer(family=socket.AF_INET6) as far, proxy() as near, associated(near) as client:
        client.send("::1", far.port, b"six")
        assert client.receive() == ("::1", far.port, b"six")


def test_the_largest_datagram_arrives_whole_and_a_larger_answer_is_lost() -> None:
    with peer() as far, proxy() as near, associated(near) as client:
        most = 65507 - len(header("127.0.0.1", far.port))
        client.send("127.0.0.1", far.port, b"x" * most)
        assert client.receive()[2] == b"x" * most
    with peer(lambda _: b"y" * 65507) as far, proxy() as near, associated(near) as client:
        client.send("127.0.0.1", far.port, b"x")
        eventually(lambda: near.call(lambda: dropped(near)) == 1)
        assert client.hears_nothing()
    assert near.audit.of(AssociationClosed)[0].dropped == 1


def test_each_destination_is_decided_on_its_own() -> None:
    policy = FakePolicy(Verdict.DENY, dialable=LOOPBACK, on_denial=OnDenial.BLOCK)
    policy.by_host["127.0.0.1"] = judgement(Verdict.ALLOW)
    with (
        peer() as good, peer(family=socket.AF_INET6) as bad,
        proxy(Setting(policy=policy)) as near, associated(near) as client,
    ):  # fmt: skip
        for _ in range(3):
            client.send("::1", bad.port, b"no")
            client.send("127.0.0.1", good.port, b"yes")
            assert client.receive() == ("127.0.0.1", good.port, b"yes")
        assert bad.received == []
    # What was refused is not judged again at once.
    assert near.audit.decisions == [("deny", "denied_by_rule"), ("allow", "allowed_by_rule")]
    assert near.audit.of(AssociationClosed)[0].dropped == 3


def test_what_was_refused_is_judged_again_after_a_while() -> None:
    policy = FakePolicy(Verdict.DENY, dialable=LOOPBACK, on_denial=OnDenial.BLOCK)
    with (
        peer() as far, proxy(Setting(policy=policy, loop_factory=JumpingLoop)) as near,
        associated(near) as client,
    ):  # fmt: skip
        client.send("127.0.0.1", far.port, b"no")
        eventually(lambda: near.audit.decisions == [("deny", "denied_by_rule")])
        policy.default = judgement(Verdict.ALLOW)
        near.call(partial(jump, LIMITS.udp_refusal_seconds))
        client.send("127.0.0.1", far.port, b"yes")
        assert client.receive()[2] == b"yes"


def test_a_denial_cancels() -> None:
    with proxy(Setting(policy=FakePolicy(Verdict.DENY))) as near, associated(near) as client:
        client.send("127.0.0.1", 53, b"no")
        eventually(lambda: near.token.is_cancelled)


def test_the_answers_own_address_is_the_same_destination() -> None:
    """Clients go on with the address that an answer came from."""
    policy = FakePolicy(Verdict.DENY, dialable=LOOPBACK)
    policy.by_host["a.test"] = judgement(Verdict.ALLOW)
    setting = Setting(policy=policy, resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    with peer() as far, proxy(setting) as near, associated(near) as client:
        client.send("a.test", far.port, b"by name")
        assert client.receive() == ("127.0.0.1", far.port, b"by name")
        client.send("127.0.0.1", far.port, b"by address")
        assert client.receive()[2] == b"by address"
        assert not near.token.is_cancelled
        assert len(set(far.sources)) == 1
    assert len(near.audit.of(PolicyDecision)) == 1


def test_so_it_is_while_any_name_leads_there() -> None:
    """The flow of one name ends; that of another goes on, and its answers name that address."""
    policy = FakePolicy(Verdict.DENY, dialable=LOOPBACK)
    resolver = FakeResolver(a__test=[("127.0.0.1",)], b__test=[("127.0.0.1",)])
    policy.by_host |= {"a.test": judgement(Verdict.ALLOW), "b.test": judgement(Verdict.ALLOW)}
    with (
        peer() as far, proxy(Setting(policy=policy, resolver=resolver)) as near,
        associated(near) as client,
    ):  # fmt: skip
        for name in ("a.test", "b.test"):
            client.send(name, far.port, name.encode())
            assert client.receive()[2] == name.encode()
        policy.by_host["a.test"] = judgement(Verdict.DENY, on_denial=OnDenial.BLOCK)
        near.call(near.server.judge_again)
        assert [each.server_address for each in near.audit.of(ConnectionClosed)] == ["a.test"]
        client.send("127.0.0.1", far.port, b"by address")
        assert client.receive()[2] == b"by address"
        policy.by_host["b.test"] = judgement(Verdict.DENY, on_denial=OnDenial.BLOCK)
        near.call(near.server.judge_again)
        assert not near.token.is_cancelled
        client.send("127.0.0.1", far.port, b"by address")
        eventually(lambda: near.token.is_cancelled)


def test_a_few_datagrams_wait_for_the_answer_and_the_rest_are_lost() -> None:
    approver = FakeApprover()
    with peer() as far, proxy(asking(approver)) as near, associated(near) as client:
        for number in range(10):
            client.send("127.0.0.1", far.port, b"%d" % number)
        eventually(lambda: near.call(lambda: dropped(near)) == 6)
        assert len(approver.pending) == 1
        assert far.received == []
        near.call(lambda: approver.pending[0].set_result(answer(Reason.APPROVED)))
        assert [client.receive()[2] for _ in range(4)] == [b"0", b"1", b"2", b"3"]
        assert client.hears_nothing()
    assert near.audit.of(AssociationClosed)[0].dropped == 6


def test_a_client_that_leaves_takes_its_question_with_it() -> None:
    approver = FakeApprover()
    with proxy(asking(approver)) as near:
        with associated(near) as client:
            client.send("127.0.0.1", 53, b"?")
            eventually(lambda: len(approver.pending) == 1)
        near.settle()
        assert len(approver.abandoned) == 1
    assert near.audit.decisions == [("deny", "approval_timeout")]


@pytest.mark.parametrize("cut", ["policy", "revoked", "all"])
def test_flows_are_cut_like_tunnels(cut: str) -> None:
    approver = FakeApprover(answer(Reason.APPROVED))
    with peer() as far, proxy(asking(approver)) as near, associated(near) as client:
        client.send("127.0.0.1", far.port, b"one")
        assert client.receive()[2] == b"one"
        if cut == "policy":
            near.setting.policy.default = judgement(Verdict.DENY)
            near.call(near.server.judge_again)
        elif cut == "revoked":
            near.call(lambda: near.server.close_approved(ApprovalId("a-1")))
        else:
            near.close_all(CloseReason.RUN_CANCELLED)
        eventually(lambda: bool(near.audit.of(ConnectionClosed)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            # The peer knows where it was asked from; nobody listens there any more.
            late.sendto(b"late", far.sources[0])
        assert client.hears_nothing()
    reasons = {"policy": "policy_changed", "revoked": "revoked", "all": "run_cancelled"}
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == [reasons[cut]]


def test_a_policy_that_changes_while_somebody_is_asked_answers_it() -> None:
    approver = FakeApprover()
    with peer() as far, proxy(asking(approver)) as near, associated(near) as client:
        client.send("127.0.0.1", far.port, b"one")
        eventually(lambda: len(approver.pending) == 1)
        near.setting.policy.default = judgement(Verdict.DENY)
        near.call(near.server.judge_again)
        eventually(lambda: near.audit.decisions == [("deny", "denied_by_rule")])
        assert client.hears_nothing()
        assert far.received == []
        assert not near.token.is_cancelled


def test_an_idle_flow_ends_and_only_the_client_keeps_it_alive() -> None:
    setting = Setting(loop_factory=JumpingLoop)
    with peer() as far, proxy(setting) as near, associated(near) as client:
        client.send("127.0.0.1", far.port, b"one")
        client.receive()

        def is_closed_all_the_same() -> bool:
            far.socket.sendto(b"hello", far.sources[0])
            near.call(partial(jump, LIMITS.udp_idle_seconds / 8))
            return bool(near.audit.of(ConnectionClosed))

        eventually(is_closed_all_the_same)
        assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["idle"]
        client.send("127.0.0.1", far.port, b"two")
        eventually(lambda: far.received == [b"one", b"two"])
    assert len(near.audit.of(PolicyDecision)) == 2


def test_a_busy_flow_is_looked_up_again_after_its_lifetime() -> None:
    resolver = FakeResolver(a__test=[("127.0.0.1",), ("10.0.0.1",)])
    limits = replace(LIMITS, udp_lifetime_seconds=0.08)
    with (
        peer() as far, proxy(Setting(resolver=resolver, limits=limits)) as near,
        associated(near) as client,
    ):  # fmt: skip
        while len(resolver.asked) < 2:
            client.send("a.test", far.port, b"busy")
            time.sleep(0.01)
        eventually(lambda: near.token.is_cancelled)
    assert near.audit.of(ConnectionClosed)[0].close_reason == "lifetime"
    assert [event.reason for event in near.audit.of(DialRefused)] == ["not_allowed_local"]


def test_what_was_held_counts_for_the_limit_too() -> None:
    approver = FakeApprover()
    setting = replace(asking(approver), limits=replace(LIMITS, tunnel_bytes=25))
    with peer(lambda _: None) as far, proxy(setting) as near, associated(near) as client:
        for _ in range(4):
            client.send("127.0.0.1", far.port, b"10 or ten!")
        eventually(lambda: len(approver.pending) == 1)
        time.sleep(0.02)
        near.call(lambda: approver.pending[0].set_result(answer(Reason.APPROVED)))
        eventually(lambda: bool(near.audit.of(ConnectionClosed)))
    (closed,) = near.audit.of(ConnectionClosed)
    assert (closed.close_reason, closed.bytes_sent) == ("byte_limit", 20)


@pytest.mark.parametrize("way", ["there", "back"])
def test_a_flow_carries_no_more_than_a_tunnel_may(way: str) -> None:
    limits = replace(LIMITS, tunnel_bytes=25)
    more = b"" if way == "there" else b"x" * 10
    with (
        peer(lambda data: data + more if len(more) else None) as far,
        proxy(Setting(limits=limits)) as near, associated(near) as client,
    ):  # fmt: skip
        for _ in range(2):
            client.send("127.0.0.1", far.port, b"10 or ten!")
        eventually(lambda: len(far.received) == 2 or bool(near.audit.of(ConnectionClosed)))
        if way == "there":
            client.send("127.0.0.1", far.port, b"too many")
        eventually(lambda: bool(near.audit.of(ConnectionClosed)))
    (closed, *_) = near.audit.of(ConnectionClosed)
    assert closed.close_reason == "byte_limit"
    assert closed.bytes_sent + closed.bytes_received <= 25
    assert b"too many" not in far.received


def test_a_lookup_that_fails_cancels_nothing() -> None:
    with proxy() as near, associated(near) as client:
        client.send("unknown.test", 53, b"?")
        eventually(lambda: bool(near.audit.of(ConnectionFailed)))
        assert client.hears_nothing()
        assert not near.token.is_cancelled
    assert near.audit.of(ConnectionFailed)[0].error_type == "dns_error"


def test_a_peer_that_is_not_there_loses_nothing_else() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    with proxy() as near, associated(near) as client:
        for _ in range(3):
            client.send("127.0.0.1", port, b"?")
            time.sleep(0.01)
        assert client.hears_nothing()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
            back.bind(("127.0.0.1", port))
            back.settimeout(PATIENCE_SECONDS)
            client.send("127.0.0.1", port, b"!")
            data, source = back.recvfrom(100)
            while data == b"?":  # on a busy machine one of those comes only now
                data, source = back.recvfrom(100)
            back.sendto(data, source)
            assert client.receive() == ("127.0.0.1", port, b"!")


def test_an_opening_that_can_not_be_recorded_does_not_happen() -> None:
    audit = FakeAudit(lambda event: isinstance(event, ConnectionOpened))
    with peer() as far, proxy(Setting(audit=audit)) as near, associated(near) as client:
        client.send("127.0.0.1", far.port, b"one")
        assert client.hears_nothing()
        assert far.received == []


@pytest.mark.parametrize("limit", ["udp_associations_per_run", "connections_per_run"])
def test_over_the_limit_of_associations(limit: str) -> None:
    limits = replace(LIMITS, **{limit: 1})
    with proxy(Setting(limits=limits)) as near:
        with associated(near), near.socks() as control, pytest.raises(Refused) as refused:
            Associated(control)
        near.settle()
        with associated(near):
            pass
        near.settle()
    assert refused.value.code == 1
    assert [event.limit for event in near.audit.of(ClientsTurnedAway)] == [limit]


@pytest.mark.parametrize("limit", ["udp_peers_per_association", "udp_flows_per_run"])
def test_over_the_limit_of_destinations(limit: str) -> None:
    setting = Setting(limits=replace(LIMITS, **{limit: 1}), loop_factory=JumpingLoop)
    with peer() as one, peer() as two, proxy(setting) as near:
        with associated(near) as client:
            client.send("127.0.0.1", one.port, b"one")
            assert client.receive()[2] == b"one"
            client.send("127.0.0.1", two.port, b"two")
            assert client.hears_nothing()
            assert two.received == []
            near.call(partial(jump, LIMITS.udp_idle_seconds))
            eventually(lambda: bool(near.audit.of(ConnectionClosed)))  # it was idle
            client.send("127.0.0.1", two.port, b"two")
            assert client.receive()[2] == b"two"
        near.settle()
    assert [event.limit for event in near.audit.of(ClientsTurnedAway)] == ["udp_flows"]


def test_where_nothing_takes_datagrams_it_is_reply_07() -> None:
    with (
        proxy(Setting(ports=lambda _: None)) as near, near.socks() as control,
        pytest.raises(Refused) as refused,
    ):  # fmt: skip
        Associated(control)
    assert refused.value.code == 7
    (decision,) = near.audit.of(PolicyDecision)
    assert (decision.protocol, decision.reason) == ("socks5-udp", "invalid_destination")


def test_an_association_on_a_mixed_port_for_whoever_shows_nothing() -> None:
    with peer() as far, proxy() as near, Associated(near.mixed()) as client:
        client.send("127.0.0.1", far.port, b"one")
        assert client.receive()[2] == b"one"


def test_strangers_are_not_looked_at_without_end() -> None:
    looks: list[Address] = []

    def guard(source: Address, client: Address, near: Address) -> bool:
        looks.append(source)
        return False

    setting = Setting(ports=lambda readiness: OwnPorts(readiness, guard))
    with peer() as far, proxy(setting) as near, associated(near) as client:
        for _ in range(500):
            client.send("127.0.0.1", far.port, b"x")
        assert client.hears_nothing()
        assert far.received == []
    assert 10 <= len(looks) <= 15
    # Nor is what they send held against the client.
    assert near.audit.of(PolicyDecision) == []


def test_the_client_is_looked_at_once() -> None:
    looks: list[Address] = []

    def guard(source: Address, client: Address, near: Address) -> bool:
        looks.append(source)
        return True

    setting = Setting(ports=lambda readiness: OwnPorts(readiness, guard))
    with (
        peer() as far, proxy(setting) as near, associated(near) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):  # fmt: skip
        client.send_raw(b"what can not be read")
        for _ in range(3):
            client.send("127.0.0.1", far.port, b"x")
            assert client.receive()[2] == b"x"
            stranger.sendto(b"x", client.port)
        assert looks == [client.socket.getsockname()]


def test_the_association_ends_with_its_connection() -> None:
    with peer() as far, proxy() as near, associated(near) as client:
        client.send("127.0.0.1", far.port, b"one")
        assert client.receive()[2] == b"one"
        client.control.sendall(b"nothing that is looked at")
        client.control.close()
        near.settle()
        client.send("127.0.0.1", far.port, b"two")
        assert client.hears_nothing()
        assert far.received == [b"one"]


def test_an_association_without_flows_is_closed_by_draining() -> None:
    with proxy() as near, associated(near) as client:
        near.call(near.server.retire)
        assert read_all(client.control) == b""
        near.settle()
    (ended,) = near.audit.of(AssociationClosed)
    assert ended.close_reason == CloseReason.FINISHED.value


def test_one_that_is_asked_for_while_it_drains_is_closed_as_soon_as_it_is_there() -> None:
    with proxy() as near, near.socks() as client:
        eventually(lambda: bool(near.server.connections))

        def ask_and_drain() -> None:
            """The loop looks only when this is over: it is asked for before."""
            client.sendall(b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6))
            near.server.retire()

        near.call(ask_and_drain)
        assert read_all(client)[:4] == b"\x05\x00\x05\x00"


def test_while_it_drains_a_flow_goes_on_and_no_other_begins() -> None:
    with peer() as far, peer() as other, proxy() as near, associated(near) as client:
        client.send("127.0.0.1", far.port, b"one")
        assert client.receive()[2] == b"one"
        near.call(near.server.retire)
        client.send("127.0.0.1", other.port, b"new")
        client.send("127.0.0.1", far.port, b"two")
        assert client.receive()[2] == b"two"
        assert dropped(near) == 1
        association = near.call(lambda: the_only(near))
        (flow,) = association._flows.values()
        near.call(lambda: flow.cut(CloseReason.IDLE))
        assert read_all(client.control) == b""
        assert other.received == []


@pytest.mark.parametrize("end", ["refused", "left", "byte-limit"])
def test_what_was_held_and_went_nowhere_is_counted(end: str) -> None:
    approver = FakeApprover()
    limit = 10 if end == "byte-limit" else None
    setting = replace(asking(approver), limits=replace(LIMITS, tunnel_bytes=limit))
    with peer(lambda _: None) as far, proxy(setting) as near:
        with associated(near) as client:
            for _ in range(3):
                client.send("127.0.0.1", far.port, b"held")
            eventually(lambda: len(approver.pending) == 1)
            eventually(lambda: near.call(lambda: held(near)) == 3)
            if end != "left":
                verdict = Reason.APPROVED if limit else Reason.DENIED_BY_REVIEWER
                near.call(lambda: approver.pending[0].set_result(answer(verdict, cancel=False)))
                eventually(lambda: near.call(lambda: held(near)) == 0)
        near.settle()
    (ended,) = near.audit.of(AssociationClosed)
    assert ended.dropped == (1 if limit else 3)


def held(near: Proxy) -> int:
    """How many datagrams of its only association wait for an answer."""
    return sum(len(flow._held) for flow in the_only(near)._flows.values())
