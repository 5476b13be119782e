"""WebSocket by Upgrade: asked for, decided, taken by the origin, then a tunnel like any other."""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from netproxy.model import ApprovalId, CloseReason, OnDenial, Reason, Source, Verdict
from netproxy.policy.destinations import parse_destination
from otel.events import ConnectionClosed, ConnectionOpened, PolicyDecision
from tests.support.fakes import judgement
from tests.support.late_loops import JumpingLoop, jump
from tests.support.origins import PATIENCE_SECONDS, echo, origin, read_all, read_head
from tests.support.proxies import LIMITS, Proxy, Setting, eventually, proxy, read_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.config import Limits

OFFER = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: a")
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade, X-Hop\r\nUpgrade: WebSocket\r\n"
    b"X-Hop: 1\r\nSec-WebSocket-Accept: b\r\n\r\n"
)


def offer(port: int, *fields: str) -> bytes:
    host = f"127.0.0.1:{port}"
    lines = [f"GET http://{host}/ws HTTP/1.1", f"Host: {host}", *(fields or OFFER), "\r\n"]
    return "\r\n".join(lines).encode()


class Switches:
    """Takes the offer, then echoes. `head` is what it was asked, `early` what came with it."""

    def __init__(self, answer: bytes = SWITCH) -> None:
        self._answer = answer
        self.head = self.early = b""
        self.is_over = False

    def __call__(self, connection: socket.socket) -> None:
        self.head, self.early = read_head(connection)
        connection.sendall(self._answer)
        try:
            echo(connection)
        finally:
            self.is_over = True


def switched(near: Proxy, port: int, *, early: bytes = b"") -> tuple[socket.socket, bytes]:
    client = near.http()
    client.sendall(offer(port) + early)
    return client, read_until(client, b"\r\n\r\n")


def test_the_tunnel_goes_by_a_connection_of_its_own() -> None:
    """Not where plain requests went: its opening is on record."""

    def site(connection: socket.socket) -> None:
        while b"Upgrade: websocket" not in (head := read_head(connection)[0]):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        heads.append(head)
        connection.sendall(SWITCH)
        echo(connection)

    heads: list[bytes] = []
    with origin(site) as far, proxy() as near:
        with near.http() as client:
            client.sendall(offer(far.port, "Accept: */*"))
            assert read_until(client, b"hi").endswith(b"hi")
            client.sendall(offer(far.port))
            assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        near.settle()
        asked = [each.connection_id for each in near.audit.of(PolicyDecision)]
        assert [each.connection_id for each in near.audit.of(ConnectionOpened)] == asked
    assert far.accepted == 2
    assert b"Connection: Upgrade\r\n" in heads[0]


def test_it_is_asked_for_taken_and_then_a_tunnel() -> None:
    site = Switches(SWITCH + b"first")
    with origin(site) as far, proxy() as near:
        client, answer = switched(near, far.port)
        head, _, first = answer.partition(b"\r\n\r\n")
        while len(first) < 5:
            first += client.recv(5)
        assert first == b"first"
        assert head.split(b"\r\n") == [
            b"HTTP/1.1 101 Switching Protocols",
            b"Sec-WebSocket-Accept: b",
            head.split(b"\r\n")[2],
            b"Connection: Upgrade",
            b"Upgrade: websocket",
        ]
        assert head.split(b"\r\n")[2].startswith(b"Via: 1.1 netproxy-")
        client.sendall(b"\x81\x02hi")
        assert client.recv(100) == b"\x81\x02hi"
        client.close()
        near.settle()
    assert site.head.split(b"\r\n")[2:] == [
        b"Sec-WebSocket-Key: a",
        site.head.split(b"\r\n")[3],
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"",
        b"",
    ]
    [decided] = near.audit.of(PolicyDecision)
    assert (decided.method, decided.decision) == ("UPGRADE", "allow")
    [closed] = near.audit.of(ConnectionClosed)
    assert (closed.status, closed.close_reason) == (101, "finished")
    assert closed.bytes_sent == len(site.head) + 4
    assert closed.bytes_received == len(SWITCH) + len(b"first") + 4


