"""Words for what is wrong with a settings file: `file:line:column key: what, did you mean …`.

Turns pydantic's findings into lines of ours. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from netproxy.policy.hosts import shown
from netproxy.policy.later import Later
from netproxy.policy.spelling import nearest
from netproxy.policy.toml_text import key_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from netproxy.policy.toml_places import Path, Places

_WORDS = {
    "missing": "is missing",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "bool_type": "must be true or false",
    "too_short": "must not be empty",
    "int_type": "must be a whole number",
}


def found(error: ValidationError, model: type[BaseModel]) -> list[tuple[Path, str]]:
    """Word every finding, with the key that it is about."""
    return [
        (path, _what(detail, path, model))
        for detail in error.errors(include_url=False)
        for path in (_path(detail),)
    ]


def line(name: str, places: Places, path: Path, what: str) -> str:
    """Put a problem in the form that editors and people read."""
    place = places.find(path)
    return f"{name}:{place.line}:{place.column} {key_path(path)}: {what}"


def _path(detail: ErrorDetails) -> Path:
    """Drop what pydantic adds to a path that is not in the file."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def _what(detail: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key{nearest(str(path[-1]), _keys(model, path[:-1]))}"
        case "literal_error":
            return _not_one_of(detail)
        case kind if kind in _WORDS:
            return _WORDS[kind]
        case _:
            return detail["msg"].replace("Input should", "must").replace(" valid ", " ")


def _keys(model: type[BaseModel], section: Path) -> list[str]:
    """Return the keys that a section may have."""
    tables = [model]
    for part in section:
        # A name or an index chooses between tables of one kind.
        kinds = [
            table.model_fields[str(part)].annotation
            for table in tables
            if part in table.model_fields
        ]
        if kinds:
            tables = [table for kind in kinds for table in _tables(kind)]
    return [key for table in tables for key in table.model_fields]


def _tables(kind: Any) -> Iterator[type[BaseModel]]:
    """Yield the tables inside a type: of `dict[str, Profile]`, or of `list[RuleTable] | None`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    if isinstance(kind, Later):
        yield kind.model()
    for inner in get_args(kind):
        yield from _tables(inner)


def _not_one_of(detail: ErrorDetails) -> str:
    allowed = re.findall(r"'([^']*)'", detail.get("ctx", {}).get("expected", ""))
    given = detail["input"]
    if not isinstance(given, str):
        return f"must be one of {', '.join(allowed)}"
    return f"{shown(given)} is not one of {', '.join(allowed)}{nearest(given, allowed)}"
