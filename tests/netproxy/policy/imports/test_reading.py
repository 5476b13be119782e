"""Their files become values with lines; a hostile one is one clear line, and costs little."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import InvalidSettings
from netproxy.policy.imports.reading import LIMIT_BYTES, read_json, read_toml, read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.policy.imports.reading import Source

READERS = {"json": read_json, "toml": read_toml, "yaml": read_yaml}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)

_keys = st.text(max_size=5)
# Beyond them JSON writes surrogates, which YAML has no word for.
_bmp = st.text(alphabet=st.characters(max_codepoint=0xD7FF), max_size=8)
_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=10,
)


def problems(read: Callable[[str, str], Source], text: str) -> tuple[str, ...]:
    """No line where the text is read."""
    try:
        read(text, "file")
    except InvalidSettings as error:
        return error.problems
    return ()


def problem(read: Callable[[str, str], Source], text: str) -> str:
    (line,) = problems(read, text)
    return line


@given(value=_values, indent=st.none() | st.just(2))
def test_json_is_read_as_it_is(value: Any, indent: int | None) -> None:
    source = read_json(json.dumps(value, indent=indent), "file")
    assert source.value == value


@given(value=st.dictionaries(_keys, st.dictionaries(_keys, st.just(1)), min_size=1))
def test_json_lines(value: dict[str, dict[str, int]]) -> None:
    """One key a line: the line of each can be counted."""
    text = json.dumps(value, indent=1)
    source = read_json(text, "file")
    rows = text.split("\n")
    for key, inner in value.items():
        assert rows[source.line((key,)) - 1].startswith(f" {json.dumps(key)}:")
        for name in inner:
            assert rows[source.line((key, name)) - 1].startswith(f"  {json.dumps(name)}:")


@given(value=st.dictionaries(_bmp, st.lists(_bmp), max_size=4))
def test_yaml_reads_json_alike(value: dict[str, list[str]]) -> None:
    text = json.dumps(value)
    if "<<" not in value:
        assert read_yaml(text, "file").value == read_json(text, "file").value


@readers
@given(text=st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(
    read: Callable[[str, str], Source], text: str
) -> None:
    assert [line[:5] for line in problems(read, text)] in ([], ["file:"])


@given(text=st.text(alphabet="ab:-[]{}\"'&*!<> \n\t,?|>%@#0", max_size=30))
def test_any_yaml_is_read_or_refused(text: str) -> None:
    assert [line[:5] for line in problems(read_yaml, text)] in ([], ["file:"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n "a": 2}', "file:2 a: stands here twice"),
        ('{"a": {"b": 1,\n "b": 2}}', "file:2 a.b: stands here twice"),
        ('{"a": }', "file:1 is not JSON: expecting value"),
        ("[" * 100_000, "file:1 is nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "file:1 is not JSON: Exceeds the limit"),
        ("", "file:1 is not JSON: expecting value"),
    ],
)
def test_hostile_json(text: str, said: str) -> None:
    assert problem(read_json, text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\na = 2", "file:2 is not TOML: cannot overwrite a value"),
        ("a = " + "[" * 100_000, "file:1 is nested too deeply"),
        ("a = " + "9" * 5000, "file:1 is not TOML: Exceeds the limit"),
        ("a = [\n1", "file:2 is not TOML: unclosed array"),
    ],
)
def test_hostile_toml(text: str, said: str) -> None:
    assert problem(read_toml, text).startswith(said)


LAUGHS = 'a: &a ["lol", "lol"]\n' + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "file:1 a: anchors and aliases are not read, write it out"),
        ("a: 1\nb: *x", "file:2 b: anchors and aliases are not read, write it out"),
        ("&k a: 1", "file:1 a key has neither anchor nor tag"),
        ("!k a: 1", "file:1 a key has neither anchor nor tag"),
        (
            "a: !!python/object/apply:os.system [id]",
            "file:1 a: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not read",
        ),
        ("a: 1\na: 2", "file:2 a: stands here twice"),
        ("a:\n  <<: {b: 1}", "file:2 a: merge keys are not read, write it out"),
        ("? [x]\n: y", "file:1 a key must be text"),
        ("a: 1\n---\nb: 2", "file:2 a second document, the file holds one"),
        ("a: [1\nb: }", "file:2 is not YAML: expected ',' or ']', but got ':'"),
        ("%YAML 1.9\n--- a", "file:1 directives are not read"),
        ('a: "\\UFFFFFFFF"', "file:1 is not YAML: chr() arg not in range"),
        ("a: \x00", "file:1 is not YAML: unacceptable character"),
        ("[" * 2_000, "file:1 is nested too deeply"),
        pytest.param("[" * 100_000, "file:1 is nested too deeply", marks=pytest.mark.unmeasured),
        pytest.param(
            "- " * 100_000 + "x", "file:1 is nested too deeply", marks=pytest.mark.unmeasured
        ),
    ],
)
def test_hostile_yaml(text: str, said: str) -> None:
    began = time.process_time()
    assert problem(read_yaml, text).startswith(said)
    assert time.process_time() - began < 10, "or for ever"


@readers
def test_a_huge_file_is_not_looked_at(read: Callable[[str, str], Source]) -> None:
    assert problem(read, "x" * (LIMIT_BYTES + 1)) == "file:1 is longer than 1048576 characters"


def test_what_is_missing_is_empty() -> None:
    source = read_json('{"a": null}', "file")
    assert source.table("b", "c") == {}
    assert source.items("a") == []
    assert source.texts("b") == []
    assert source.text("a") is None
    assert source.flag("a") is None
    assert source.line(("b", 0, "c")) == 1


def test_yaml_has_texts_only() -> None:
    source = read_yaml("a: true\nb: 1.20\nc: ~\nd:\ne: 'null'\nf: [x, y]", "file")
    assert source.value == {
        "a": "true", "b": "1.20", "c": None, "d": None, "e": "null", "f": ["x", "y"],
    }  # fmt: skip
    assert [source.line((key,)) for key in "abcdef"] == [1, 2, 3, 4, 5, 6]
    assert source.text("b") == "1.20"


def test_a_strange_key_is_quoted_in_a_problem() -> None:
    source = read_json('{"a b": {"\\u001b": 1}}', "file")
    with pytest.raises(InvalidSettings, match=r"^file:1 'a b'\.'\\x1b': must be text$"):
        source.text("a b", "\x1b")
