"""A model that is imported late finds what it would find in its place, and is told of alike."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from netproxy.policy.fields import Strict
from netproxy.policy.later import Later
from netproxy.policy.schema import _tidied as tidied


class Inner(Strict):
    """What stands inside."""

    number: int = Field(ge=1, description="a number")


made: list[str] = []


def inner() -> type[BaseModel]:
    made.append("Inner")
    return Inner


class AtOnce(Strict):
    """With the model itself."""

    one: Inner | None = None
    many: list[Inner] = Field(default_factory=list)
    named: dict[str, Inner] = Field(default_factory=dict)


class Afterwards(Strict):
    """With the same, later."""

    one: Annotated[Any, Later(inner)] | None = None
    many: list[Annotated[Any, Later(inner)]] = Field(default_factory=list)
    named: dict[str, Annotated[Any, Later(inner)]] = Field(default_factory=dict)


@pytest.mark.parametrize(
    "raw",
    [
        {"one": {"number": 0}},
        {"one": {"number": "1"}},
        {"one": {"other": 1}},
        {"one": 3},
        {"many": [{"number": 1}, {"number": -1, "more": 2}]},
        {"named": {"a": [], "b": {}}},
    ],
)
def test_what_is_wrong_is_found_in_its_place(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as expected:
        AtOnce.model_validate(raw)
    with pytest.raises(ValidationError) as error:
        Afterwards.model_validate(raw)
    assert error.value.errors(include_url=False) == expected.value.errors(include_url=False)


def test_what_fits_is_the_model_itself() -> None:
    raw = {"one": {"number": 1}, "many": [{"number": 2}], "named": {"a": {"number": 3}}}
    found = Afterwards.model_validate(raw)
    assert isinstance(found.one, Inner)
    assert dict(found) == dict(AtOnce.model_validate(raw))


def test_nobody_makes_it_for_a_file_that_has_no_such_table() -> None:
    made.clear()
    assert Afterwards.model_validate({"many": []}).one is None
    assert not made
    Afterwards.model_validate({"one": {"number": 1}})
    assert made


def test_editors_are_told_the_same() -> None:
    told = tidied(Afterwards.model_json_schema())
    assert told == tidied(AtOnce.model_json_schema()) | {"description": told["description"]}
