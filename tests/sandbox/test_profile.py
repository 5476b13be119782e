"""What a profile's words mean, and which ones mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import ProfileRefused
from sandbox.model import Right
from sandbox.profile import (
    BUILT_IN,
    CREDENTIALS,
    MINIMAL,
    SETTINGS,
    Places,
    Profile,
    check_entry,
    check_name,
    entries_of,
    is_glob,
    known_profiles,
    lineage,
    placed,
    scan_depth,
)

PLACES = Places(home="/home/ada", cwd=("/w/sub",), workspace=("/w", "/v"))


def paths(text: str, right: Right = Right.READ) -> list[str]:
    return [
        entry.path + (f" {entry.pattern}" if entry.pattern else "")
        for entry in placed(right, text, PLACES, layer=0)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/srv/data", ["/srv/data"]),
        ("/", ["/"]),
        (":root", ["/"]),
        ("~", ["/home/ada"]),
        ("~/notes/", ["/home/ada/notes"]),
        (":home/./notes", ["/home/ada/notes"]),
        (":cwd", ["/w/sub"]),
        (":tmp/x", ["/tmp/x"]),
        (":workspace", ["/w", "/v"]),
        (":workspace/build", ["/w/build", "/v/build"]),
        ("build", ["/w/build", "/v/build"]),
        ("*.pem", ["/w **/*.pem", "/v **/*.pem"]),
        ("~/*.pem", ["/home/ada *.pem"]),
        ("a/*.pem", ["/w/a *.pem", "/v/a *.pem"]),
        ("**/*.env", ["/w **/*.env", "/v **/*.env"]),
        ("/srv/**/key", ["/srv **/key"]),
        ("~/x/[ab]/c", ["/home/ada/x [ab]/c"]),
        (":minimal", list(MINIMAL)),
    ],
)
def test_where_an_entry_begins(text: str, found: list[str]) -> None:
    assert paths(text) == found


def test_what_may_be_written_in_tmp_is_the_runs_own() -> None:
    (entry,) = placed(Right.WRITE, ":tmp", PLACES, layer=0)
    assert (entry.right, entry.path) == (Right.PRIVATE, "/tmp")


def test_a_profile_comes_after_what_it_extends() -> None:
    mine = Profile(name="mine", extends="workspace", write=("~/x",), scan_depth=7)
    chain = lineage("mine", known_profiles([mine]))
    assert [profile.name for profile in chain] == ["read-only", "workspace", "mine"]
    assert scan_depth(chain) == 7
    assert scan_depth(chain[:2]) is None
    found = {(entry.path, entry.right): entry.layer for entry in entries_of(chain, PLACES)}
    assert found["/", Right.READ] == 0
    assert found["/w", Right.WRITE] == 1
    assert found["/home/ada/x", Right.WRITE] == 2


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_circle_is_refused(name: str) -> None:
    profiles = [
        Profile(name="a", extends="b"),
        Profile(name="b", extends="a"),
        Profile(name="c", extends="a"),
    ]
    with pytest.raises(ProfileRefused, match="circle"):
        lineage(name, known_profiles(profiles))


def test_a_profile_that_is_not_there_is_named() -> None:
    with pytest.raises(ProfileRefused) as refused:
        lineage("a", known_profiles([Profile(name="a", extends="wokspace")]))
    assert refused.value.name == "wokspace"


@pytest.mark.parametrize("name", ["", "-x", "a b", "workspace", "x" * 65])
def test_a_name_that_can_not_be_used_is_refused(name: str) -> None:
    with pytest.raises(ProfileRefused):
        check_name(name)
    check_name("my-own.1")


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("read", "", "not a path"),
        ("read", "a\0b", "not a path"),
        ("read", ":hoem/x", "no place"),
        ("read", "a/../b", r"\.\."),
        ("write", "**/*.env", "to open"),
        ("write", ":minimal", "can be read"),
        ("read", ":minimal/x", "can be read"),
        ("hide", ":root", "nothing can run"),
        ("hide", "/", "nothing can run"),
    ],
)
def test_an_entry_that_can_not_be_enforced_is_refused(key: str, text: str, why: str) -> None:
    with pytest.raises(ProfileRefused, match=why):
        check_entry(key, text)


@pytest.mark.parametrize(
    ("key", "text"),
    [("read", ":minimal"), ("hide", "*.env"), ("write", ":root"), ("read", "a..b/c")],
)
def test_others_are_not(key: str, text: str) -> None:
    check_entry(key, text)


def test_what_is_built_in_means_something() -> None:
    for profile in BUILT_IN.values():
        for key in ("read", "write", "hide"):
            for text in getattr(profile, key):
                check_entry(key, text)
                assert not is_glob(text)
    assert len({*CREDENTIALS}) == len(CREDENTIALS)
    assert len({*SETTINGS}) == len(SETTINGS)


@given(st.text(alphabet=":~/.*[]?ab", max_size=12))
def test_whatever_is_written_names_absolute_paths_or_is_refused(text: str) -> None:
    try:
        check_entry("hide", text)
    except ProfileRefused:
        return
    for entry in placed(Right.NONE, text, PLACES, layer=0):
        assert entry.path.startswith("/")
        assert "//" not in entry.path
        assert entry.pattern is None or not entry.pattern.startswith("/")
