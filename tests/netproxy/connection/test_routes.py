"""Which way a destination leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netproxy.connection.routes import (
    Exit,
    Login,
    Parent,
    ParentKind,
    Route,
    RoutedJudge,
    Routes,
    Way,
)
from netproxy.model import OnDenial, Reason, Sni, Verdict
from tests.support.parents import to
from tests.support.policies import Memory, allow, policy

CORP = Parent(name="corp", kind=ParentKind.HTTP, host="10.0.0.1", port=3128)


def routes(*rows: tuple[str, Way]) -> Routes:
    return Routes(
        [Route(tuple(allow(f"{host}:*") for host in hosts.split()), way) for hosts, way in rows]
    )


def test_without_a_route_it_leaves_directly() -> None:
    assert routes().way(to("https://a.example")) is Exit.DIRECT


def test_the_first_that_names_it_wins() -> None:
    chosen = routes(
        ("a.corp.example", CORP), ("*.corp.example b.example", Exit.DIRECT), ("*", Exit.REFUSE)
    )
    assert chosen.way(to("https://a.corp.example")) is CORP
    assert chosen.way(to("tcp://b.corp.example:22")) is Exit.DIRECT
    assert chosen.way(to("https://b.example")) is Exit.DIRECT
    assert chosen.way(to("https://c.example")) is Exit.REFUSE
    assert (
        routes(("a.example", CORP), ("a.example", Exit.REFUSE)).way(to("https://a.example")) is CORP
    )


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.1:80",
        "http://[::1]:80",
        "https://10.0.0.7",
        "http://169.254.169.254",
        "http://localhost:3000",
        "https://db.internal",
    ],
)
@pytest.mark.parametrize("wide", ["*", "0.0.0.0/0 [::/0]"])
def test_what_is_local_is_not_the_parents_by_a_wildcard(where: str, wide: str) -> None:
    """Its loopback and its network are not ours."""
    assert routes((wide, CORP)).way(to(where)) is Exit.DIRECT


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("10.0.0.0/8", "https://10.0.0.7"),
        ("db.internal", "https://db.internal"),
    ],
)
def test_what_is_local_is_the_parents_where_a_route_names_it(host: str, where: str) -> None:
    assert routes((host, CORP)).way(to(where)) is CORP


def test_what_refuses_everything_refuses_what_is_local_too() -> None:
    assert routes(("*", Exit.REFUSE)).way(to("http://127.0.0.1:80")) is Exit.REFUSE
    assert (
        routes(("*", CORP), ("*.app.internal", Exit.REFUSE)).way(to("https://db.app.internal"))
        is Exit.REFUSE
    )


def test_its_parents_are_said_once_and_without_a_login() -> None:
    six = replace(CORP, name="six", host="2001:db8::1", login=Login(user="joe", password="hunter2"))
    given = routes(("a.example", CORP), ("b.example c.example", six), ("*", Exit.DIRECT))
    assert given.parents == (CORP, six)
    assert [each.url for each in given.parents] == [
        "http://10.0.0.1:3128",
        "http://[2001:db8::1]:3128",
    ]


def test_two_are_equal_when_they_say_the_same() -> None:
    """A file that is read again changes nothing unless it says something else."""
    assert routes(("*", CORP)) == routes(("*", CORP))
    assert hash(routes(("*", CORP))) == hash(routes(("*", CORP)))
    assert routes(("*", CORP)) != routes(("*", Exit.REFUSE))
    assert routes() != "routes"


def test_a_route_that_refuses_is_a_rule_that_denies() -> None:
    judge = RoutedJudge(
        policy(allow("b.example"), default=Verdict.ASK, on_denial=OnDenial.BLOCK),
        routes(("b.example", Exit.REFUSE)),
    )
    assert judge.on_denial is OnDenial.BLOCK
    assert judge.sni is Sni.REFUSE
    said = judge.judge(to("https://b.example"), "CONNECT", Memory())
    assert (said.verdict, said.reason) == (Verdict.DENY, Reason.DENIED_BY_RULE)
    assert said.rule == "b.example:* (--allow #1)", said.rule
    assert said.hint is None
    assert "refused by route" in said.explanation


@pytest.mark.parametrize("default", [Verdict.ASK, Verdict.DENY])
def test_a_route_opens_nothing(default: Verdict) -> None:
    judge = RoutedJudge(policy(default=default), routes(("*", CORP)))
    assert judge.judge(to("https://b.example"), "CONNECT", Memory()).verdict is default


def test_the_policys_no_keeps_its_own_reason() -> None:
    judge = RoutedJudge(policy(default=Verdict.DENY), routes(("*", Exit.REFUSE)))
    said = judge.judge(to("https://b.example"), "CONNECT", Memory())
    assert said.reason is Reason.NOT_ALLOWED


def test_nobody_is_asked_about_what_has_no_way_out() -> None:
    judge = RoutedJudge(policy(default=Verdict.ASK), routes(("*", Exit.REFUSE)))
    assert judge.judge(to("https://b.example"), "CONNECT", Memory()).verdict is Verdict.DENY


def test_a_login_is_not_shown() -> None:
    parent = Parent(
        name="corp",
        kind=ParentKind.HTTP,
        host="a.example",
        port=1,
        login=Login(user="joe", password="hunter2"),
    )
    assert "joe" not in repr(parent)
    assert "hunter2" not in repr(parent)


def test_what_a_parent_is_passed_by_for_leaves_directly() -> None:
    """NO_PROXY, beside a parent that would have it."""
    parent = replace(CORP, passed_by=(allow("near.example:*"),))
    found = routes(("*", parent))
    assert found.way(to("https://far.example")) == parent
    assert found.way(to("https://near.example")) is Exit.DIRECT
