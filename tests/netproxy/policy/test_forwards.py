"""Services across the fence, as they are written."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import Destination, Protocol
from netproxy.policy.forwards import Expose, clashes, parse_expose, parse_reach, parse_unix
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.rules import Effect

RESERVED = {3128: "the HTTP proxy's"}


@pytest.mark.parametrize(
    ("text", "host", "port", "variable"),
    [
        ("postgres=127.0.0.1:5432", "127.0.0.1", 5432, "NETPROXY_REACH_POSTGRES"),
        ("my-db2=DB.example.org.:5432", "db.example.org", 5432, "NETPROXY_REACH_MY_DB2"),
        ("six=[::1]:80", "::1", 80, "NETPROXY_REACH_SIX"),
        ("x=localhost:1", "localhost", 1, "NETPROXY_REACH_X"),
    ],
)
def test_a_service_of_this_host(text: str, host: str, port: int, variable: str) -> None:
    reach = parse_reach(text)

    assert reach.destination == Destination(host, port, Protocol.TCP)
    assert reach.variable == variable
    assert parse_reach(reach.text) == reach


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("127.0.0.1:5432", "is not NAME=HOST:PORT"),
        ("=127.0.0.1:5432", "no name for a service"),
        ("Postgres=127.0.0.1:5432", "no name for a service"),
        ("a.b=127.0.0.1:5432", "no name for a service"),
        ("a_b=127.0.0.1:5432", "no name for a service"),
        ("a-=127.0.0.1:5432", "no name for a service"),
        ("1a=127.0.0.1:5432", "no name for a service"),
        ("localhost=127.0.0.1:5432", "no name for a service"),
        (f"{'a' * 64}=127.0.0.1:5432", "no name for a service"),
        ("a=127.0.0.1", "has no port"),
        ("a=127.0.0.1:0", "port '0'"),
        ("a=127.0.0.1:05432", "port '05432'"),
        ("a=127.1:5432", "127.1"),
        ("a=*.example.org:5432", "example.org"),
        ("a=tcp://127.0.0.1:5432", "tcp"),
    ],
)
def test_what_is_no_service_is_refused(text: str, said: str) -> None:
    with pytest.raises((InvalidRule, InvalidDestination), match=said.replace("*", r"\*")):
        parse_reach(text)


def test_it_allows_exactly_that() -> None:
    origin = Origin(layer=Layer.COMMAND_LINE, key="--reach #1")

    rule = parse_reach("postgres=127.0.0.1:5432").rule(origin)

    assert (rule.effect, rule.pattern.base, rule.protocol, rule.ports) == (
        Effect.ALLOW, "127.0.0.1", Protocol.TCP, ((5432, 5432),),
    )  # fmt: skip
    assert rule.label == "postgres=127.0.0.1:5432 (--reach #1)"


@pytest.mark.parametrize(
    ("text", "port", "host_port"), [("8080", 8080, 8080), ("8080:18080", 8080, 18080)]
)
def test_a_port_of_the_commands(text: str, port: int, host_port: int) -> None:
    expose = parse_expose(text)

    assert expose == Expose(port=port, host_port=host_port)
    assert expose.text == text


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "08080", "8080:", ":8080", "8080:0", "0.0.0.0:8080:80", "http"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(InvalidDestination):
        parse_expose(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """And what is read is written the same way."""
    with suppress(InvalidRule, InvalidDestination):
        reach = parse_reach(text)
        assert parse_reach(reach.text) == reach
    with suppress(InvalidDestination):
        expose = parse_expose(text)
        assert parse_expose(expose.text) == expose


def test_ports_and_names_are_had_once() -> None:
    reached = [
        parse_reach(text)
        for text in ("a=h.test:5432", "b=h.test:3128", "c=h.test:5432", "a=h.test:6379")
    ]
    exposed = [
        parse_expose(text) for text in ("8080", "5432:9", "3128:10", "8081:8080", "8080:8082")
    ]

    found = clashes(reached, exposed, RESERVED)
    assert [f"{each.text}: {why}" for each, why in found] == [
        "b=h.test:3128: port 3128 inside the sandbox is the HTTP proxy's",
        "c=h.test:5432: port 5432 inside the sandbox is that of a=h.test:5432",
        "a=h.test:6379: there is another service with the name a",
        "5432:9: port 5432 inside the sandbox is that of a=h.test:5432",
        "3128:10: port 3128 inside the sandbox is the HTTP proxy's",
        "8081:8080: port 8080 of this host is that of 8080",
    ]
    assert list(clashes([], [], RESERVED)) == []


def test_the_path_of_a_socket() -> None:
    assert parse_unix("/run/x.sock") == "/run/x.sock"
    for text in ("run/x", "/run/../x", "/run/x/", "", "/run/x\0", f"/{'x' * 107}"):
        with pytest.raises(InvalidRule):
            parse_unix(text)


def test_a_path_that_is_no_text_is_refused_by_name() -> None:
    with pytest.raises(InvalidRule, match=r"'/x/s\\udcff' is not UTF-8"):
        parse_unix(b"/x/s\xff".decode(errors="surrogateescape"))
