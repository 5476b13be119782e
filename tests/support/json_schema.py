"""As much of a JSON Schema validator (draft 2020-12) as our own schemas need, and no more.

A keyword that it does not know is an error of the test, not of the file.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOTES = {"$schema", "$defs", "title", "description", "format"}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str, dt.date, dt.time),  # what TOML has a type for, JSON writes as text
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _is_of(value: Any, kinds: str | list[str]) -> bool:
    wanted = [kinds] if isinstance(kinds, str) else kinds
    return any(
        isinstance(value, _TYPES[kind]) and (kind == "boolean") is isinstance(value, bool)
        for kind in wanted
    )


# Keyword: the kind of value that it is about, and what has to hold.
_CHECKS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "type": ("any", _is_of),
    "enum": ("any", lambda value, wanted: value in wanted),
    "const": ("any", lambda value, wanted: value == wanted),
    "pattern": ("string", lambda value, wanted: re.search(wanted, value) is not None),
    "minLength": ("string", lambda value, wanted: len(value) >= wanted),
    "maxLength": ("string", lambda value, wanted: len(value) <= wanted),
    "minItems": ("array", lambda value, wanted: len(value) >= wanted),
    "maxItems": ("array", lambda value, wanted: len(value) <= wanted),
    "minProperties": ("object", lambda value, wanted: len(value) >= wanted),
    "required": ("object", lambda value, wanted: set(wanted) <= set(value)),
    "minimum": ("number", lambda value, wanted: value >= wanted),
    "maximum": ("number", lambda value, wanted: value <= wanted),
    "exclusiveMinimum": ("number", lambda value, wanted: value > wanted),
}


def faults(value: Any, schema: dict[str, Any]) -> list[str]:
    """What an editor would underline, as `path: keyword`."""
    return list(_Validator(schema).faults(value, schema, "$"))


@dataclass(frozen=True)
class _Validator:
    root: dict[str, Any]

    def faults(self, value: Any, node: dict[str, Any], path: str) -> Iterator[str]:
        for keyword in node.keys() - _NOTES - {"patternProperties", "additionalProperties"}:
            wanted = node[keyword]
            if keyword in _CHECKS:
                kind, holds = _CHECKS[keyword]
                if (kind == "any" or _is_of(value, kind)) and not holds(value, wanted):
                    yield f"{path}: {keyword}"
            else:
                yield from self._inside(value, keyword, wanted, path)
        if isinstance(value, dict):
            yield from self._members(value, node, path)

    def _inside(self, value: Any, keyword: str, wanted: Any, path: str) -> Iterator[str]:
        match keyword:
            case "$ref":
                name = wanted.removeprefix("#/$defs/")
                yield from self.faults(value, self.root["$defs"][name], path)
            case "anyOf":
                if all(list(self.faults(value, each, path)) for each in wanted):
                    yield f"{path}: {keyword}"
            case "items":
                for index, item in enumerate(value if isinstance(value, list) else ()):
                    yield from self.faults(item, wanted, f"{path}[{index}]")
            case "propertyNames":
                for key in value if isinstance(value, dict) else ():
                    yield from self.faults(key, wanted, f"{path}.{key}")
            case _:
                assert keyword == "properties", f"{path}: what is {keyword}?"

    def _members(self, value: dict[str, Any], node: dict[str, Any], path: str) -> Iterator[str]:
        for key, item in value.items():
            about = [
                each
                for pattern, each in node.get("patternProperties", {}).items()
                if re.search(pattern, key)
            ]
            if key in node.get("properties", {}):
                about.append(node["properties"][key])
            other = node.get("additionalProperties", {})
            if not about and other is False:
                yield f"{path}.{key}: additionalProperties"
            for each in about or [other or {}]:
                yield from self.faults(item, each, f"{path}.{key}")
