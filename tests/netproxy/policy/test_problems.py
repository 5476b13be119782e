"""How problems read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from netproxy.policy import problems
from netproxy.policy.later import Later
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


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: Literal["red", "green"] | None = None


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    one: Inner = Inner()
    many: list[Inner] | None = None
    named: dict[str, Inner] | None = None
    late: Annotated[Any, Later(lambda: Inner)] | None = None
    late_ones: list[Annotated[Any, Later(lambda: Inner)]] | None = None
    count: int = 0


@pytest.mark.parametrize(
    ("raw", "path", "what"),
    [
        ({"oen": {}}, ("oen",), "unknown key, did you mean one?"),
        ({"one": {"color": 1}}, ("one", "color"), "unknown key, did you mean colour?"),
        ({"many": [{"color": 1}]}, ("many", 0, "color"), "unknown key, did you mean colour?"),
        ({"named": {"count": {"color": 1}}}, ("named", "count", "color"), "unknown key, did you"),
        ({"late": {"color": 1}}, ("late", "color"), "unknown key, did you mean colour?"),
        ({"late_ones": [{"color": 1}]}, ("late_ones", 0, "color"), "unknown key, did you mean col"),
        ({"late": 3}, ("late",), "must be a table"),
        ({"zzz": 1}, ("zzz",), "unknown key"),
        ({"one": {"colour": "rad"}}, ("one", "colour"), "'rad' is not one of red, green, did you"),
        ({"one": {"colour": 3}}, ("one", "colour"), "must be one of red, green"),
        ({"one": 3}, ("one",), "must be a table"),
        ({"many": {}}, ("many",), "must be a list"),
        ({"count": "3"}, ("count",), "must be a whole number"),
    ],
)
def test_what_pydantic_finds_in_our_words(raw: dict[str, Any], path: Path, what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(raw)
    ((found_path, found_what),) = problems.found(caught.value, Outer)
    assert found_path == path
    assert found_what.startswith(what)
