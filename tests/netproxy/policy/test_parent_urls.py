"""The URL of a parent proxy."""

from __future__ import annotations

import pytest

from netproxy.errors import InvalidRule
from netproxy.policy.parent_urls import ParentUrl, parse_parent_url


@pytest.mark.parametrize(
    ("text", "kind", "host", "port", "there"),
    [
        ("http://Proxy.example:3128", "http", "proxy.example", 3128, False),
        ("HTTP://10.0.0.1:8080/", "http", "10.0.0.1", 8080, False),
        ("socks5://[::1]:1080", "socks5", "::1", 1080, False),
        ("socks5h://proxy.example", "socks5", "proxy.example", 1080, True),
        ("socks4://10.0.0.1", "socks4", "10.0.0.1", 1080, False),
        ("socks4a://10.0.0.1", "socks4", "10.0.0.1", 1080, True),
    ],
)
def test_it_is_read(text: str, kind: str, host: str, port: int, there: bool) -> None:
    found = parse_parent_url(text)
    assert found == ParentUrl(kind=kind, host=host, port=port, says_there=there)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("proxy.example:3128", "is not scheme://host:port"),
        ("http://proxy.example/path", "is not scheme://host:port"),
        ("sock5://proxy.example", "did you mean socks5"),
        ("http://127.1:3128", "127.1"),
        ("http://proxy.example:0", "port"),
    ],
)
def test_it_is_refused(text: str, what: str) -> None:
    with pytest.raises(InvalidRule, match=what):
        parse_parent_url(text)


def test_credentials_in_it_are_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidRule, match="credentials_file") as refused:
        parse_parent_url("http://joe:hunter2@proxy.example:3128")
    assert "hunter2" not in str(refused.value)
