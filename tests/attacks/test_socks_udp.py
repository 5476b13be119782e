"""Ways to get datagrams past a SOCKS gateway, or to have it send them to somebody else.

The defences: a datagram's own header is read strictly and decided like any other request; answers
are taken from exactly the address and port that was asked, by a connected socket; an association
belongs to one source; and nothing is ever sent in reply to what is dropped.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from netproxy.connection.credentials import Credentials, Identity
from netproxy.model import OnDenial, Verdict
from otel.events import ClientsTurnedAway, ConnectionFailed, ConnectionOpened, PolicyDecision
from tests.support.datagrams import Associated, header, peer
from tests.support.fakes import FakeApprover, FakePolicy, FakeResolver, judgement
from tests.support.origins import echo, origin
from tests.support.parents import parent, through
from tests.support.proxies import LIMITS, LOOPBACK, Setting, eventually, proxy


def datagram_socket(address: str = "127.0.0.1") -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, 0))
    return made


def test_an_answer_from_somebody_who_was_not_asked() -> None:
    """A DNS answer, say: the right port of ours, from the wrong place."""
    with (
        peer() as far, proxy() as near, Associated(near.socks()) as client,
        datagram_socket() as other_port, datagram_socket("127.0.0.2") as other_host,
    ):  # fmt: skip
        client.send("127.0.0.1", far.port, b"asked")
        assert client.receive()[2] == b"asked"
        (asked_from,) = set(far.sources)
        for forger in (other_port, other_host):
            forger.sendto(b"forged", asked_from)
        assert client.hears_nothing()
        far.socket.sendto(b"honest", asked_from)
        assert client.receive()[2] == b"honest"


def test_a_peer_that_answers_another_association() -> None:
    with (
        peer() as far, peer() as near_by, proxy() as near,
        Associated(near.socks()) as one, Associated(near.socks()) as two,
    ):  # fmt: skip
        one.send("127.0.0.1", far.port, b"one")
        two.send("127.0.0.1", near_by.port, b"two")
        assert (one.receive()[2], two.receive()[2]) == (b"one", b"two")
        near_by.socket.sendto(b"crossed", far.sources[0])
        assert one.hears_nothing()
        assert two.hears_nothing()


@pytest.mark.parametrize("announces", [True, False], ids=["announced", "first"])
def test_another_program_can_not_use_an_association(announces: bool) -> None:
    with (
        peer() as far, proxy() as near,
        Associated(near.socks(), announces=announces) as client, datagram_socket() as thief,
    ):  # fmt: skip
        if not announces:
            client.send("127.0.0.1", far.port, b"mine")
            assert client.receive()[2] == b"mine"
        thief.sendto(header("127.0.0.1", far.port) + b"stolen", client.port)
        assert client.hears_nothing()
        client.send("127.0.0.1", far.port, b"mine")
        assert client.receive()[2] == b"mine"
        assert b"stolen" not in far.received
        thief.settimeout(0.05)
        with pytest.raises(TimeoutError):
            thief.recv(100)


def test_an_association_is_not_taken_over_from_another_address() -> None:
    """RFC 1928 section 7: only the host that holds the TCP connection, even for the first one."""
    with (
        peer() as far, proxy() as near, Associated(near.socks()) as client,
        datagram_socket("127.0.0.2") as thief,
    ):  # fmt: skip
        thief.sendto(header("127.0.0.1", far.port) + b"stolen", client.port)
        client.send("127.0.0.1", far.port, b"mine")
        assert client.receive()[2] == b"mine"
        assert far.received == [b"mine"]


def test_another_user_of_the_host_is_never_first() -> None:
    """On a shared gateway an association was had for a secret that he does not know."""
    if os.getuid() != 0:
        pytest.skip("being another user needs root")
    setting = Setting(credentials=Credentials.of({Identity("anna"): b"hers"}))
    with peer() as far, proxy(setting) as near:
        with Associated(near.socks(), secret=b"hers") as client:
            stranger = os.fork()  # an interpreter under a closed home could not be executed
            if stranger == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                with datagram_socket() as thief:
                    thief.sendto(header("127.0.0.1", far.port) + b"stolen", client.port)
                    time.sleep(0.1)
                os._exit(0)
            os.waitpid(stranger, 0)
            client.send("127.0.0.1", far.port, b"hers")
            assert client.receive()[2] == b"hers"
        assert far.received == [b"hers"]


def test_what_is_no_socks_does_not_take_an_association_over() -> None:
    with (
        peer() as far, proxy() as near, Associated(near.socks()) as client,
        datagram_socket() as stray,
    ):  # fmt: skip
        stray.sendto(b"hello?", client.port)
        client.send("127.0.0.1", far.port, b"mine")
        assert client.receive()[2] == b"mine"


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(header("127.0.0.1", 53, fragment=1) + b"x", id="fragment"),
        pytest.param(header("127.0.0.1", 53, fragment=0x81) + b"x", id="last-fragment"),
        pytest.param(b"\x00\x01" + header("127.0.0.1", 53)[2:], id="reserved"),
        pytest.param(header("127.0.0.1", 53)[:-1], id="truncated"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\x00\x00\x02\x7f\x00\x00\x01\x00\x35", id="address-type"),
        pytest.param(header("127.0.0.1", 0) + b"x", id="port-0"),
        pytest.param(header("127.0.0.1\0.ok.test", 53) + b"x", id="nul"),
        pytest.param(header("2130706433", 53) + b"x", id="decimal"),
        pytest.param(header("0x7f.1", 53) + b"x", id="hexadecimal"),
        pytest.param(header("a" * 64 + ".test", 53) + b"x", id="long-label"),
        pytest.param(header("", 53) + b"x", id="no-name"),
        pytest.param(header("a b.test", 53) + b"x", id="space"),
    ],
)
def test_what_can_not_be_read_goes_nowhere_unanswered(datagram: bytes) -> None:
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    with proxy(setting) as near, Associated(near.socks()) as client:
        for _ in range(50):
            client.send_raw(datagram)
        eventually(lambda: bool(near.audit.decisions))
        assert client.hears_nothing()
    assert near.setting.policy.judged == []
    assert near.audit.of(ConnectionOpened) == []
    assert not near.token.is_cancelled
    # One record tells of all of them: a flood must not fill the journal.
    assert near.audit.decisions == [("deny", "invalid_destination")]


@pytest.mark.parametrize("cancels", [True, False], ids=["cancel", "block"])
def test_a_denied_destination_inside_an_allowed_association(cancels: bool) -> None:
    on_denial = OnDenial.CANCEL if cancels else OnDenial.BLOCK
    policy = FakePolicy(Verdict.DENY, dialable=LOOPBACK, on_denial=on_denial)
    policy.by_host["a.test"] = judgement(Verdict.ALLOW)
    setting = Setting(policy=policy, resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    with peer() as far, peer() as denied, proxy(setting) as near:
        with Associated(near.socks()) as client:
            client.send("a.test", far.port, b"allowed")
            assert client.receive()[2] == b"allowed"
            client.send("127.0.0.1", denied.port, b"denied")
            eventually(lambda: len(near.audit.of(PolicyDecision)) == 2)
            assert client.hears_nothing()
        assert denied.received == []
        assert near.token.is_cancelled is cancels


def test_a_name_that_resolves_to_a_private_address() -> None:
    resolver = FakeResolver(a__test=[("10.0.0.1", "169.254.169.254", "fd00::1")])
    policy = FakePolicy(Verdict.ALLOW)
    with (
        proxy(Setting(policy=policy, resolver=resolver)) as near,
        Associated(near.socks()) as client,
    ):
        client.send("a.test", 53, b"x")
        eventually(lambda: near.token.is_cancelled)
    assert near.audit.of(ConnectionOpened) == []


def test_a_name_that_changes_its_address_while_it_is_in_use() -> None:
    """It is looked up once for each flow; a second answer would have been a private address."""
    resolver = FakeResolver(a__test=[("127.0.0.1",), ("10.0.0.1",)])
    with (
        peer() as far, proxy(Setting(resolver=resolver)) as near,
        Associated(near.socks()) as client,
    ):  # fmt: skip
        for _ in range(5):
            client.send("a.test", far.port, b"x")
            client.send("A.Test.", far.port, b"x")
            client.receive()
            client.receive()
    assert resolver.asked == ["a.test"]


def test_datagrams_do_not_go_around_the_operators_proxy() -> None:
    """What has to leave through a parent, which takes none, does not leave."""
    resolver = FakeResolver(a__test=[("127.0.0.1",)])
    with origin(echo) as chosen, peer() as far:
        routes = through(parent(chosen.port), "a.test")
        with (
            proxy(Setting(resolver=resolver, routes=routes)) as near,
            Associated(near.socks()) as client,
        ):
            client.send("a.test", far.port, b"x")
            eventually(lambda: bool(near.audit.of(ConnectionFailed)))
            assert client.hears_nothing()
            assert far.received == []
            assert chosen.accepted == 0
            assert near.audit.of(ConnectionOpened) == []


def test_nothing_is_looked_up_or_sent_before_the_answer() -> None:
    resolver = FakeResolver(a__test=[("127.0.0.1",)])
    approver = FakeApprover()
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    setting = Setting(policy=policy, approver=approver, resolver=resolver)
    with peer() as far, proxy(setting) as near, Associated(near.socks()) as client:
        client.send("a.test", far.port, b"secret")
        eventually(lambda: len(approver.pending) == 1)
        assert client.hears_nothing()
        assert (resolver.asked, far.received) == ([], [])


def test_a_cancelled_command_sends_nothing_more() -> None:
    with peer() as far, proxy() as near, Associated(near.socks()) as client:
        near.token.is_cancelled = True
        client.send("127.0.0.1", far.port, b"x")
        eventually(lambda: bool(near.audit.decisions))
        assert client.hears_nothing()
        assert far.received == []
    assert near.audit.decisions == [("deny", "proxy_disabled")]


@pytest.mark.parametrize("verdict", [Verdict.ALLOW, Verdict.DENY])
def test_ten_thousand_destinations(verdict: Verdict) -> None:
    """Descriptors and records stay bounded; who was let in before still gets through."""
    limits = replace(LIMITS, udp_peers_per_association=16)
    policy = FakePolicy(verdict, dialable=LOOPBACK, on_denial=OnDenial.BLOCK)
    policy.by_host["127.0.0.1"] = judgement(Verdict.ALLOW)
    with (
        peer() as far, proxy(Setting(policy=policy, limits=limits)) as near,
        Associated(near.socks()) as client,
    ):  # fmt: skip
        client.send("127.0.0.1", far.port, b"before")
        assert client.receive()[2] == b"before"
        for number in range(10_000):
            client.send(f"127.0.2.{number % 250 + 1}", 1024 + number, b"x")
        deadline = time.monotonic() + 30
        while far.received[-1] != b"after":
            client.send("127.0.0.1", far.port, b"after")
            time.sleep(0.02)
            assert time.monotonic() < deadline
        assert len(near.audit.of(PolicyDecision)) <= 1 + 16
        assert len(near.server.connections) == 1
    turned_away = {event.limit for event in near.audit.of(ClientsTurnedAway)}
    assert turned_away == ({"udp_flows"} if verdict is Verdict.ALLOW else set())


def test_a_thousand_associations() -> None:
    limits = replace(LIMITS, udp_associations_per_run=8)
    with peer() as far, proxy(Setting(limits=limits)) as near, ExitStack() as stack:
        held = [stack.enter_context(Associated(near.socks())) for _ in range(8)]
        for _ in range(200):
            with near.socks() as control:
                control.sendall(b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6))
                assert control.recv(2) == b"\x05\x00"
                assert control.recv(2) == b"\x05\x01"
        held[0].send("127.0.0.1", far.port, b"still")
        assert held[0].receive()[2] == b"still"
    assert {event.limit for event in near.audit.of(ClientsTurnedAway)} == {
        "udp_associations_per_run"
    }


def test_answers_that_come_after_the_client_left_go_nowhere() -> None:
    """The port of a client that is gone may be another program's by then."""
    with peer() as far, proxy() as near:
        with Associated(near.socks()) as client:
            client.send("127.0.0.1", far.port, b"x")
            client.receive()
            port = client.socket.getsockname()[1]
            client.control.close()
            near.settle()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as newcomer:
            newcomer.bind(("127.0.0.1", port))
            newcomer.settimeout(0.1)
            far.socket.sendto(b"late", far.sources[0])
            with pytest.raises(TimeoutError):
                newcomer.recv(100)
