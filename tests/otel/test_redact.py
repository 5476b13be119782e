from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.redact import MAX_ITEMS, MAX_TEXT, clean, encode, visible

HOSTILE = st.text(st.characters(exclude_categories=())) | st.text(
    "\x7f\x1b\x9b\u202e\u200b\ud800 a/@:?#"
)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        pytest.param("plain text", "plain text", id="plain"),
        pytest.param("\x1b[31m", "\\u001b[31m", id="escape"),
        pytest.param("a\nb\r\tc\x00", "a\\u000ab\\u000d\\u0009c\\u0000", id="c0"),
        pytest.param("\x7f\x9b1m", "\\u007f\\u009b1m", id="del-and-c1"),
        pytest.param("a\u202eb\u2066c", "a\\u202eb\\u2066c", id="bidi"),
        pytest.param("a\u200bb\ufeffc\u200d", "a\\u200bb\\ufeffc\\u200d", id="zero-width"),
        pytest.param("a\u2028b\u2029", "a\\u2028b\\u2029", id="line-separators"),
        pytest.param("a\udc80", "a\\udc80", id="lone-surrogate"),
        pytest.param("a\u00a0b\u3000", "a\\u00a0b\\u3000", id="wide-spaces"),
        pytest.param("a\u3164b\u2800\ufe0f", "a\\u3164b\\u2800\\ufe0f", id="blank-glyphs"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag-character"),
        pytest.param("bücher日本", "bücher日本", id="letters-stay"),
        pytest.param("C:\\u202e", "C:\\u202e", id="backslash-stays"),
    ],
)
def test_visible(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@given(HOSTILE, st.integers(0, 80))
def test_visible_text_is_printable_encodable_and_bounded(raw: str, limit: int) -> None:
    shown = visible(raw, limit=limit)
    shown.encode("utf-8")
    assert shown.isprintable()
    assert len(shown) <= limit
    assert visible(shown, limit=limit) == shown


def test_a_cut_says_how_much_is_missing() -> None:
    shown = visible("x" * 3000)
    assert len(shown) <= MAX_TEXT
    kept, marker = shown.split("…")
    assert marker == f"[+{3000 - len(kept)} characters]"


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        pytest.param(
            "https://user:secret@h.example/a?token=secret#secret",
            "https://REDACTED@h.example/a?REDACTED",
            id="url",
        ),
        pytest.param("https://us\ner:se@cret@h/", "https://REDACTED@h/", id="line-feed-inside"),
        pytest.param("https://us\u00a0er:secret@h/", "https://REDACTED@h/", id="odd-space-inside"),
        pytest.param("fatal: git://u:secret@h/r x", "fatal: git://REDACTED@h/r x", id="in-a-text"),
        pytest.param("http://a/b/http://u:secret@h/", "http://a/b/http://REDACTED@h/", id="nested"),
        pytest.param("https://h/@scope/pkg", "https://h/@scope/pkg", id="at-sign-in-path"),
        pytest.param("https://h/#secret", "https://h/#REDACTED", id="fragment"),
        pytest.param("https://*.example:443", "https://*.example:443", id="rule"),
        pytest.param("what? me@home", "what? me@home", id="no-url"),
    ],
)
def test_secrets_leave_urls(raw: str, kept: str) -> None:
    assert clean({"k": raw}) == {"k": kept}


def test_a_long_password_is_not_kept_by_the_cut() -> None:
    cleaned = clean({"k": f"https://u:{'secret' * 1000}@h/"})
    assert cleaned == {"k": "https://REDACTED@h/"}


def test_lists_are_bounded_and_say_so() -> None:
    items = clean({"k": tuple("abc" * MAX_ITEMS)})["k"]
    assert isinstance(items, tuple)
    assert len(items) == MAX_ITEMS
    assert items[-1] == f"…[+{2 * MAX_ITEMS + 1} items]"


VALUES = HOSTILE | st.integers() | st.booleans() | st.none() | st.lists(HOSTILE).map(tuple)


@given(st.dictionaries(HOSTILE, VALUES, max_size=5))
def test_the_fast_path_writes_what_cleaning_gives(raw: dict[str, str]) -> None:
    """`encode` skips `clean` for plain records: that must never make a difference."""
    read = json.loads(encode(raw))
    expected = {
        key: list(value) if isinstance(value, tuple) else value for key, value in clean(raw).items()
    }
    assert read == expected


@given(st.dictionaries(HOSTILE, VALUES, max_size=5))
def test_cleaning_twice_changes_nothing(raw: dict[str, str]) -> None:
    once = clean(raw)
    assert clean(once) == once


@given(st.text("ab:/@?#\n ", max_size=30))
def test_no_text_between_scheme_and_at_sign_survives(noise: str) -> None:
    authority = noise.translate({ord(c): None for c in "/?# "})
    cleaned = clean({"k": f"https://{authority}S3CRET@h/"})["k"]
    assert "S3CRET" not in str(cleaned)


def test_where_not_even_the_count_fits_there_is_an_ellipsis() -> None:
    assert [visible("abcdef" * 9, limit=limit) for limit in (1, 5)] == ["…", "…"]
