"""Every key and array item of a TOML document is found where an editor shows it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.policy.toml_places import Path, Places

DOCUMENT = r'''# a comment with [brackets] and "quotes"
first = 1   # after a value
"quoted.key" = "a # b"
a.b . c = 2
text = """
[not.a.table]
x = 1 \""" still inside ""\""""
literal = @@@
y = 2@@@
when = 1979-05-27 07:32:00
list = [ "x", # one
  [1, 2], { k = "v", "l.m" = [true] } ]

[table]
inner = {}
[table.sub]
deep = -1.5e3
  [[items]]
  name = "one"
[items.detail]
size = 1
[[items]]
name = "two"
[[items.parts]]
part = 1
[[items.parts]]
part = 2
'''.replace("@@@", "'''")


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("first",), 2, 1),
        (("quoted.key",), 3, 1),
        (("a", "b", "c"), 4, 1),
        (("text",), 5, 1),
        (("literal",), 8, 1),
        (("when",), 10, 1),
        (("list",), 11, 1),
        (("list", 0), 11, 10),
        (("list", 1), 12, 3),
        (("list", 1, 1), 12, 7),
        (("list", 2, "k"), 12, 13),
        (("list", 2, "l.m", 0), 12, 31),
        (("table",), 14, 1),
        (("table", "inner"), 15, 1),
        (("table", "sub", "deep"), 17, 1),
        (("items", 0), 18, 3),
        (("items", 0, "name"), 19, 3),
        (("items", 0, "detail", "size"), 21, 1),
        (("items", 1, "name"), 23, 1),
        (("items", 1, "parts", 0, "part"), 25, 1),
        (("items", 1, "parts", 1, "part"), 27, 1),
        # What has no line of its own stands where it is first spoken of.
        (("a",), 4, 1),
        (("a", "b"), 4, 1),
        (("items",), 18, 3),
        (("items", 1, "parts"), 24, 1),
    ],
    ids=str,
)
def test_found(path: Path, line: int, column: int) -> None:
    assert Places(DOCUMENT).find(path) == (line, column)


def test_a_missing_key_is_where_its_section_is() -> None:
    assert Places(DOCUMENT).find(("items", 1, "missing", "deeper")) == (22, 1)
    assert Places(DOCUMENT).find(("nowhere",)) == (1, 1)
    assert Places("").find(("nowhere",)) == (1, 1)


def test_a_section_that_comes_after_a_part_of_it_is_where_it_is_itself() -> None:
    assert Places("[a.b]\nc = 1\n[a]\nd = 2\n").find(("a", "missing")) == (3, 1)


def test_windows_line_ends() -> None:
    assert Places("a = 1\r\nb = 2\r\n").find(("b",)) == (2, 1)


values = st.recursive(
    st.sampled_from(['"x"', "'y]'", "1", "true", '"""m\n"""', "1979-05-27", '"a\\"b"']),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ",\n ".join(items) + "]")
        | st.lists(inner, max_size=2).map(
            lambda items: "{" + ", ".join(f"k{n} = {item}" for n, item in enumerate(items)) + "}"
        )
    ),
    max_leaves=6,
)


@given(st.lists(values, max_size=4))
def test_every_path_that_tomllib_sees_has_a_place_of_its_own(items: list[str]) -> None:
    text = "".join(f"key{number} = {item}\n" for number, item in enumerate(items))
    places = Places(text)
    for path in paths(tomllib.loads(text)):
        line, column = places.find(path)
        rest = "\n".join([text.split("\n")[line - 1][column - 1 :], *text.split("\n")[line:]])
        if isinstance(path[-1], str):
            assert rest.startswith(f"{path[-1]} =")
        else:
            assert rest[0] in "\"'1t[{"


def paths(value: Any, path: Path = ()) -> list[Path]:
    found = [path] if path else []
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in inside:
        found += paths(item, (*path, key))
    return found


def test_the_items_of_a_list_come_all_at_once() -> None:
    found = Places(DOCUMENT)
    assert found.items(("list",)) == [found.find(("list", index)) for index in range(3)]
    assert found.items(("items",)) == []
    assert found.items(("nowhere",)) == []


@pytest.mark.parametrize(
    "text",
    ["['a','b']", "['a', # b\n'b']", "[\n'a' ,\n 'b' , ]", '[\'a\', """b"""]', "['','']"],
)
def test_every_way_to_write_a_list_of_texts(text: str) -> None:
    document = f"key = {text}"
    first, second = Places(document).items(("key",))
    lines = document.split("\n")
    assert lines[first.line - 1][first.column - 1] == "'"
    assert lines[second.line - 1][second.column - 1] in "'\""
    assert first < second
    assert Places(document).find(("key", 2)) == (1, 1)