def test_what_a_client_sends_early_waits_for_the_101() -> None:
    seen: list[bytes] = []

    def slow(connection: socket.socket) -> None:
        _, rest = read_head(connection)
        connection.settimeout(0.1)
        try:
            rest += connection.recv(100)
        except TimeoutError:
            seen.append(rest)
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(SWITCH)
        seen.append(connection.recv(100))

    with origin(slow) as far, proxy() as near:
        client, head = switched(near, far.port, early=b"GET http://b.test/ HTTP/1.1\r\n\r\n")
        with client:
            assert head.startswith(b"HTTP/1.1 101 ")
            eventually(lambda: len(seen) == 2)
    assert seen == [b"", b"GET http://b.test/ HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(("Connection: Upgrade", "Upgrade: tls/1.2"), id="another"),
        pytest.param(("Connection: Upgrade", "Upgrade: websocket, x"), id="a-choice"),
        pytest.param(("Upgrade: websocket",), id="not-named"),
        pytest.param((*OFFER, "Content-Length: 2"), id="with-content"),
    ],
)
def test_any_other_offer_is_dropped(fields: tuple[str, ...]) -> None:
    """RFC 9110 section 7.8: whoever gets one may ignore it."""
    seen: list[bytes] = []

    def plain(connection: socket.socket) -> None:
        seen.append(read_head(connection)[0])
        connection.sendall(b"HTTP/1.1 204 No\r\n\r\n")

    with origin(plain) as far, proxy() as near, near.http() as client:
        client.sendall(offer(far.port, *fields, "X: y") + b"hi")
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 204 ")
    assert b"upgrade" not in seen[0].lower()
    assert next(event.method for event in near.audit.of(PolicyDecision)) == "GET"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(SWITCH.replace(b"WebSocket", b"chat"), id="to-another"),
        pytest.param(SWITCH.replace(b"WebSocket", b"WebSocket, chat"), id="to-two"),
        pytest.param(SWITCH.replace(b"Connection: upgrade, X-Hop\r\n", b""), id="not-named"),
        pytest.param(SWITCH.replace(b"1.1 101", b"1.0 101"), id="1.0"),
    ],
)
def test_a_switch_to_what_was_not_asked_for_is_a_502(answer: bytes) -> None:
    with origin(Switches(answer)) as far, proxy() as near, near.http() as client:
        client.sendall(offer(far.port) + b"early")
        assert read_all(client).startswith(b"HTTP/1.1 502 ")


