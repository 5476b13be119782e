"""What does not go through the environment's proxy."""

from __future__ import annotations

import pytest

from netproxy.errors import InvalidRule
from netproxy.policy.index import RuleIndex
from netproxy.policy.no_proxy import parse_no_proxy
from tests.support.parents import to

TEXT = (
    "example.org, .corp.example *.b.example,10.0.0.0/8,[::1],192.168.1.1 build.example:8080,local"
    " 2001:db8::1:2 2001:db8:1:2:3:4:5:6 [2001:db8::3]:8080 2001:db8:2::/48"
)


@pytest.mark.parametrize(
    ("where", "is_listed"),
    [
        ("https://example.org", True),
        ("https://a.example.org", True),
        ("https://badexample.org", False),
        ("https://corp.example", True),
        ("https://a.corp.example", True),
        ("https://a.b.example", True),
        ("https://10.1.2.3", True),
        ("https://11.1.2.3", False),
        ("https://[::1]", True),
        ("https://192.168.1.1", True),
        ("https://build.example:8080", True),
        ("https://build.example", False),
        ("https://printer.local", True),
        ("https://[2001:db8::1:2]", True),
        ("https://[2001:db8::1]:2", False),
        ("https://[2001:db8:1:2:3:4:5:6]:6", True),
        ("https://[2001:db8::3]:8080", True),
        ("https://[2001:db8::3]", False),
        ("https://[2001:db8:2::7]", True),
    ],
)
def test_it_is_read(where: str, is_listed: bool) -> None:
    found = RuleIndex(parse_no_proxy(TEXT)).match(to(where))
    assert (found is not None) is is_listed


def test_a_star_is_everything_and_nothing_is_nothing() -> None:
    assert RuleIndex(parse_no_proxy("*")).match(to("https://a.example"))
    assert parse_no_proxy(" , ") == ()


@pytest.mark.parametrize(
    "text",
    ["a..b", "a:b", "10.0.0.1/8", "127.1", ":", "a.test:80:90", "[::1", "[::1]:x", "a.test:0"],
)
def test_what_cannot_be_read_is_said(text: str) -> None:
    """Passed over in silence it would go through the proxy."""
    with pytest.raises(InvalidRule, match="NO_PROXY"):
        parse_no_proxy(text)
