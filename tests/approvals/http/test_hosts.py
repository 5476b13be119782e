from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.http.hosts import Hosts

HERE = Hosts()
PUBLIC = Hosts(public_url="https://Reviews.example.org:8443/inbox")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8377",
        "127.9.9.9",
        "localhost",
        "LocalHost:80",
        "[::1]",
        "[::1]:8377",
    ],
)
def test_names_that_lead_here_only(host: str) -> None:
    assert HERE.serve(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.test",
        "evil.test:8377",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "localhost.",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:10.0.0.1]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "127.0.0.1:8377@evil.test",
        "evil.test#127.0.0.1",
        "127.0.0.1 evil.test",
        "[127.0.0.1]x",
        "reviews.example.org",
    ],
)
def test_other_names_are_somebody_elses(host: str) -> None:
    assert not HERE.serve(host)


def test_the_name_behind_a_reverse_proxy_is_ours_too() -> None:
    assert PUBLIC.serve("reviews.example.org:8443")
    assert PUBLIC.serve("REVIEWS.example.org")
    assert PUBLIC.serve("127.0.0.1:8377")
    assert not PUBLIC.serve("reviews.example.org.evil.test")


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("http://127.0.0.1:8377", "127.0.0.1:8377", True),
        ("http://localhost:8377", "localhost:8377", True),
        ("http://127.0.0.1:9999", "127.0.0.1:8377", False),
        ("http://evil.test", "127.0.0.1:8377", False),
        ("http://evil.test", "evil.test", False),
        ("null", "127.0.0.1:8377", False),
        ("", "", False),
        ("https://reviews.example.org:8443", "127.0.0.1:8377", True),
        ("https://reviews.example.org", "127.0.0.1:8377", False),
    ],
)
def test_whose_page_it_was(origin: str, host: str, *, ours: bool) -> None:
    assert PUBLIC.sent(origin, host) is ours


@given(st.text(max_size=40))
def test_no_text_is_an_error(host: str) -> None:
    """Whatever stands there is a name of ours or not."""
    assert HERE.serve(host) in {True, False}
    assert PUBLIC.sent(host, host) in {True, False}