def test_an_offer_that_is_not_taken_ends_the_connection() -> None:
    """What follows may be of either protocol, so it is read as none."""
    site = Switches(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    with origin(site) as far, proxy() as near, near.http() as client:
        client.sendall(offer(far.port))
        assert read_all(client).endswith(b"\r\nConnection: close\r\n\r\nhi")


def _revoked(near: Proxy) -> None:
    near.server.close_approved(ApprovalId("a-7"))


def _denied(near: Proxy) -> None:
    near.setting.policy.default = judgement(Verdict.DENY, on_denial=OnDenial.BLOCK)
    near.server.judge_again()


def _cancelled(near: Proxy) -> None:
    near.server.close_all(CloseReason.RUN_CANCELLED)


CUTS = [
    pytest.param(_revoked, "revoked", id="revoked"),
    pytest.param(_denied, "policy_changed", id="policy"),
    pytest.param(_cancelled, "run_cancelled", id="cancelled"),
]


@pytest.mark.parametrize(("cut", "reason"), CUTS)
def test_it_is_cut_like_any_tunnel(cut: Callable[[Proxy], None], reason: str) -> None:
    site, setting = Switches(), Setting()
    with origin(site) as far, proxy(setting) as near:
        where = parse_destination(f"http://127.0.0.1:{far.port}")[0]
        setting.cache.grants[where] = ApprovalId("a-7")
        setting.policy.default = judgement(
            Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE
        )
        client, _ = switched(near, far.port)
        with client:
            near.call(lambda: cut(near))
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            eventually(lambda: site.is_over)
    [closed] = near.audit.of(ConnectionClosed)
    assert (closed.close_reason, closed.status) == (reason, 101)


@pytest.mark.parametrize(
    ("limits", "seconds", "reason"),
    [
        (LIMITS, LIMITS.idle_seconds, "idle"),
        (LIMITS, LIMITS.lifetime_seconds, "lifetime"),
        (replace(LIMITS, tunnel_bytes=8), 0.0, "byte_limit"),
        (replace(LIMITS, bytes_per_run=400), 0.0, "byte_limit"),
    ],
)
def test_it_has_the_limits_of_a_tunnel(limits: Limits, seconds: float, reason: str) -> None:
    setting = Setting(limits=limits, loop_factory=JumpingLoop)
    with origin(Switches()) as far, proxy(setting) as near:
        client, _ = switched(near, far.port)
        with client:
            client.sendall(bytes(300))
            if seconds:
                assert client.recv(1)
            for _ in range(2):  # from the first look on it is seen to be quiet
                near.call(partial(jump, seconds))
            assert len(read_all(client)) <= 300
        near.settle()
    [closed] = near.audit.of(ConnectionClosed)
    assert closed.close_reason == reason


@pytest.mark.parametrize(
    ("early", "answered", "seen", "reason"),
    [
        pytest.param(b"", b"123456789", b"", "byte_limit", id="more-than-all"),
        pytest.param(b"abcd", b"12345", b"", "byte_limit", id="more-than-what-is-left"),
        pytest.param(b"abcd", b"1234", b"1234", "finished", id="all"),
    ],
)
def test_what_comes_along_with_the_switch_counts_like_the_rest(
    early: bytes, answered: bytes, seen: bytes, reason: str
) -> None:
    def site(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(SWITCH + answered)
        read_all(connection)

    setting = Setting(limits=replace(LIMITS, tunnel_bytes=8))
    with origin(site) as far, proxy(setting) as near:
        with near.http() as client:
            client.sendall(offer(far.port) + early)
            if reason == "finished":
                client.shutdown(socket.SHUT_WR)
            assert read_all(client).partition(b"\r\n\r\n")[2] == seen
        near.settle()
    (closed,) = near.audit.of(ConnectionClosed)
    assert closed.close_reason == reason
    assert closed.bytes_received == len(SWITCH) + len(seen)


def test_a_refused_offer_reaches_nobody() -> None:
    setting = Setting()
    setting.policy.default = judgement(Verdict.DENY, on_denial=OnDenial.BLOCK)
    with origin(echo) as far, proxy(setting) as near, near.http() as client:
        client.sendall(offer(far.port) + b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n")
        assert read_all(client).count(b"HTTP/1.1 ") == 1
        assert far.accepted == 0


def test_a_drain_lets_it_go_on_until_its_time_is_over() -> None:
    """Who retires a gateway cuts what is left after the drain; until then it is served."""
    site = Switches()
    with origin(site) as far, proxy() as near:
        client, _ = switched(near, far.port)
        near.call(near.server.stop_accepting)
        near.call(near.server.retire)
        for word in (b"one", b"two"):
            client.sendall(word)
            assert client.recv(3) == word
        assert len(near.server.connections) == 1
        near.close_all(CloseReason.RUN_ENDED)
        with client, pytest.raises(ConnectionResetError):
            client.recv(1)
        eventually(lambda: site.is_over)
    (closed,) = near.audit.of(ConnectionClosed)
    assert closed.close_reason == "run_ended"
    # The two words, and the heads before them.
    assert closed.bytes_received == len(SWITCH) + 6
