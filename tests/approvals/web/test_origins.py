"""Only our own pages post forms; cookies are named for where they are."""

from __future__ import annotations

import pytest

from approvals.web.origins import Here, here, is_own_form, is_strangers_link

HERE = Here(origin="http://127.0.0.1:8377", cookie="netproxy-8377", secure=False)


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("127.0.0.1:8377", None, HERE),
        ("127.0.0.1:8377", "https://reviews.example.org", HERE),
        ("localhost", None, Here(origin="http://localhost", cookie="netproxy", secure=False)),
        ("[::1]:80", None, Here(origin="http://[::1]:80", cookie="netproxy-80", secure=False)),
        (
            "Reviews.example.org",
            "https://reviews.example.org",
            Here(origin="https://reviews.example.org", cookie="__Host-netproxy", secure=True),
        ),
        (
            "reviews.internal:8080",
            "http://reviews.internal:8080",
            Here(origin="http://reviews.internal:8080", cookie="netproxy-8080", secure=False),
        ),
    ],
)
def test_where_a_request_is(host: str, public_url: str | None, expected: Here) -> None:
    assert here(host, public_url) == expected


@pytest.mark.parametrize(
    ("origin", "fetch_site", "is_ours"),
    [
        ("null", "same-origin", True),  # a browser's form under Referrer-Policy: no-referrer
        ("http://127.0.0.1:8377", "same-origin", True),
        (None, "same-origin", True),
        ("http://127.0.0.1:8377", None, True),  # a browser without Fetch Metadata
        ("null", "cross-site", False),
        ("null", "same-site", False),  # another port of this host
        ("http://127.0.0.1:8377", "none", False),  # nobody types a form's result into a bar
        ("http://127.0.0.1:9999", None, False),
        ("https://evil.example", "same-origin", False),
        ("null", None, False),  # a sandboxed frame
        (None, None, False),
    ],
)
def test_whose_form_it_is(origin: str | None, fetch_site: str | None, *, is_ours: bool) -> None:
    assert is_own_form(origin, fetch_site, HERE) is is_ours


@pytest.mark.parametrize(
    ("fetch_site", "expected"),
    [
        ("cross-site", True),
        ("same-site", True),
        ("same-origin", False),
        ("none", False),
        (None, False),
    ],
)
def test_whether_another_site_led_here(fetch_site: str | None, *, expected: bool) -> None:
    assert is_strangers_link(fetch_site) is expected
