from __future__ import annotations

import pytest

from approvals.reviewers.scripts import mixed_scripts


@pytest.mark.parametrize(
    ("host", "mixed"),
    [
        ("pypi.org", ()),
        ("127.0.0.1", ()),
        ("\u0430pple.com", ("Cyrillic", "Latin")),
        ("www.payp\u03b1l.com", ("Greek", "Latin")),
        ("пример.com", ()),
        ("日本語ドメイン.jp", ()),
        ("abcひらがな漢字.jp", ()),
        ("한국어abc漢.kr", ()),
        ("ひ한.jp", ("Hangul", "Hiragana")),
        ("münchen-2.de", ()),
    ],
    ids=[
        "latin", "address", "cyrillic a", "greek alpha", "one script a label", "japanese",
        "japanese with latin", "korean", "kana with hangul", "umlaut and digit",
    ],
)  # fmt: skip
def test_labels_that_mix_scripts_are_named(host: str, mixed: tuple[str, ...]) -> None:
    assert mixed_scripts(host) == mixed
