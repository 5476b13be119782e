"""An entry of theirs becomes less for an allow, more for a deny, and says so."""

from __future__ import annotations

import pytest

from netproxy.policy.imports.common import (
    Listed,
    allow_entry,
    deny_entry,
    overlap,
    split_port,
    without_gaps,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.example", ("a.example", None)),
        ("a.example:443", ("a.example", 443)),
        ("a.example:0443", ("a.example:0443", None)),
        ("a.example:65536", ("a.example:65536", None)),
        ("a.example:\u0664", ("a.example:\u0664", None)),
        ("::1:443", ("::1:443", None)),
        ("[::1]", ("::1", None)),
        ("[::1]:443", ("::1", 443)),
        ("[::1]x", ("[::1]x", None)),
        ("[::1", ("::1", None)),
        ("*:22", ("*", 22)),
    ],
)
def test_ports(text: str, parts: tuple[str, int | None]) -> None:
    assert split_port(text) == parts


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("a.example", "a.example", True),
        ("a.example", "b.example", False),
        ("a.b.example", "*.b.example", True),
        ("b.example", "*.b.example", False),
        ("b.example", "**.b.example", True),
        ("xb.example", "**.b.example", False),
        ("*.a.b.example", "**.b.example", True),
        ("*.a.example", "*.b.example", False),
        ("*", "a.example", True),
        ("[::1]", "[::1]", True),
        ("[::1]", "*", True),
    ],
)
def test_overlap(one: str, other: str, meet: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is meet


def test_a_name_that_theirs_can_only_resolve_does_not_open_loopback() -> None:
    assert allow_entry(Listed("x.localhost", 1, "x.localhost")).is_failed
    assert allow_entry(Listed("localhost", 1, "localhost")).host == "localhost"
    assert allow_entry(Listed("localhost", 1, "localhost"), opens_local=False).is_failed
    assert allow_entry(Listed("10.0.0.1", 1, "10.0.0.1"), opens_local=False).is_failed
    assert allow_entry(Listed("8.8.8.8", 1, "8.8.8.8"), opens_local=False).host == "8.8.8.8"


def test_a_gap_leaves_out_only_what_it_may_touch() -> None:
    hosts = ["x.ru", "*.y.ru", "a*.z.ru", "ru.example", "8.8.8.8"]
    allows = [allow_entry(Listed(host, 1, host)) for host in hosts]
    denied = [deny_entry(Listed(each, 2, each)) for each in ("*.ru", "a.example")]
    kept = without_gaps([*allows, *denied])
    assert [each.host for each in kept if each.host] == ["ru.example", "8.8.8.8", "a.example"]
