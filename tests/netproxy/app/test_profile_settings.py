"""Profiles of a file are read whole, and what is wrong with them is said where it stands."""

from __future__ import annotations

import pytest

from netproxy.app.profile_settings import own_profiles, profile_in_force
from netproxy.policy.loader import Document, load
from netproxy.policy.origin import Layer

GOOD = """
[sandbox]
files = "mine"

[sandbox.profiles.mine]
extends = "workspace"
read = ["vendor"]
write = ["~/.cache/pip"]
hide = ["**/*.env"]
scan_depth = 5
"""


def document(text: str) -> Document:
    return load(text, "config.toml", layer=Layer.USER)


def test_a_profile_is_read_and_chosen() -> None:
    problems: list[str] = []
    (mine,) = own_profiles(document(GOOD), problems)
    assert (mine.name, mine.extends, mine.scan_depth) == ("mine", "workspace", 5)
    assert (mine.read, mine.write, mine.hide) == (("vendor",), ("~/.cache/pip",), ("**/*.env",))
    assert profile_in_force(document(GOOD), None, (mine,), problems) == "mine"
    assert profile_in_force(document(GOOD), "read-only", (mine,), problems) == "read-only"
    assert problems == []


def test_without_a_file_or_a_word_in_it_the_workspace_may_be_written() -> None:
    for said in (None, document(""), document("[sandbox]\nwrite = []\n")):
        assert own_profiles(said, []) == ()
        assert profile_in_force(said, None, (), []) == "workspace"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[sandbox.profiles.a]\nextends = "workspce"\n',
            "config.toml:2:1 .*did you mean workspace",
        ),
        ('[sandbox.profiles.a]\nextends = "a"\n', "circle"),
        ('[sandbox.profiles.workspace]\nread = ["x"]\n', "built in"),
        ('[sandbox.profiles.a]\nread = ["x", ":hoem"]\n', "config.toml:2:.*did you mean :home"),
        ('[sandbox.profiles.a]\nwrite = ["*.env"]\n', "config.toml:2:.*glob"),
        ('[sandbox.profiles.a]\nhide = [""]\n', "not a path"),
    ],
)
def test_what_can_not_be_is_said_where_it_stands(text: str, said: str) -> None:
    import re

    problems: list[str] = []
    own_profiles(document(text), problems)
    (problem,) = problems
    assert re.search(said, problem), problem


def test_a_profile_that_is_not_there_is_said_where_it_was_named() -> None:
    problems: list[str] = []
    profile_in_force(document('[sandbox]\nfiles = "read-onyl"\n'), None, (), problems)
    profile_in_force(None, "read-onyl", (), problems)
    in_file, by_flag = problems
    assert in_file.startswith("config.toml:2:")
    assert by_flag == "--files: there is no profile read-onyl, did you mean read-only?"
