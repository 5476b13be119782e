"""A kept client rests without a task, and its next request keeps every promise without one, too."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.credentials import Credentials, Identity
from netproxy.connection.fake_names import FakeNames
from netproxy.model import CloseReason, OnDenial, Reason, Source, Verdict
from netproxy.policy.destinations import parse_destination
from netproxy.transport.http_driver import HttpConnection
from otel.events import ConnectionClosed, ConnectionOpened, Event, PolicyDecision
from tests.support.fakes import FakeAudit, FakePolicy, FakeResolver, answer, judgement
from tests.support.late_loops import JumpingLoop, jump
from tests.support.origins import Keeper, Origin, origin, read_all, read_head, reset, resets
from tests.support.parents import HttpParent, parent, through
from tests.support.proxies import LIMITS, LOOPBACK, Proxy, Setting, eventually, proxy, read_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netproxy.model import ApprovalId
    from otel.errors import AuditUnavailable

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"


class Teller:
    """Answers the first request with `HI`, and later ones with what the test says."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.connections: list[socket.socket] = []

    def __call__(self, connection: socket.socket) -> None:
        self.connections.append(connection)
        while True:
            head, _ = read_head(connection)
            self.heads.append(head)
            if len(self.heads) == 1:
                connection.sendall(HI)

    def go(self, part: bytes) -> None:
        self.connections[-1].sendall(part)


def ask(authority: str, path: str = "/", *fields: str) -> bytes:
    lines = [f"GET http://{authority}{path} HTTP/1.1", f"Host: {authority}", *fields, "\r\n"]
    return "\r\n".join(lines).encode()


def at(far: Origin) -> str:
    return f"127.0.0.1:{far.port}"


def only(near: Proxy) -> HttpConnection:
    (connection,) = near.server.connections
    assert isinstance(connection, HttpConnection)
    return connection


def is_resting(near: Proxy) -> bool:
    connections = tuple(near.server.connections)
    return len(connections) == 1 and only(near)._rest_began is not None


@contextmanager
def kept(near: Proxy, far: Origin) -> Iterator[socket.socket]:
    """A client with one answer, and an origin's connection that rests."""
    with near.http() as client:
        client.sendall(ask(at(far)))
        assert read_until(client, b"hi").endswith(b"hi")
        eventually(lambda: near.call(lambda: is_resting(near)))
        assert near.call(lambda: len(near.server._services.pool)) == 1
        yield client


@contextmanager
def under_way(near: Proxy, far: Origin, told: Teller) -> Iterator[socket.socket]:
    """A client whose second request is at the origin, without a task."""
    with kept(near, far) as client:
        client.sendall(ask(at(far), "/second"))
        eventually(lambda: len(told.heads) == 2)
        eventually(lambda: near.call(lambda: only(near)._running is not None))
        assert near.call(lambda: only(near).task) is None
        yield client


def go_by(near: Proxy, seconds: float) -> None:
    """Let so much time go by twice: from the first look on it is seen to be quiet."""
    for _ in range(2):
        near.call(partial(jump, seconds))


def test_between_two_requests_there_is_neither_task_nor_timer() -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        told.go(HI)
        assert read_until(client, b"hi").endswith(b"hi")
        eventually(lambda: near.call(lambda: is_resting(near)))
        assert near.call(lambda: only(near).task) is None


def test_an_address_that_stands_for_a_name_is_judged_as_the_name() -> None:
    """Also when it was asked for before, and came alone and whole."""
    told, names = Teller(), FakeNames()
    literal = socket.inet_ntoa(names.address("a.test"))
    setting = Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]), names=names)
    with origin(told) as far, proxy(setting) as near:
        for is_next in (False, True):
            with near.http() as client:
                client.sendall(ask(f"{literal}:{far.port}"))
                if is_next:
                    eventually(lambda: len(told.heads) > 1)
                    told.go(HI)
                assert read_until(client, b"hi").endswith(b"hi")
        near.settle()
        assert {event.server_address for event in near.audit.of(PolicyDecision)} == {"a.test"}
        assert all(b"Host: a.test:%d\r\n" % far.port in head for head in told.heads)


