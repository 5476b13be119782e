"""What a person types becomes the destination that a client's request would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import InvalidDestination
from netproxy.policy.destinations import parse_destination
from tests.support.rule_texts import destinations


@pytest.mark.parametrize(
    ("text", "destination", "method"),
    [
        ("https://pypi.org", "https://pypi.org:443", "CONNECT"),
        ("HTTPS://PyPI.org./simple/?q=a@b#c", "https://pypi.org:443", "CONNECT"),
        ("https://pypi.org?q", "https://pypi.org:443", "CONNECT"),
        ("https://pypi.org:8443/x", "https://pypi.org:8443", "CONNECT"),
        ("http://pypi.org", "http://pypi.org:80", "GET"),
        ("http://[::1]:8080/", "http://[::1]:8080", "GET"),
        ("http://[::ffff:10.0.0.1]", "http://10.0.0.1:80", "GET"),
        ("socks5-tcp://git.example.org:22", "socks5-tcp://git.example.org:22", "none"),
        ("socks5-udp://10.0.0.1:53", "socks5-udp://10.0.0.1:53", "none"),
        ("tcp://git.example.org:22", "tcp://git.example.org:22", "none"),
        ("pypi.org:443", "https://pypi.org:443", "CONNECT"),
        ("pypi.org", "https://pypi.org:443", "CONNECT"),
        ("[::1]:443", "https://[::1]:443", "CONNECT"),
        ("https://bücher.example", "https://xn--bcher-kva.example:443", "CONNECT"),
    ],
)
def test_read(text: str, destination: str, method: str) -> None:
    found, asked = parse_destination(text)
    assert (str(found), asked) == (destination, method)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the host is empty"),
        ("https://", "the host is empty"),
        ("htps://a.test", "'htps' is not one of"),
        ("ssh://a.test:22", "did you mean tcp?"),
        ("socks5-tcp://a.test", "'socks5-tcp://a.test' has no port"),
        ("tcp://a.test:22/x", "has a path, did you mean 'tcp://a.test:22'?"),
        ("a.test/x", "has a path, did you mean 'https://a.test/x'?"),
        ("https://me@a.test", "carries userinfo"),
        ("https://a.test:x@b.test", "carries userinfo"),
        (r"https://a.test\@b.test", "carries userinfo"),
        (r"https://a.test\b.test", "which no host name may"),
        ("https://a.test:", "port '' is not"),
        ("https://a.test:0", "port '0' is not"),
        ("https://a.test:99999", "port '99999' is not"),
        ("::1", "holds IPv6 without brackets"),
        ("[::1", "is not [IPv6]:port"),
        ("[::1]x", "is not [IPv6]:port"),
        ("[a.test]", "is not [IPv6]:port"),
        ("https://127.1", "is a number"),
        ("https://*", "which no host name may"),
        ("https://a.test%2f", "which no host name may"),
        ("https://a\x00.test", "which no host name may"),
    ],
)
def test_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidDestination) as caught:
        parse_destination(text)
    assert problem in str(caught.value)


@given(destinations)
def test_what_we_print_we_read(destination: object) -> None:
    assert parse_destination(str(destination))[0] == destination


@given(st.text(max_size=40))
def test_any_text_is_a_destination_or_one_line(text: str) -> None:
    said = ""
    try:
        found, _ = parse_destination(text)
        assert parse_destination(str(found))[0] == found
    except InvalidDestination as error:
        said = str(error)
    assert said.isascii()
    assert said.isprintable()
