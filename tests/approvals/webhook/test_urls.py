"""A webhook's URL is read once, strictly, and means one place."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from approvals.errors import InvalidEndpoint
from approvals.webhook.urls import is_loopback, parse_url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("https://hooks.example.org", "hooks.example.org", 443),
        ("https://Hooks.Example.org:8443/in?team=a%20b", "hooks.example.org", 8443),
        ("http://127.0.0.1:9000/", "127.0.0.1", 9000),
        ("https://[2001:db8::1]/", "2001:db8::1", 443),
        ("https://xn--bcher-kva.example/x_y/~z", "xn--bcher-kva.example", 443),
        ("http://localhost/", "localhost", 80),
        ("https://team_a.example.org/", "team_a.example.org", 443),
    ],
)
def test_what_people_write(text: str, host: str, port: int) -> None:
    found = parse_url(text)
    assert (found.host, found.port, found.text) == (host, port, text)
    assert found.is_encrypted is text.startswith("https")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hooks.example.org",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@hooks.example.org/",
        "https://user:password@hooks.example.org/",
        "https://good.example\\@evil.example/",
        "https://good.example\\.evil.example/",
        "https://hooks.example.org/#fragment",
        "https://hooks.example.org/#",
        "https://hooks.example.org:/",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:65536/",
        "https://hooks.example.org:8 0/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\r\nX-Injected: yes",
        "https://hooks.example.org\r\nX-Injected:yes/",
        "https://hooks.example.org/\t",
        "https://hooks.example.org/%zz",
        'https://hooks.example.org/"',
        "https://bücher.example/",
        "https://hooks.example.org./",
        "https://hooks..example.org/",
        "https://-hooks.example.org;x/",
        "https://*.example.org/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://127.0.0.01/",
        "https://256.0.0.1/",
        "https://hooks.example.123/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[hooks.example.org]/",
        "https://[v1.x]/",
        "https://" + "a" * 64 + ".example/",
        "https://hooks.example.org/" + "a" * 3000,
    ],
)
def test_what_somebody_could_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InvalidEndpoint):
        parse_url(text)


PARTS = st.sampled_from(
    ["https://", "http://", "@", ":", "/", "\\", "#", "?", "[", "]", "a.example", "127.1", "::1",
     "0x7f", "%", "..", "-", "\t", "é", "443", "user", "0"]
)  # fmt: skip


@given(st.lists(PARTS, max_size=9).map("".join) | st.text(max_size=30))
@example("https://127.0.0.1:443/")
def test_whoever_else_reads_what_was_taken_reads_the_same_host(text: str) -> None:
    with suppress(InvalidEndpoint):
        found = parse_url(text)
        other = URL(text)
        assert (other.raw_host, other.port) == (found.host, found.port)
        assert other.user is None


def test_loopback_is_asked_of_addresses() -> None:
    assert is_loopback("127.0.0.9")
    assert is_loopback("::1")
    assert not is_loopback("10.0.0.1")