def test_the_first_request_of_a_client_needs_none_either() -> None:
    told = Teller()
    with origin(told) as far, proxy() as near:
        with kept(near, far) as client:
            client.close()
            near.settle()
        with near.http() as other:
            other.sendall(ask(at(far), "/second"))
            eventually(lambda: len(told.heads) == 2)
            assert near.call(lambda: only(near).task) is None
            told.go(HI)
            assert read_until(other, b"hi").endswith(b"hi")
    assert len(told.connections) == 1


def test_each_is_decided_and_on_record_before_it_goes_on() -> None:
    keeper = Keeper(lambda _: HI)
    with origin(keeper) as far, proxy() as near:
        with kept(near, far) as client:
            for number in range(3):
                client.sendall(ask(at(far), f"/{number}?q"))
                assert read_until(client, b"hi").endswith(b"hi")
        near.settle()
    assert [head.split()[1] for _, head in keeper.heads] == [b"/", b"/0?q", b"/1?q", b"/2?q"]
    assert len({head.split(b"\r\n", 1)[1] for _, head in keeper.heads}) == 1
    events = near.audit.events
    assert isinstance(events.pop(1), ConnectionOpened)  # by the first; nothing was for the others
    for number in range(0, len(events), 2):
        decision, closed = events[number : number + 2]
        assert isinstance(decision, PolicyDecision)
        assert isinstance(closed, ConnectionClosed)
        assert decision.connection_id == closed.connection_id
        assert closed.peer_address == at(far)
        assert (closed.status, closed.close_reason) == (200, "finished")
        assert closed.bytes_sent == len(keeper.heads[number // 2][1])
        assert closed.bytes_received == len(HI)
    assert len({event.connection_id for event in near.audit.of(PolicyDecision)}) == 4


class HeldAudit(FakeAudit):
    """Takes a yes when it is told to: the turn of the loop is not over before."""

    def __init__(self) -> None:
        super().__init__()
        self.is_holding = False
        self.held: list[Callable[[], None]] = []

    def record_then(self, event: Event, then: Callable[[AuditUnavailable | None], None], /) -> None:
        if not self.is_holding:
            super().record_then(event, then)
            return
        self.held.append(lambda: super(HeldAudit, self).record_then(event, then))

    def take(self) -> None:
        held, self.held = self.held, []
        for each in held:
            each()


@contextmanager
def undecided(near: Proxy, far: Origin, audit: HeldAudit) -> Iterator[socket.socket]:
    """A client whose second request is let through, and not yet on record."""
    with kept(near, far) as client:
        audit.is_holding = True
        client.sendall(ask(at(far), "/second"))
        eventually(lambda: len(audit.held) == 1)
        assert near.call(lambda: only(near).task) is None
        yield client


def test_nothing_goes_on_before_its_decision_is_on_record() -> None:
    audit, told = HeldAudit(), Teller()
    with (
        origin(told) as far,
        proxy(Setting(audit=audit)) as near,
        undecided(near, far, audit) as client,
    ):
        told.connections[0].settimeout(0.1)
        assert len(told.heads) == 1
        near.call(audit.take)
        eventually(lambda: len(told.heads) == 2)
        told.go(HI)
        assert read_until(client, b"hi").endswith(b"hi")


def test_nor_where_the_journal_is_lost() -> None:
    audit, told = HeldAudit(), Teller()
    with (
        origin(told) as far,
        proxy(Setting(audit=audit)) as near,
        undecided(near, far, audit) as client,
    ):
        audit.refuses = lambda event: isinstance(event, PolicyDecision)
        near.call(audit.take)
        assert b"audit_unavailable" in read_until(client, b"}")
        assert len(told.heads) == 1


def test_a_policy_that_changes_before_the_record_is_written_makes_it_a_no() -> None:
    audit, told = HeldAudit(), Teller()
    setting = Setting(audit=audit)
    with (
        origin(told) as far,
        proxy(setting) as near,
        undecided(near, far, audit) as client,
    ):
        setting.policy.default = judgement(Verdict.DENY)
        near.call(near.server.judge_again)
        near.call(audit.take)
        assert read_until(client, b"}").startswith(b"HTTP/1.1 403 ")
        assert len(told.heads) == 1
        eventually(lambda: near.call(lambda: is_resting(near)))  # the command did nothing wrong
    assert near.audit.decisions[1:] == [("allow", "allowed_by_rule"), ("deny", "denied_by_rule")]


CUTS = [
    pytest.param(lambda near: near.close_all(CloseReason.RUN_CANCELLED), id="cancelled"),
    pytest.param(lambda near: near.close_all(CloseReason.RUN_ENDED), id="ended"),
]


@pytest.mark.parametrize("cut", CUTS)
def test_a_run_that_is_over_lets_nothing_out_that_waits_for_its_record(
    cut: Callable[[Proxy], None],
) -> None:
    audit, told = HeldAudit(), Teller()
    with (
        origin(told) as far,
        proxy(Setting(audit=audit)) as near,
        undecided(near, far, audit) as client,
    ):
        near.token.is_cancelled = True
        cut(near)
        assert read_all(client) == b""
        assert not near.server.connections
        near.call(audit.take)
        assert len(told.heads) == 1


@pytest.mark.parametrize("cut", CUTS)
def test_what_is_under_way_is_cut(cut: Callable[[Proxy], None]) -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        cut(near)
        assert read_all(client) == b""
        assert not near.server.connections
    assert near.audit.of(ConnectionClosed)[1].close_reason.startswith("run_")


@pytest.mark.parametrize("cut", CUTS)
def test_what_rests_is_closed(cut: Callable[[Proxy], None]) -> None:
    with origin(Teller()) as far, proxy() as near, kept(near, far) as client:
        cut(near)
        assert read_all(client) == b""
        assert not near.server.connections
    assert len(near.audit.of(ConnectionClosed)) == 1


def test_a_policy_that_changes_cuts_half_an_answer() -> None:
    """And so that it shows: by a reset, where an end would look like one."""
    told, setting = Teller(), Setting()
    with origin(told) as far, proxy(setting) as near, under_way(near, far, told) as client:
        told.go(b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 9\r\n\r\nhalf")
        assert read_until(client, b"half")
        setting.policy.default = judgement(Verdict.DENY)
        near.call(near.server.judge_again)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert near.audit.of(ConnectionClosed)[1].close_reason == "policy_changed"


def test_a_policy_that_still_allows_it_changes_nothing() -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        near.call(near.server.judge_again)
        told.go(HI)
        assert read_until(client, b"hi").endswith(b"hi")


def test_a_revoked_grant_cuts_what_it_carries() -> None:
    told, setting = Teller(), Setting()
    grant: ApprovalId = "a-7"  # type: ignore[assignment]  # a NewType of it
    with origin(told) as far, proxy(setting) as near:
        setting.cache.grants[parse_destination(f"http://{at(far)}")[0]] = grant
        by_grant = judgement(Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE)
        setting.policy.default = by_grant
        with under_way(near, far, told) as client:
            near.call(lambda: near.server.close_approved(grant))
            assert read_all(client) == b""
    assert near.audit.of(ConnectionClosed)[1].close_reason == "revoked"


def test_half_an_answer_under_a_revoked_grant_does_not_look_like_a_whole_one() -> None:
    told, setting = Teller(), Setting()
    grant: ApprovalId = "a-7"  # type: ignore[assignment]  # a NewType of it
    with origin(told) as far, proxy(setting) as near:
        setting.cache.grants[parse_destination(f"http://{at(far)}")[0]] = grant
        by_grant = judgement(Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE)
        setting.policy.default = by_grant
        with under_way(near, far, told) as client:
            told.go(b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 9\r\n\r\nhalf")
            assert read_until(client, b"half")
            near.call(lambda: near.server.close_approved(grant))
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_a_connection_that_asks_anew_is_not_cut_for_what_it_carried_before() -> None:
    told, setting = Teller(), Setting()
    before: ApprovalId = "a-7"  # type: ignore[assignment]  # a NewType of it
    with origin(told) as far, proxy(setting) as near, kept(near, far) as client:
        (connection,) = near.server.connections
        connection.approval_id = before
        setting.policy.default = judgement(Verdict.ASK)
        client.sendall(ask(at(far), "/second"))
        eventually(lambda: bool(setting.approver.pending))
        near.call(lambda: near.server.close_approved(before))
        near.call(lambda: setting.approver.pending[0].set_result(answer(Reason.APPROVED)))
        eventually(lambda: len(told.heads) == 2)
        told.go(HI)
        assert read_until(client, b"hi").endswith(b"hi")


def test_a_refusal_is_answered_though_it_ends_the_run() -> None:
    """The token's listener closes everything at once, the refused connection included."""
    told, setting = Teller(), Setting()
    with origin(told) as far, proxy(setting) as near, kept(near, far) as client:
        setting.token.on_cancel = lambda: near.server.close_all(CloseReason.RUN_CANCELLED)
        setting.policy.default = judgement(Verdict.DENY)
        client.sendall(ask(at(far), "/second"))
        answered = read_all(client)
    assert answered.startswith(b"HTTP/1.1 403 ")
    assert b"denied_by_rule" in answered
    assert len(told.heads) == 1


def test_a_refusal_that_does_not_leaves_the_connection() -> None:
    told, setting = Teller(), Setting()
    setting.policy.on_denial = OnDenial.BLOCK
    with origin(told) as far, proxy(setting) as near, kept(near, far) as client:
        for _ in range(2):
            setting.policy.default = judgement(Verdict.DENY)
            client.sendall(ask(at(far), "/second"))
            assert read_until(client, b"}").startswith(b"HTTP/1.1 403 ")
            eventually(lambda: near.call(lambda: is_resting(near)))


def test_bytes_are_counted_and_cut_at_their_limit() -> None:
    told = Teller()
    setting = Setting(limits=replace(LIMITS, bytes_per_run=5000))
    with origin(told) as far, proxy(setting) as near, under_way(near, far, told) as client:
        told.go(b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 9000\r\n\r\n" + bytes(8000))
        read_all(client)
        eventually(lambda: not near.server.connections)
    assert near.audit.of(ConnectionClosed)[1].close_reason == "byte_limit"


def test_a_run_that_drains_answers_what_is_under_way_and_closes() -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        near.call(near.server.retire)
        told.go(HI)
        assert read_all(client).endswith(b"hi")


def test_what_rests_is_closed_by_draining() -> None:
    with origin(Teller()) as far, proxy() as near, kept(near, far) as client:
        near.call(near.server.retire)
        assert read_all(client) == b""


def test_an_idle_client_is_closed_in_time() -> None:
    setting = Setting(loop_factory=JumpingLoop)
    with origin(Teller()) as far, proxy(setting) as near, kept(near, far) as client:
        near.call(partial(jump, LIMITS.keep_alive_seconds))
        assert read_all(client) == b""
    assert near.audit.decisions == [("allow", "allowed_by_rule")]


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        pytest.param(LIMITS.idle_seconds, "idle", id="idle"),
        pytest.param(LIMITS.lifetime_seconds, "lifetime", id="lifetime"),
    ],
)
def test_an_origin_that_falls_silent_holds_nobody_for_ever(
    seconds: float, reason: str, part: bytes
) -> None:
    told, setting = Teller(), Setting(loop_factory=JumpingLoop)
    with origin(told) as far, proxy(setting) as near, under_way(near, far, told) as client:
        told.go(part)
        assert read_until(client, b"half") if part else True
        go_by(near, seconds)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert near.audit.of(ConnectionClosed)[1].close_reason == reason


@contextmanager
def asking(near: Proxy, far: Origin, told: Teller) -> Iterator[socket.socket]:
    """A client whose first request is at the origin, with a task."""
    told.heads.append(b"")  # so that it says nothing by itself
    with near.http() as client:
        client.sendall(ask(at(far)))
        eventually(lambda: len(told.heads) == 2)
        eventually(lambda: near.call(lambda: only(near)._running is not None))
        yield client


def reset_behind_more(client: socket.socket) -> None:
    """What was sent before a reset is still there to be read, and nobody reads it."""
    client.sendall(b"GET ")
    reset(client)


@pytest.mark.parametrize("begun", [asking, under_way], ids=["with-task", "without"])
@pytest.mark.parametrize("leave", [socket.socket.close, reset, reset_behind_more])
def test_a_client_that_left_holds_no_place_while_its_origin_is_silent(
    leave: Callable[[socket.socket], None],
    begun: Callable[[Proxy, Origin, Teller], AbstractContextManager[socket.socket]],
) -> None:
    told, setting = Teller(), Setting(loop_factory=JumpingLoop)
    with origin(told) as far, proxy(setting) as near, begun(near, far, told) as client:
        leave(client)

        def is_gone() -> bool:
            near.call(partial(jump, 20.0))
            return not near.server.connections

        eventually(is_gone)
    assert near.audit.of(ConnectionClosed)[-1].close_reason == "reset"


@pytest.mark.parametrize("begun", [asking, under_way], ids=["with-task", "without"])
def test_a_client_that_half_closed_gets_its_answer(
    begun: Callable[[Proxy, Origin, Teller], AbstractContextManager[socket.socket]],
) -> None:
    """It has to begin soon, and may then take its time."""
    told, setting = Teller(), Setting(loop_factory=JumpingLoop)
    with origin(told) as far, proxy(setting) as near, begun(near, far, told) as client:
        client.shutdown(socket.SHUT_WR)
        near.call(partial(jump, 20.0))
        told.go(HI[:-1])
        assert read_until(client, b"\r\n\r\nh")
        go_by(near, 20.0)
        told.go(b"i")
        assert read_all(client) == b"i"


def test_nor_does_one_that_never_answers_a_clients_first_request() -> None:
    heads = []

    def silent(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.recv(1)

    setting = Setting(loop_factory=JumpingLoop)
    with origin(silent) as far, proxy(setting) as near, near.http() as client:
        client.sendall(ask(at(far)))
        eventually(lambda: bool(heads))
        eventually(lambda: near.call(lambda: only(near)._running is not None))
        go_by(near, LIMITS.idle_seconds)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert near.audit.of(ConnectionClosed)[0].close_reason == "idle"


def test_a_client_that_is_slow_with_its_next_head_is_told() -> None:
    setting = Setting(limits=replace(LIMITS, head_seconds=0.5))
    with origin(Teller()) as far, proxy(setting) as near, kept(near, far) as client:
        client.sendall(b"GET http://a.te")
        assert read_all(client).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_while_it_rests_leaves_nothing(how: str) -> None:
    with origin(Teller()) as far, proxy() as near, kept(near, far) as client:
        if how == "reset":
            reset(client)
        client.close()
        near.settle()


def test_a_client_that_leaves_before_its_answer_is_on_record() -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        reset(client)
        client.close()
        told.go(HI)
        near.settle()
    assert near.audit.of(ConnectionClosed)[1].close_reason == "reset"


def test_a_client_that_says_that_it_is_its_last_is_answered() -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        client.shutdown(socket.SHUT_WR)
        told.go(HI)
        assert read_all(client).endswith(b"hi")
        near.settle()


def test_requests_that_come_early_or_together_are_answered_in_order() -> None:
    keeper = Keeper(lambda head: HI.replace(b"hi", b"%02d" % int(head.split()[1][1:] or 0)))
    with origin(keeper) as far, proxy() as near, near.http() as client:
        for first in range(0, 40, 4):
            client.sendall(ask(at(far), f"/{first}") + ask(at(far), f"/{first + 1}"))
            client.sendall(ask(at(far), f"/{first + 2}") + ask(at(far), f"/{first + 3}")[:20])
            client.sendall(ask(at(far), f"/{first + 3}")[20:])
        answered = b""
        while answered.count(b"HTTP/1.1 200") < 40 or not answered.endswith(b"39"):
            answered += client.recv(65536)
    bodies = [each.partition(b"\r\n\r\n")[2] for each in answered.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"%02d" % number for number in range(40)]


PARTS = {
    "content-later": [HI[:-2], b"h", b"i"],
    "chunks": [
        b"HTTP/1.1 200 OK\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\nh\r\n1\r\n", b"i\r\n0\r\n\r\n",
    ],
    "head-in-two": [HI[:20], HI[20:]],
    "interim": [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", HI],
    "not-plain": [HI.replace(b"Date", b"X:a\r\nDate")],
    "none": [HI.replace(b"Length: 2", b"Length: 0")[:-2]],
}  # fmt: skip


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_an_answer_in_parts_arrives_as_it_would_in_one(parts: list[bytes]) -> None:
    """And the connection goes on, whichever way the answer went."""
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        for part in parts:
            told.go(part)
            near.call(lambda: None)
        answered = b""
        while b"\r\n\r\n" not in answered.replace(b"Link: a\r\nVia: 1.1 ", b""):
            answered += client.recv(65536)
        eventually(lambda: near.call(lambda: is_resting(near)))
        client.sendall(ask(at(far), "/third"))
        eventually(lambda: len(told.heads) == 3)
        told.go(HI)
        assert read_until(client, b"\r\n\r\nhi").endswith(b"\r\n\r\nhi")
    assert len(told.connections) == 1
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["finished"] * 3


def test_an_answer_of_any_length_is_passed_on_whole() -> None:
    """Also where the client takes less at a time than the origin gives."""
    content = bytes(range(256)) * 20_000
    keeper = Keeper(
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    )
    with origin(keeper) as far, proxy() as near, near.http() as client:
        for _ in range(3):
            client.sendall(ask(at(far)))
            _, body = read_head(client)
            while len(body) < len(content):
                body += client.recv(1 << 16)
            assert body == content
            eventually(lambda: near.call(lambda: is_resting(near)))


def test_an_origin_that_ends_without_an_answer_is_asked_anew() -> None:
    """Over a new connection, once (RFC 9112 section 9.3.1)."""
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        told.connections[0].shutdown(socket.SHUT_RDWR)
        eventually(lambda: len(told.heads) == 3)
        told.go(HI)
        assert read_until(client, b"hi").endswith(b"hi")
    assert told.heads[2].startswith(b"GET /second ")
    closed = near.audit.of(ConnectionClosed)
    assert [event.close_reason for event in closed] == ["finished", "reset", "finished"]


def test_half_a_head_is_no_answer() -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        told.go(b"HTTP/1.1 2")
        told.connections[0].shutdown(socket.SHUT_RDWR)
        assert read_until(client, b"}").startswith(b"HTTP/1.1 502 ")
    assert len(told.heads) == 2
    assert near.audit.of(ConnectionClosed)[1].close_reason == "reset"


@pytest.mark.parametrize("is_reset", [False, True])
def test_half_an_answer_shows_as_half(is_reset: bool) -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        told.go(HI[:-1])
        assert read_until(client, b"\r\n\r\nh").endswith(b"h")
        if is_reset:
            resets(told.connections[0])
        told.connections[0].shutdown(socket.SHUT_RD)
        assert read_all(client) == b""
    assert near.audit.of(ConnectionClosed)[1].close_reason == "reset"


def test_what_an_origin_sends_after_its_answer_answers_nobody() -> None:
    told = Teller()
    with origin(told) as far, proxy() as near, under_way(near, far, told) as client:
        told.go(HI + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert read_until(client, b"hi").endswith(b"hi")
        client.sendall(ask(at(far), "/third"))
        eventually(lambda: len(told.heads) == 3)
        told.go(HI)
        assert read_until(client, b"hi").endswith(b"hi")
    assert len(told.connections) == 2


def test_a_request_that_was_here_before_is_refused() -> None:
    with origin(Teller()) as far, proxy() as near, kept(near, far) as client:
        ours = near.server._services.pseudonym
        client.sendall(ask(at(far), "/", f"Via: 1.1 {ours}"))
        assert read_all(client).startswith(b"HTTP/1.1 508 ")


def test_somebody_who_has_to_be_asked_is() -> None:
    told, setting = Teller(), Setting()
    with origin(told) as far, proxy(setting) as near, kept(near, far) as client:
        setting.policy.default = FakePolicy(Verdict.ASK, dialable=LOOPBACK).default
        client.sendall(ask(at(far), "/second"))
        eventually(lambda: len(setting.approver.pending) == 1)
        assert len(told.heads) == 1


def test_a_secret_is_asked_for_each_time() -> None:
    told = Teller()
    setting = Setting(credentials=Credentials.of({Identity("i"): b"sesame"}))
    shown = "Proxy-Authorization: Bearer sesame"
    with origin(told) as far, proxy(setting) as near, near.http() as client:
        for number, fields in enumerate([(shown,), (shown,), (), (shown,)]):
            client.sendall(ask(at(far), f"/{number}", *fields))
            if fields:
                eventually(lambda: len(told.heads) == min(number + 1, 3))  # noqa: B023  # at once
                if number:
                    told.go(HI)
                assert read_until(client, b"hi").endswith(b"hi")
            else:
                assert read_until(client, b"}").startswith(b"HTTP/1.1 407 ")
            eventually(lambda: near.call(lambda: is_resting(near)))
    assert not any(b"sesame" in head for head in told.heads)


def test_who_shows_a_secret_for_the_first_time_changes_sides_by_a_task() -> None:
    """The run that it comes to has another name in Via than the one where it came in."""
    told = Teller()
    setting = Setting(credentials=Credentials.of({Identity("i"): b"sesame"}))
    shown = "Proxy-Authorization: Bearer sesame"
    with origin(told) as far, proxy(setting) as near:
        with near.http() as client:
            client.sendall(ask(at(far), "/", shown))
            assert read_until(client, b"hi").endswith(b"hi")
        near.settle()
        with near.http() as other:
            other.sendall(ask(at(far)))
            assert read_until(other, b"}").startswith(b"HTTP/1.1 407 ")
            eventually(lambda: near.call(lambda: is_resting(near)))
            other.sendall(ask(at(far), "/second", shown))
            eventually(lambda: len(told.heads) == 2)
            assert near.call(lambda: only(near).task) is not None
            told.go(HI)
            assert read_until(other, b"hi").endswith(b"hi")


def test_through_a_parent_it_goes_the_same_way() -> None:
    told = Teller()
    corp = HttpParent(then=told)
    with origin(corp) as far:
        setting = Setting(routes=through(parent(far.port)))
        with proxy(setting) as near, near.http() as client:
            for number in range(3):
                client.sendall(ask("1.1.1.1", f"/{number}"))
                eventually(lambda: len(told.heads) == number + 1)  # noqa: B023  # at once
                if number:
                    told.go(HI)
                assert read_until(client, b"hi").endswith(b"hi")
    assert len(corp.heads) == 1


def test_a_bug_ends_this_connection_only() -> None:
    with origin(Teller()) as far, proxy() as near:
        with kept(near, far) as client:
            near.call(lambda: setattr(only(near), "_client_address", None))
            near.setting.audit.refuses = lambda _: 1 / 0 > 0
            client.sendall(ask(at(far), "/second"))
            assert read_all(client) == b""
            near.settle()
        assert len(near.reports) == 1
        near.reports.clear()
