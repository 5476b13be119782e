"""How problems read."""

from __future__ import annotations

import pytest

from netproxy.policy import problems
from netproxy.policy.toml_places import Path, Places


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("a", "b"), "f:1:1 a.b: is odd"),
        (("a", 3, "c"), "f:1:1 a[3].c: is odd"),
        (("a b", "x\x1b"), r"f:1:1 'a b'.'x\x1b': is odd"),
    ],
)
def test_a_line(path: Path, text: str) -> None:
    assert problems.line("f", Places(""), path, "is odd") == text
