"""Words for what is wrong with a settings file: `file:line:column key: what, did you mean …`.

Turns pydantic's findings into lines of ours, in the order of the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netproxy.policy.document import SECTIONS
from netproxy.policy.hosts import shown
from netproxy.policy.spelling import nearest

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from netproxy.policy.toml_places import Path, Places

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NEEDS_INSPECTION = frozenset({"methods", "paths", "headers"})
_WORDS = {
    "missing": "is missing",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "too_short": "must not be empty",
}


def lines(name: str, places: Places, error: ValidationError) -> tuple[str, ...]:
    """Word every finding, in the order in which the file has them."""
    details = error.errors(include_url=False)
    ordered = sorted(details, key=lambda detail: places.find(_path(detail)))
    worded = [line(name, places, _path(detail), _what(detail)) for detail in ordered]
    return tuple(dict.fromkeys(worded))


def line(name: str, places: Places, path: Path, what: str) -> str:
    """Put a problem in the form that editors and people read."""
    place = places.find(path)
    return f"{name}:{place.line}:{place.column} {_key(path)}: {what}"


def _path(detail: ErrorDetails) -> Path:
    """Drop what pydantic adds to a path that is not in the file."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def _key(path: Path) -> str:
    """Write a path as `profiles.dev.network.allow[3]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part if _BARE_KEY.fullmatch(part) else shown(part)}"
    return text.removeprefix(".")


def _what(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(_path(detail))
        case "literal_error":
            return _not_one_of(detail)
        case kind if kind in _WORDS:
            return _WORDS[kind]
        case _:
            return detail["msg"].replace("Input should", "must").replace(" valid ", " ")


def _unknown_key(path: Path) -> str:
    key = str(path[-1])
    known = _known_keys(path[:-1])
    if key in _NEEDS_INSPECTION and "verdict" in known:
        return "needs inspection of the request, which this version does not have"
    return f"unknown key{nearest(key, known)}"


def _known_keys(section: Path) -> list[str]:
    return [
        key
        for pattern, model in SECTIONS.items()
        if len(pattern) == len(section)
        and all(wanted in ("*", part) for wanted, part in zip(pattern, section, strict=True))
        for key in model.model_fields
    ]


def _not_one_of(detail: ErrorDetails) -> str:
    allowed = re.findall(r"'([^']*)'", detail.get("ctx", {}).get("expected", ""))
    given = detail["input"]
    if not isinstance(given, str):
        return f"must be one of {', '.join(allowed)}"
    return f"{shown(given)} is not one of {', '.join(allowed)}{nearest(given, allowed)}"
