"""Which writing systems a host name mixes: the oldest way to make one name look like another. Pure.

After UTS 39 section 5.2 ("highly restrictive"), label by label: one script, or one of the mixtures
that Chinese, Japanese and Korean are written with. The name of a character says its script.
"""

from __future__ import annotations

from unicodedata import name

_EAST_ASIAN = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
# Marks, signs and digits that are used with several scripts.
_COMMON = frozenset(
    {"DIGIT", "COMBINING", "MIDDLE", "HYPHEN-MINUS", "LOW", "IDEOGRAPHIC", "KATAKANA-HIRAGANA"}
)


def mixed_scripts(host: str) -> tuple[str, ...]:
    """The scripts of the first label that mixes some, sorted, as `Cyrillic`; else nothing."""
    for label in host.split("."):
        scripts = frozenset(map(_script, label)) - _COMMON
        if len(scripts) > 1 and not any(scripts <= allowed for allowed in _EAST_ASIAN):
            return tuple(sorted(script.capitalize() for script in scripts))
    return ()


def _script(character: str) -> str:
    return name(character, "UNKNOWN").split(" ", 1)[0]
