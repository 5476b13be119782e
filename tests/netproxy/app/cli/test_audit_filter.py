from __future__ import annotations

import pytest

from netproxy.app.cli.audit_filter import host_pattern, instant

NOW = 1_767_323_045.678


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-01-02", "2026-01-02T00:00:00.000Z", id="day"),
        pytest.param("2026-01-02T03:04", "2026-01-02T03:04:00.000Z", id="utc-without-offset"),
        pytest.param("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z", id="zulu"),
        pytest.param("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05.000Z", id="offset"),
        pytest.param("5s", "2026-01-02T03:04:00.678Z", id="seconds"),
        pytest.param("4m", "2026-01-02T03:00:05.678Z", id="minutes"),
        pytest.param("3h", "2026-01-02T00:04:05.678Z", id="hours"),
        pytest.param("1d", "2026-01-01T03:04:05.678Z", id="days"),
    ],
)
def test_instant(text: str, expected: str) -> None:
    assert instant(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "now", "-1h", "1w", "2026-13-01", "1.5h", "٣h"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the caller has its own words for it
        instant(text, NOW)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("EXAMPLE.com.", "example.com"),
        ("[::1]", "::1"),
        ("*.a?b[c]d", "*.a[?]b[[]c]d"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.BÜCHER.*", "*.xn--bcher-kva.*"),
        ("bü*.example", "bü*.example"),
    ],
)
def test_host_pattern(text: str, pattern: str) -> None:
    assert host_pattern(text) == pattern
