"""A glob takes names as they are, and stays within a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.globs import Glob


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.env", ".env", True),
        ("*.env", "a/.env", False),
        ("**/*.env", "prod.env", True),
        ("**/*.env", "a/b/prod.env", True),
        ("**/*.env", "a/b/prod.env/c", False),
        ("config/*/key.pem", "config/x/key.pem", True),
        ("config/*/key.pem", "config/x/y/key.pem", False),
        ("config/**", "config/x/y", True),
        ("config/**", "config", False),
        ("config/**/y", "config/y", True),
        ("a?c/[xy]*", "abc/x1", True),
        ("a?c/[!xy]*", "abc/x1", False),
        ("app/[id]/*.env", "app/[id]/a.env", True),
        ("app/[id]/*.env", "app/i/a.env", True),
        ("*.ENV", ".env", False),
        ("a.b", "axb", False),
    ],
)
def test_what_it_matches(pattern: str, path: str, matches: bool) -> None:
    assert Glob.of(pattern).matches(path) is matches


@pytest.mark.parametrize(
    ("pattern", "folder", "reaches"),
    [
        ("**/*.env", "a/b", True),
        ("*.env", "", True),
        ("*.env", "a", False),
        ("a/*/key", "a", True),
        ("a/*/key", "a/b", True),
        ("a/*/key", "b", False),
        ("a/**/key", "a/b/c", True),
    ],
)
def test_where_it_could_match(pattern: str, folder: str, reaches: bool) -> None:
    assert Glob.of(pattern).reaches(folder) is reaches


@given(st.lists(st.from_regex(r"[a-z.]{1,4}", fullmatch=True), min_size=1, max_size=6))
def test_a_path_matches_itself_and_its_name_at_any_depth(names: list[str]) -> None:
    path = "/".join(names)
    assert Glob.of(path).matches(path)
    assert Glob.of(f"**/{names[-1]}").matches(path)
    assert Glob.of("**").matches(path)
