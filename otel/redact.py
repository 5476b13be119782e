"""The only way into the journal: every text made visible, free of secrets, and bounded.

`visible` alone is the one sanitizer for untrusted text everywhere, terminals included. `clean` is
what happens to attributes, `encode` spells them: the journal takes nothing else. Applied twice,
they give the same result. For events of which there are many, `forms` does the same faster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from otel.chain import canonical

if TYPE_CHECKING:
    from otel.attributes import Attributes, Value

# Longer than any host (253), path on Linux that people use, or comment worth reading.
MAX_TEXT = 2048
# A sandbox plan has some sixty steps; a longer list is data, not a description.
MAX_ITEMS = 256

# Printable for Python, blank on a screen: Default_Ignorable_Code_Point of Unicode's
# DerivedCoreProperties outside category Cf, and the empty braille cell. Variation selectors can
# carry a hidden message one byte each.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_URL = re.compile(r"://[^ ]*")
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
_QUERY = re.compile(r"([?#]).*", re.DOTALL)


def visible(text: str, *, limit: int = MAX_TEXT) -> str:
    r"""`text` with everything that has no glyph written as `\\u202e`, at most `limit` characters.

    Escaped are control characters (C0, C1, DEL), direction marks, zero-width and blank characters,
    every space but the plain one, line separators, unassigned code points and lone surrogates. A
    cut shows as `…[+12 characters]`. Backslashes stay as they are.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(c if c.isprintable() and not _BLANK.match(c) else _escape(c) for c in text)
    return text if len(text) <= limit else _cut(text, limit)


def clean(attributes: Attributes) -> dict[str, Value]:
    """Attributes that may be recorded: visible text without URL secrets, of bounded length."""
    return {visible(key): _clean(value) for key, value in attributes.items()}


def encode(attributes: Attributes) -> str:
    """Canonical JSON of the cleaned attributes."""
    return canonical(clean(attributes))


def has_nothing_to_clean(text: str) -> bool:
    """Tell so of canonical JSON, if it is plain to see; nearly all records are like that.

    JSON spells every control character but DEL with a backslash. What is short, in ASCII and
    without both is visible as it stands.
    """
    return (
        text.isascii()
        and "\\" not in text
        and "\x7f" not in text
        and ("/" not in text or "://" not in text)  # most have none, and one letter is found fast
        and len(text) <= MAX_TEXT
    )


def _clean(value: Value) -> Value:
    if isinstance(value, str):
        return _clean_text(value)
    return _clean_items(value) if isinstance(value, tuple) else value


def _clean_text(text: str) -> str:
    # First the escapes: a line feed in a password must not end the URL early. Last the cut: it
    # must not take away the `@` by which a password is recognised.
    shown = visible(text, limit=len(text) * 10)
    if "://" in shown:
        shown = _URL.sub(_without_secrets, shown)
    return shown if len(shown) <= MAX_TEXT else _cut(shown, MAX_TEXT)


def _clean_items(items: tuple[str, ...]) -> tuple[str, ...]:
    kept = tuple(_clean_text(item) for item in items[:MAX_ITEMS])
    if len(items) <= MAX_ITEMS:
        return kept
    return (*kept[:-1], f"…[+{len(items) - MAX_ITEMS + 1} items]")


def _without_secrets(match: re.Match[str]) -> str:
    # The spelling of OpenTelemetry's url.full; it tells an auditor that something was there.
    return _QUERY.sub(r"\1REDACTED", _USERINFO.sub("REDACTED@", match[0]))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  # the last four-digit code point


def _cut(text: str, limit: int) -> str:
    marker = f"…[+{len(text) - limit} characters]"
    if len(marker) >= limit:
        return "…"[:limit]
    kept = limit - len(marker)
    return f"{text[:kept]}…[+{len(text) - kept} characters]"[:limit]
