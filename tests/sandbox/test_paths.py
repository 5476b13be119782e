"""What lies in a folder, and what is only called like it."""

from __future__ import annotations

import pytest

from sandbox.paths import is_within


@pytest.mark.parametrize(
    ("path", "root", "lies_in_it"),
    [
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/ab", "/a", False),
        ("/", "/a", False),
        ("/a", "/", True),
        ("/", "/", True),
    ],
)
def test_a_path_lies_in_itself_and_in_what_is_above(
    path: str, root: str, *, lies_in_it: bool
) -> None:
    assert is_within(path, root) is lies_in_it
