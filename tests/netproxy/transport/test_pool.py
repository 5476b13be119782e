"""Connections to origins are used again, by requests that may share them, and by no others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.model import (
    ApprovalId,
    CloseReason,
    Decision,
    OnDenial,
    Reason,
    Source,
    Verdict,
)
from netproxy.policy.destinations import parse_destination
from netproxy.transport.pool import lane
from otel.events import ConnectionClosed, ConnectionOpened, ParentUsed, PolicyDecision
from tests.support.fakes import FakeApprover, FakePolicy, FakeResolver, answer, judgement
from tests.support.origins import Keeper, Origin, origin, read_all, read_head, resets
from tests.support.parents import HttpParent, parent, through
from tests.support.proxies import LIMITS, LOOPBACK, Proxy, Setting, eventually, proxy

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netproxy.config import Limits
    from netproxy.transport import ProxyServer

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"
GRANT = ApprovalId("a-7")


def hello(_head: bytes) -> bytes:
    return HI


def sent(authority: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} http://{authority}/ HTTP/1.1", f"Host: {authority}", *fields, "\r\n"]
    return "\r\n".join(lines).encode() + body


def whole_answer(client: socket.socket) -> bytes:
    head, body = read_head(client)
    lower = head.lower()
    length = 0
    if b"\r\ncontent-length: " in lower:
        length = int(lower.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return head + body


def asked(near: Proxy, host: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    """The answer to one request, by a client of its own."""
    with near.http() as client:
        client.sendall(sent(host, *fields, method=method, body=body))
        return whole_answer(client)


def at(far: Origin) -> str:
    return f"127.0.0.1:{far.port}"


def resting(near: Proxy) -> int:
    return near.call(lambda: len(near.server._services.pool))


def numbers(keeper: Keeper) -> list[int]:
    """Which connection carried each request."""
    return [number for number, _ in keeper.heads]


def test_one_connection_carries_the_requests_of_many_clients() -> None:
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy() as near:
        for _ in range(5):
            assert asked(near, at(far)).endswith(b"hi")
        near.settle()
        assert resting(near) == 1
    assert numbers(keeper) == [1] * 5
    assert not any(b"\r\nConnection:" in head for _, head in keeper.heads)


def test_each_request_is_decided_and_on_record_with_its_peer() -> None:
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy() as near:
        for _ in range(3):
            asked(near, at(far))
        near.settle()
    assert near.audit.decisions == [("allow", "allowed_by_rule")] * 3
    decided = [event.connection_id for event in near.audit.of(PolicyDecision)]
    (opened,) = near.audit.of(ConnectionOpened)
    assert (opened.connection_id, opened.peer_address) == (decided[0], at(far))
    closed = near.audit.of(ConnectionClosed)
    assert [event.connection_id for event in closed] == decided
    assert len(set(decided)) == 3
    assert {event.peer_address for event in closed} == {at(far)}
    assert {(event.status, event.close_reason) for event in closed} == {(200, "finished")}
    assert {event.bytes_received for event in closed} == {len(HI)}
    assert [event.bytes_sent for event in closed] == [len(head) for _, head in keeper.heads]


def test_a_refused_request_does_not_reach_what_rests() -> None:
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy() as near:
        asked(near, at(far))
        near.setting.policy.default = judgement(Verdict.DENY, on_denial=OnDenial.BLOCK)
        assert asked(near, at(far)).startswith(b"HTTP/1.1 403 ")
    assert len(keeper.heads) == 1


def test_without_a_record_nothing_rides_on_it() -> None:
    """Design section 4: the decision is in the journal before the first byte passes."""
    keeper = Keeper(hello)
    setting = Setting()
    with origin(keeper) as far, proxy(setting) as near:
        asked(near, at(far))
        setting.audit.refuses = lambda event: isinstance(event, PolicyDecision)
        refused = asked(near, at(far))
        near.settle()
    assert refused.startswith(b"HTTP/1.1 403 ")
    assert b"audit_unavailable" in refused
    assert len(keeper.heads) == 1


def test_destinations_do_not_share() -> None:
    resolver = FakeResolver(a__test=[("127.0.0.1",)], b__test=[("127.0.0.1",)])
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy(Setting(resolver=resolver)) as near:
        for host in ("a.test", "b.test", "a.test", "A.TEST"):
            assert asked(near, f"{host}:{far.port}").endswith(b"hi")
        near.settle()
    assert numbers(keeper) == [1, 2, 1, 1]
    assert resolver.asked == ["a.test", "b.test"]


@pytest.mark.parametrize(
    ("fields", "method", "body"),
    [
        pytest.param((), "POST", b"", id="not-idempotent"),
        pytest.param((), "PATCH", b"", id="nor-is-patch"),
        pytest.param(("Content-Length: 2",), "PUT", b"ab", id="content"),
        pytest.param(("Content-Length: 2",), "GET", b"ab", id="of-a-get"),
        pytest.param(("Transfer-Encoding: chunked",), "PUT", b"0\r\n\r\n", id="chunks"),
    ],
)
def test_what_may_not_be_sent_twice_has_a_new_connection(
    fields: tuple[str, ...], method: str, body: bytes
) -> None:
    """A resting one may be over without our knowing; then nobody could say if it arrived."""
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy() as near:
        asked(near, at(far))
        asked(near, at(far), *fields, method=method, body=body)
    assert numbers(keeper)[:2] == [1, 2]
    assert (b"\r\nConnection: close\r\n" in keeper.heads[1][1]) == bool(fields)


RESPONSES = [
    pytest.param(HI.replace(b"Date", b"Connection: close\r\nDate"), id="close"),
    pytest.param(HI.replace(b"1.1", b"1.0"), id="1.0"),
    pytest.param(
        HI.replace(b"1.1", b"1.0").replace(b"Date", b"Connection: keep-alive\r\nDate"),
        id="1.0-keep-alive",
    ),
    pytest.param(HI + b"more", id="excess"),
    pytest.param(b"HTTP/1.1 204 No\r\n\r\nhi", id="excess-of-204"),
]


@pytest.mark.parametrize("response", RESPONSES)
def test_an_answer_after_which_nobody_knows_what_comes_ends_the_connection(response: bytes) -> None:
    keeper = Keeper(lambda _: response)
    with origin(keeper) as far, proxy() as near:
        for _ in range(2):
            assert asked(near, at(far)).startswith(b"HTTP/1.1 20")
        near.settle()
        assert resting(near) == 0
    assert numbers(keeper) == [1, 2]


def test_an_answer_that_ends_by_closing_ends_it_too() -> None:
    keeper = Keeper(lambda _: b"HTTP/1.1 200 OK\r\n\r\nhi", closes_after=1)
    with origin(keeper) as far, proxy() as near, near.http() as client:
        client.sendall(sent(at(far), "Connection: close"))
        assert read_all(client).endswith(b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
        near.settle()
        assert resting(near) == 0


def test_an_origin_that_ends_a_resting_connection() -> None:
    keeper = Keeper(lambda _: HI)
    with origin(keeper) as far, proxy() as near:
        asked(near, at(far))
        eventually(lambda: resting(near) == 1)
        keeper.end(0)
        eventually(lambda: resting(near) == 0)
        assert asked(near, at(far)).endswith(b"hi")
    assert numbers(keeper) == [1, 2]


def test_one_that_ended_unseen_is_tried_once_more_and_both_are_on_record() -> None:
    """Once over a fresh connection, where no byte of an answer came (RFC 9112 section 9.3.1)."""
    resolver = FakeResolver(a__test=[("127.0.0.1",)])
    keeper = Keeper(lambda _: HI if len(keeper.heads) != 2 else None)
    with origin(keeper) as far, proxy(Setting(resolver=resolver)) as near:
        asked(near, f"a.test:{far.port}")
        assert asked(near, f"a.test:{far.port}").endswith(b"hi")
        near.settle()
    assert numbers(keeper) == [1, 1, 2]
    closed = near.audit.of(ConnectionClosed)
    assert [event.close_reason for event in closed] == ["finished", "reset", "finished"]
    assert closed[1].connection_id == closed[2].connection_id
    assert closed[1].bytes_received == 0
    assert len(near.audit.decisions) == 2
    assert resolver.asked == ["a.test", "a.test"], "looked up and judged anew"


@pytest.mark.parametrize("is_reset", [False, True])
def test_part_of_an_answer_is_an_answer(is_reset: bool) -> None:
    def breaks_off(_head: bytes) -> bytes:
        if len(keeper.heads) == 1:
            return HI
        if is_reset:
            resets(keeper.connections[0])
        return b"HTTP/1.1 2"

    keeper = Keeper(breaks_off, closes_after=2)
    with origin(keeper) as far, proxy() as near:
        asked(near, at(far))
        assert asked(near, at(far)).startswith(b"HTTP/1.1 502 ")
    assert numbers(keeper) == [1, 1]


def test_a_fresh_connection_that_closes_is_not_tried_again() -> None:
    keeper = Keeper(lambda _: None)
    with origin(keeper) as far, proxy() as near:
        assert asked(near, at(far)).startswith(b"HTTP/1.1 502 ")
    assert len(keeper.heads) == 1


def test_nor_is_the_second_of_one_request() -> None:
    keeper = Keeper(lambda _: HI if len(keeper.heads) == 1 else None)
    with origin(keeper) as far, proxy() as near:
        asked(near, at(far))
        assert asked(near, at(far)).startswith(b"HTTP/1.1 502 ")
    assert numbers(keeper) == [1, 1, 2]


def test_a_request_that_somebody_was_asked_about_shares_with_nobody() -> None:
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    approver = FakeApprover(answer(Reason.APPROVED))
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy(Setting(policy=policy, approver=approver)) as near:
        asked(near, at(far))
        asked(near, at(far))
        policy.default = judgement(Verdict.ALLOW)
        asked(near, at(far))
        policy.default = judgement(Verdict.ASK)
        asked(near, at(far))
        near.settle()
    assert numbers(keeper) == [1, 2, 3, 4]
    assert len(approver.asked) == 3
    assert b"\r\nConnection: close\r\n" in keeper.heads[0][1]


def test_a_grants_connections_are_its_own_and_end_with_it() -> None:
    keeper = Keeper(hello)
    setting = Setting()
    with origin(keeper) as far, proxy(setting) as near:
        asked(near, at(far))  # by rule
        setting.cache.grants[parse_destination(f"http://{at(far)}")[0]] = GRANT
        by_grant = judgement(Verdict.ALLOW, Reason.ALLOWED_BY_GRANT, source=Source.SESSION_CACHE)
        setting.policy.default = by_grant
        asked(near, at(far))
        asked(near, at(far))
        near.settle()
        assert resting(near) == 2
        near.call(lambda: near.server.close_approved(GRANT))
        assert resting(near) == 1
    assert numbers(keeper) == [1, 2, 2]


def test_lanes() -> None:
    where = parse_destination("http://a.test")[0]

    def decided(reason: Reason, approval: str | None = None) -> Decision:
        return Decision(
            allowed=True,
            source=Source.REVIEWER,
            reason=reason,
            message="",
            approval_id=ApprovalId(approval) if approval else None,
        )

    by_grant = lane(where, decided(Reason.ALLOWED_BY_GRANT, "a-1"))
    assert by_grant == lane(where, decided(Reason.ALLOWED_BY_GRANT, "a-1"))
    assert by_grant != lane(where, decided(Reason.ALLOWED_BY_GRANT, "a-2"))
    assert by_grant != lane(where, decided(Reason.ALLOWED_BY_RULE))
    assert lane(where, decided(Reason.APPROVED, "a-1")) is None
    by_rule = decided(Reason.ALLOWED_BY_RULE)
    assert lane(where, by_rule, own=object()) not in {lane(where, by_rule, own=object()), None}
    assert lane(where, by_rule, own=object()) != lane(where, by_rule)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda server: server.judge_again(), id="policy"),
        pytest.param(lambda server: server.close_all(CloseReason.RUN_CANCELLED), id="cancelled"),
        pytest.param(lambda server: server.retire(), id="drain"),
    ],
)
def test_what_ends_or_changes_a_run_ends_what_rests(end: Callable[[ProxyServer], None]) -> None:
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy() as near:
        asked(near, at(far))
        near.settle()
        assert resting(near) == 1
        near.call(lambda: end(near.server))
        assert resting(near) == 0
        eventually(lambda: keeper.ended == 1)


def test_a_run_that_drains_keeps_none() -> None:
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy() as near:
        near.call(near.server.retire)
        asked(near, at(far))
        near.settle()
        assert resting(near) == 0


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(replace(LIMITS, pool_idle_seconds=0.1), id="rest"),
        pytest.param(replace(LIMITS, pool_lifetime_seconds=0.1), id="life"),
    ],
)
def test_rest_and_life_have_an_end(limits: Limits) -> None:
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy(Setting(limits=limits)) as near:
        asked(near, at(far))
        near.settle()
        eventually(lambda: resting(near) == 0)
        eventually(lambda: keeper.ended == 1)


def test_a_busy_one_is_not_used_beyond_its_life() -> None:
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy() as near:
        asked(near, at(far))
        near.settle()
        near.call(lambda: _age(near))
        asked(near, at(far))
    assert numbers(keeper) == [1, 2]


def _age(near: Proxy) -> None:
    for each in near.server._services.pool._resting:
        each.upstream.made_at -= LIMITS.pool_lifetime_seconds


@pytest.mark.parametrize("room", [0, 2])
def test_no_more_rest_than_may(room: int) -> None:
    keeper = Keeper(hello)
    limits = replace(LIMITS, pool_connections=room)
    here = [("127.0.0.1",)]
    resolver = FakeResolver(a__test=[*here], b__test=[*here], c__test=[*here])
    with origin(keeper) as far, proxy(Setting(limits=limits, resolver=resolver)) as near:
        for name in "abc":
            asked(near, f"{name}.test:{far.port}")
        near.settle()
        assert resting(near) == room
        asked(near, f"c.test:{far.port}")
    assert numbers(keeper) == ([1, 2, 3, 3] if room else [1, 2, 3, 4])


def test_lanes_that_nobody_rests_in_are_not_kept_for_ever() -> None:
    keeper = Keeper(hello)
    limits = replace(LIMITS, pool_connections=2)
    with origin(keeper) as far, proxy(Setting(limits=limits)) as near:
        asked(near, at(far))
        near.settle()
        pool = near.server._services.pool
        (resting,) = pool._resting
        lanes = [resting.lane._replace(approval_id=ApprovalId(f"a-{n}")) for n in range(600)]
        near.call(lambda: [pool._new_lane(each) for each in lanes])
        assert len(pool._lanes) <= 256
        asked(near, at(far))
    assert numbers(keeper) == [1, 1]


def test_none_rest_on_the_last_descriptors() -> None:
    """They are kept for those who are in already."""
    keeper = Keeper(hello)
    with origin(keeper) as far, proxy() as near:
        pool = near.server._services.pool
        near.call(lambda: setattr(pool, "_last_descriptor", 1))
        asked(near, at(far))
        near.settle()
        assert resting(near) == 0


def test_the_address_is_judged_again_by_the_policy_in_force() -> None:
    """Even where nobody told the pool that the policy changed."""
    resolver = FakeResolver(a__test=[("127.0.0.1",)])
    keeper = Keeper(hello)
    setting = Setting(resolver=resolver)
    with origin(keeper) as far, proxy(setting) as near:
        asked(near, f"a.test:{far.port}")
        setting.policy.dialable = frozenset()
        setting.policy.on_denial = OnDenial.BLOCK
        assert b"not_allowed_local" in asked(near, f"a.test:{far.port}")
    assert len(keeper.heads) == 1


def test_through_a_parent_it_is_the_checked_address_that_is_judged_again() -> None:
    keeper = Keeper(hello)
    corp = HttpParent(then=keeper)
    with origin(corp) as far:
        setting = Setting(
            policy=FakePolicy(Verdict.ALLOW),
            resolver=FakeResolver(a__test=[("1.1.1.1",)]),
            routes=through(parent(far.port)),
        )
        with proxy(setting) as near:
            for _ in range(2):
                assert asked(near, "a.test").endswith(b"hi")
            near.settle()
    assert numbers(keeper) == [1, 1]
    assert len(corp.heads) == 1
    assert [event.parent_target for event in near.audit.of(ParentUsed)] == ["1.1.1.1:80"] * 2


def test_what_went_another_way_is_not_used() -> None:
    """Routes change with the policy file; the pool need not know when."""
    keeper = Keeper(hello)
    with origin(HttpParent(then=keeper)) as far:
        setting = Setting(
            policy=FakePolicy(Verdict.ALLOW),
            resolver=FakeResolver(a__test=[("1.1.1.1",)]),
            routes=through(parent(far.port)),
        )
        with proxy(setting) as near:
            asked(near, "a.test")
            near.settle()
            near.call(lambda: _reroute(near))
            asked(near, "a.test")
    assert numbers(keeper) == [1, 2]


def _reroute(near: Proxy) -> None:
    """As if what rests had gone through another parent."""
    for each in near.server._services.pool._resting:
        through_it = each.upstream.through
        assert through_it is not None
        other = replace(through_it[0], name="other")
        each.upstream.through = (other, through_it[1])


def test_without_a_record_of_the_parent_nothing_goes_through_it_again() -> None:
    keeper = Keeper(hello)
    with origin(HttpParent(then=keeper)) as far:
        setting = Setting(
            policy=FakePolicy(Verdict.ALLOW),
            resolver=FakeResolver(a__test=[("1.1.1.1",)]),
            routes=through(parent(far.port)),
        )
        with proxy(setting) as near:
            asked(near, "a.test")
            setting.audit.refuses = lambda event: isinstance(event, ParentUsed)
            assert b"audit_unavailable" in asked(near, "a.test")
            near.settle()
            assert resting(near) == 0
    assert len(keeper.heads) == 1
