"""What a host pattern may be, and how far each kind reaches."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import InvalidRule
from netproxy.policy.patterns import Kind, NameGlob, parse_pattern


@pytest.mark.parametrize(
    ("text", "kind", "canonical"),
    [
        pytest.param("Example.org.", Kind.EXACT, "example.org", id="exact"),
        pytest.param("*.Example.org", Kind.BELOW, "*.example.org", id="below"),
        pytest.param("**.example.org.", Kind.TREE, "**.example.org", id="tree"),
        pytest.param("API-*.example.org", Kind.GLOB, "api-*.example.org", id="glob"),
        pytest.param("a.*.example.org", Kind.GLOB, "a.*.example.org", id="one label"),
        pytest.param("*.api-*.example.org", Kind.GLOB, "*.api-*.example.org", id="both"),
        pytest.param("*", Kind.ANY, "*", id="any"),
        pytest.param("192.0.2.7", Kind.ADDRESS, "192.0.2.7", id="IPv4"),
        pytest.param("2001:DB8::1", Kind.ADDRESS, "[2001:db8::1]", id="IPv6"),
        pytest.param("::ffff:192.0.2.7", Kind.ADDRESS, "192.0.2.7", id="mapped"),
        pytest.param("10.0.0.0/8", Kind.BLOCK, "10.0.0.0/8", id="block"),
        pytest.param("2001:db8::/32", Kind.BLOCK, "[2001:db8::/32]", id="IPv6 block"),
        pytest.param("*.bücher.example", Kind.BELOW, "*.xn--bcher-kva.example", id="IDNA"),
    ],
)
def test_read(text: str, kind: Kind, canonical: str) -> None:
    pattern = parse_pattern(text)
    assert (pattern.kind, pattern.text) == (kind, canonical)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("*.com", "did you mean *.example.com?", id="top-level"),
        pytest.param("**.com", "did you mean **.example.com?", id="top-level tree"),
        pytest.param("*.co.uk", "everybody's names below co.uk", id="public suffix"),
        pytest.param("shop*.co.uk", "did you mean shop*.example.co.uk?", id="glob on a suffix"),
        pytest.param("**", "did you mean *?", id="two stars"),
        pytest.param("example.*", "did you mean example.example.org?", id="wildcard at the end"),
        pytest.param("*.*", "no domain after the wildcard", id="stars only"),
        pytest.param("10.0.0.*", "write a block such as 10.0.0.0/8", id="address with a star"),
        pytest.param("*.0.0.1", "write a block", id="star before numbers"),
        pytest.param("*.1", "is a number", id="number after a star"),
        pytest.param("a**b.example.org", "** stands only", id="two stars in a label"),
        pytest.param("a.**.example.org", "** stands only", id="two stars inside"),
        pytest.param("**.a*.example.org", "** stands only", id="two stars before a glob"),
        pytest.param("-*.example.org", "not a label", id="hyphen first"),
        pytest.param("a_*!.example.org", "not a label", id="strange character"),
        pytest.param("..*.example.org", "not a label", id="empty label before"),
        pytest.param("*..example.org", "empty label", id="empty label after"),
        pytest.param("xn--*.example.org", "international", id="half an A-label"),
        pytest.param(".example.org", "did you mean **.example.org?", id="leading dot"),
        pytest.param("2130706433", "is a number", id="number"),
        pytest.param("", "empty", id="empty"),
        pytest.param("fe80::1%eth0", "zone", id="zone"),
        pytest.param("a\u202e.test", "no host name may", id="text direction"),
        pytest.param("10.0.0.1/8", "did you mean 10.0.0.0/8?", id="host bits"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse_pattern(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("api-*.example.org", "api-1.example.org", True),
        ("api-*.example.org", "api-.example.org", True),
        ("api-*.example.org", "api.example.org", False),
        ("api-*.example.org", "api-1.x.example.org", False),
        ("api-*.example.org", "x.api-1.example.org", False),
        ("a*b*c.example.org", "axxbxxc.example.org", True),
        ("a*b*c.example.org", "abc.example.org", True),
        ("a*b*c.example.org", "acb.example.org", False),
        ("a.*.example.org", "a.b.example.org", True),
        ("a.*.example.org", "a.b.c.example.org", False),
        ("a.*.example.org", "a.example.org", False),
        ("*.api-*.example.org", "x.y.api-1.example.org", True),
        ("*.api-*.example.org", "api-1.example.org", False),
        ("*-x.example.org", "a-x.example.org", True),
        ("a-*.exam.org", "a-1.exam.org.evil.net", False),
        ("a-*.exam.org", "a-1xexamyorg", False),
    ],
    ids=str,
)
def test_globs_stay_in_their_label(pattern: str, host: str, *, matches: bool) -> None:
    assert NameGlob(parse_pattern(pattern)).matches(host) is matches


def test_a_glob_takes_no_time_that_grows_with_its_stars() -> None:
    """The sandboxed command picks the host: it must not be able to make matching slow."""
    glob = NameGlob(parse_pattern("*a*a*a*a*a*a*a*a*a*a*a*b.example.org"))
    start = time.thread_time()
    for _ in range(100):
        assert not glob.matches("a" * 63 + ".example.org")
    assert time.thread_time() - start < 2, "or years"


@given(st.from_regex(r"[a-z*.\[\]:/0-9ü-]{0,30}", fullmatch=True))
def test_what_is_read_is_read_again(text: str) -> None:
    try:
        pattern = parse_pattern(text)
    except InvalidRule:
        return
    assert parse_pattern(pattern.text.strip("[]")) == pattern
