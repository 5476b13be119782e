"""Below a public suffix everybody may have a name; who owns a name is said by what is above it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PSLFILE, PublicSuffixList

from netproxy.errors import InvalidRule
from netproxy.policy.hosts import canonical_host
from netproxy.policy.suffixes import is_public_suffix, registrable_domain
from tests.support.policies import allow, deny

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.policy.rules import Rule

LIBRARY = PublicSuffixList()
with open(PSLFILE, encoding="utf-8") as file:  # noqa: PTH123  # the library names it by a text
    LINES = [line.strip() for line in file if line.strip() and not line.startswith("//")]
LISTED = [canonical_host(line.removeprefix("!").removeprefix("*.")) for line in LINES]


@pytest.mark.parametrize(
    "domain",
    [
        pytest.param("com", id="top level"),
        pytest.param("test", id="top level that the list does not know"),
        pytest.param("localhost", id="single label"),
        pytest.param("co.uk", id="two labels"),
        pytest.param("pvt.k12.ma.us", id="four labels"),
        pytest.param("github.io", id="private section"),
        pytest.param("s3.amazonaws.com", id="private section, three labels"),
        pytest.param("anything.ck", id="wildcard"),
        pytest.param("kobe.jp", id="top of a wildcard"),
        pytest.param("a.kobe.jp", id="below a wildcard"),
        pytest.param("xn--p1ai", id="international top level"),
        pytest.param("xn--55qx5d.cn", id="international label"),
    ],
)
def test_public(domain: str) -> None:
    assert is_public_suffix(domain)
    assert registrable_domain(domain) is None


@pytest.mark.parametrize(
    ("host", "owner"),
    [
        pytest.param("example.com", "example.com", id="itself"),
        pytest.param("a.b.example.com", "example.com", id="below"),
        pytest.param("www.bbc.co.uk", "bbc.co.uk", id="two labels"),
        pytest.param("co.example", "co.example", id="not every co"),
        pytest.param("a.me.github.io", "me.github.io", id="private section"),
        pytest.param("www.ck", "www.ck", id="exception"),
        pytest.param("a.city.kobe.jp", "city.kobe.jp", id="below an exception"),
        pytest.param("x.y.a.kobe.jp", "y.a.kobe.jp", id="below a wildcard"),
        pytest.param("a.xn--bcher-kva.de", "xn--bcher-kva.de", id="international"),
        pytest.param("a.b.unknown-tld", "b.unknown-tld", id="unknown top level"),
        pytest.param("_a.example.org", "example.org", id="underscore"),
    ],
)
def test_owned(host: str, owner: str) -> None:
    assert not is_public_suffix(owner)
    assert registrable_domain(host) == owner


@pytest.mark.parametrize("literal", ["10.0.0.1", "2001:db8::1"])
def test_an_address_has_no_registered_owner(literal: str) -> None:
    assert registrable_domain(literal) is None


@pytest.mark.unmeasured
def test_the_whole_list_is_read_as_the_library_reads_it() -> None:
    assert len(LISTED) > 9000
    for suffix in LISTED:
        for host in (suffix, f"a.{suffix}", f"b.a.{suffix}"):
            assert is_public_suffix(host) is LIBRARY.is_public(host), host
            assert registrable_domain(host) == LIBRARY.privatesuffix(host), host


@given(
    st.lists(st.sampled_from(["a", "www", "city", "co", "com", "x-1"]), max_size=3),
    st.sampled_from(LISTED) | st.sampled_from(["unknown", "example.org", "ck", "kobe.jp"]),
)
def test_any_name_is_read_as_the_library_reads_it(labels: list[str], end: str) -> None:
    host = ".".join([*labels, end])
    assert is_public_suffix(host) is LIBRARY.is_public(host)
    assert registrable_domain(host) == LIBRARY.privatesuffix(host)


@pytest.mark.parametrize("read", [allow, deny], ids=["allow", "deny"])
@pytest.mark.parametrize("text", ["*.github.io", "**.co.uk", "a*.com", "*.公司.cn", "*.kobe.jp"])
def test_no_rule_covers_everybody(text: str, read: Callable[[str], Rule]) -> None:
    with pytest.raises(InvalidRule, match=r"everybody's names below .*, did you mean"):
        read(text)


def test_the_list_is_loaded_for_wildcards_only() -> None:
    """It is waited for before the command starts."""
    script = (
        "from netproxy.policy import suffixes\n"
        "from netproxy.policy.rules import Effect, parse_rule\n"
        "parse_rule('example.org:443', Effect.ALLOW)\n"
        "parse_rule('10.0.0.0/8', Effect.DENY)\n"
        "print(suffixes._rules.cache_info().currsize)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"0\n"
