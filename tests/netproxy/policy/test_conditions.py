"""What a rule asks of a request is read exactly, and holds for exactly the requests it says."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.policy.conditions import (
    Condition,
    canonical_path,
    parse_header_name,
    parse_header_value,
    parse_method,
    parse_path,
)

FIELDS = {"x-team": "build-7", "accept": "*/*"}


def test_in_words() -> None:
    asked = Condition(methods=("GET", "HEAD"), paths=("/v1/**",), headers=(("x-team", "a"),))
    assert str(asked) == "GET,HEAD /v1/** x-team: a"


def test_no_two_conditions_are_one_in_the_digest() -> None:
    texts = {
        Condition().canonical,
        Condition(methods=("GET",)).canonical,
        Condition(paths=("/a", "/b")).canonical,
        Condition(paths=("/a,/b",)).canonical,
        Condition(headers=(("x", "a"), ("y", "b"))).canonical,
        Condition(headers=(("x", "a,y: b"),)).canonical,
    }
    assert len(texts) == 6


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        pytest.param(Condition(), True, id="nothing asked"),
        pytest.param(Condition(methods=("POST", "GET")), True, id="one method of two"),
        pytest.param(Condition(methods=("POST",)), False, id="another method"),
        pytest.param(Condition(methods=("get",)), False, id="another case"),
        pytest.param(Condition(paths=("/v2/**", "/v1/**")), True, id="one path of two"),
        pytest.param(Condition(paths=("/v2/**",)), False, id="another path"),
        pytest.param(Condition(headers=(("x-team", "build-*"),)), True, id="a field"),
        pytest.param(Condition(headers=(("x-team", "test-*"),)), False, id="another value"),
        pytest.param(Condition(headers=(("x-other", "*"),)), False, id="a field that is missing"),
        pytest.param(
            Condition(headers=(("x-team", "*"), ("x-other", "*"))), False, id="one field of two"
        ),
        pytest.param(Condition(methods=("GET",), paths=("/v2",)), False, id="one part of two"),
    ],
)
def test_all_that_is_asked_must_hold(condition: Condition, *, matches: bool) -> None:
    assert condition.matches("GET", "/v1/items", FIELDS) is matches


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("/v1", "/v1", True),
        ("/v1", "/v1/", False),
        ("/v1/*", "/v1/items", True),
        ("/v1/*", "/v1/", False),
        ("/v1/*", "/v1/items/7", False),
        ("/v1/*/raw", "/v1/items/raw", True),
        ("/v1/*/raw", "/v1/a/b/raw", False),
        ("/v1/item-*", "/v1/item-", True),
        ("/v1/item-*", "/v1/item-7", True),
        ("/v1/*.json", "/v1/a.json", True),
        ("/v1/*.json", "/v1/axjson", False),
        ("/v1/**", "/v1/", True),
        ("/v1/**", "/v1/a/b", True),
        ("/v1/**", "/v1", False),
        ("/v1/**", "/v10/a", False),
        ("/v1/*/x/**", "/v1/a/x/b/c", True),
        ("/**", "/", True),
        ("/**", "/a/b", True),
        ("/", "/", True),
        ("/", "/a", False),
        ("/v1/**", "/V1/a", False),
    ],
    ids=str,
)
def test_a_star_stays_in_its_segment(glob: str, path: str, *, matches: bool) -> None:
    condition = Condition(paths=(parse_path(glob),))
    assert condition.matches("GET", canonical_path(path), {}) is matches


@pytest.mark.parametrize(
    ("glob", "value", "matches"),
    [
        ("build-*", "build-", True),
        ("build-*", "a build-7", False),
        ("*", "", True),
        ("a*c", "a, b, c", True),
        ("a*c", "a\nc", True),
        ("a.c", "abc", False),
    ],
    ids=repr,
)
def test_a_value_is_a_glob(glob: str, value: str, *, matches: bool) -> None:
    condition = Condition(headers=(("x-a", parse_header_value(glob)),))
    assert condition.matches("GET", "/", {"x-a": value}) is matches


@pytest.mark.parametrize("text", ["GET", "PATCH", "PROPFIND", "M-SEARCH", "x-mine"])
def test_methods(text: str) -> None:
    assert parse_method(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("get", "did you mean GET?", id="small letters"),
        pytest.param("Post", "did you mean POST?", id="one small letter"),
        pytest.param("CONNECT", "name what is inside", id="the tunnel itself"),
        pytest.param("*", "not a method", id="star"),
        pytest.param("", "not a method", id="empty"),
        pytest.param("GET POST", "not a method", id="two"),
        pytest.param("GET\n", "not a method", id="newline"),
        pytest.param("GÉT", "not a method", id="outside ASCII"),
    ],
)
def test_what_is_no_method(text: str, says: str) -> None:
    with pytest.raises(InvalidRule, match=says):
        parse_method(text)


@pytest.mark.parametrize(
    "text", ["/", "/v1/**", "/a/*/c", "/a%20b", "/a:b@c", "/~user", "/v1/", "/%C3%BC", "/a%2Ab"]
)
def test_paths(text: str) -> None:
    assert parse_path(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "begins with /", id="empty"),
        pytest.param("v1/**", "begins with /", id="no slash"),
        pytest.param("**", "begins with /", id="stars alone"),
        pytest.param("https://example.org/v1", "begins with /", id="a URL"),
        pytest.param("//v1", "empty segment", id="two slashes first"),
        pytest.param("/v1//a", "empty segment", id="two slashes"),
        pytest.param("/v1/../a", r"\. or \.\. segment", id="up"),
        pytest.param("/v1/..", r"\. or \.\. segment", id="up at the end"),
        pytest.param("/./v1", r"\. or \.\. segment", id="here"),
        pytest.param("/v1/..;x/a", r"\. or \.\. segment", id="up with a parameter"),
        pytest.param("/v1/%2e%2e/a", r"\. or \.\. segment", id="up, encoded"),
        pytest.param("/v1?x=1", "has a query", id="query"),
        pytest.param("/v1#top", "has a fragment", id="fragment"),
        pytest.param("/v1%2Fa", "hides '/'", id="encoded slash"),
        pytest.param("/v1%5ca", "hides", id="encoded backslash"),
        pytest.param("/v1%00", "hides", id="NUL"),
        pytest.param("/v1%252e", "hides '%'", id="encoded twice"),
        pytest.param("/v1%3bx", "hides ';'", id="encoded parameter"),
        pytest.param("/v1\\a", "which no path may", id="backslash"),
        pytest.param("/a b", "which no path may", id="space"),
        pytest.param("/a\n", "which no path may", id="newline"),
        pytest.param("/ü", "sent as %C3%BC", id="outside ASCII"),
        pytest.param("/a%", "encodes nothing", id="percent alone"),
        pytest.param("/a%zz", "encodes nothing", id="percent and no hex"),
        pytest.param("/%7euser", "did you mean /~user?", id="needlessly encoded"),
        pytest.param("/%c3%bc", "did you mean /%C3%BC?", id="hex in small letters"),
        pytest.param("/**/raw", "only as the last segment", id="stars in the middle"),
        pytest.param("/v1**", "only as the last segment", id="stars in a segment"),
        pytest.param("/v1/a**", "only as the last segment", id="stars at the end of one"),
        pytest.param("/**/**", "only as the last segment", id="stars twice"),
        pytest.param("/***", "only as the last segment", id="three stars"),
    ],
)
def test_what_is_no_path(text: str, says: str) -> None:
    with pytest.raises(InvalidRule, match=says):
        parse_path(text)


@given(st.from_regex(r"/[a-z./%;*~2e5Fc3]{0,20}", fullmatch=True) | st.text("/.%2eE;a", max_size=9))
@example("/%2e%2e/")
def test_a_path_has_one_spelling_or_none(text: str) -> None:
    try:
        path = canonical_path(text)
    except InvalidDestination:
        return
    assert canonical_path(path) == path
    assert not {".", ".."} & set(path.split("/"))
    assert "//" not in path


@given(st.from_regex(r"/[a-z*/]{0,12}", fullmatch=True), st.from_regex(r"/[a-z/]{0,12}"))
def test_a_glob_without_stars_is_one_path(glob: str, path: str) -> None:
    try:
        condition = Condition(paths=(parse_path(glob),))
        asked = canonical_path(path)
    except (InvalidRule, InvalidDestination):
        return
    if "*" not in glob:
        assert condition.matches("GET", asked, {}) is (glob == asked)
    assert condition.matches("GET", glob.replace("*", "x"), {})


def test_names_of_fields_are_in_small_letters() -> None:
    assert parse_header_name("X-Team") == "x-team"


@pytest.mark.parametrize("text", ["", "x team", ":authority", "x-team:", "ü", "x\n"], ids=repr)
def test_what_is_no_field_name(text: str) -> None:
    with pytest.raises(InvalidRule, match="not a field name"):
        parse_header_name(text)


@pytest.mark.parametrize("text", ["Authorization", "cookie", "proxy-authorization"])
def test_no_rule_holds_a_secret(text: str) -> None:
    """Clients are told the rule that refuses them, and the journal keeps it."""
    with pytest.raises(InvalidRule, match="secret"):
        parse_header_name(text)


@pytest.mark.parametrize("text", ["", " a", "a ", "a\tb", "a\r\nb", "ü"], ids=repr)
def test_what_is_no_field_value(text: str) -> None:
    with pytest.raises(InvalidRule, match="not a field value"):
        parse_header_value(text)


def test_a_client_does_not_make_matching_slow() -> None:
    condition = Condition(paths=(parse_path("/" + "*a" * 20 + "*b"),))
    start = time.thread_time()
    assert not condition.matches("GET", "/" + "a" * 4000, {})
    assert time.thread_time() - start < 2, "or years"
