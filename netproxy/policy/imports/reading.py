"""Their files as plain values with the line of each: JSON, TOML and a plain subset of YAML.

A file may be hostile. Its size and depth are bounded, a key that stands twice is refused, and YAML
has neither anchors nor tags here: no list of hosts needs them, and both hide what is meant. What a
value means is the business of the tool's own reader.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netproxy.errors import InvalidSettings
from netproxy.policy.hosts import shown
from netproxy.policy.toml_text import key_path
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]

# Some 30,000 hosts; the YAML reader takes about five seconds for it.
LIMIT_BYTES = 1024 * 1024
# Their deepest value stands six levels down.
_DEPTH = 24

_JSON_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TOML_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that was read, asked for what it holds. Wrong types raise `InvalidSettings`."""

    name: str
    value: Any
    lines: Mapping[Path, int]

    def problem(self, path: Path, what: str) -> InvalidSettings:
        """Word a problem with its line."""
        where = f"{self.name}:{self.line(path)}"
        return InvalidSettings(
            (f"{where} {key_path(path)}: {what}" if path else f"{where} {what}",)
        )

    def line(self, path: Path) -> int:
        """Return where a value stands; for one that is missing, where its section does."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def find(self, path: Path) -> Any:
        """Return the value, None where there is none."""
        found = self.value
        for depth, part in enumerate(path):
            if isinstance(part, int):
                found = found[part]
            elif found is None:
                return None
            elif not isinstance(found, dict):
                raise self.problem(path[:depth], "must be a table of keys and values")
            else:
                found = found.get(part)
        return found

    def table(self, *path: str | int) -> dict[str, Any]:
        """Return a table, empty where there is none."""
        found = self.find(path)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise self.problem(path, "must be a table of keys and values")
        return found

    def items(self, *path: str | int) -> list[Path]:
        """Return the path of each item of a list, none where there is none."""
        found = self.find(path)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self.problem(path, "must be a list")
        return [(*path, index) for index in range(len(found))]

    def texts(self, *path: str | int) -> list[tuple[str, int]]:
        """Return a list of texts with their lines, empty where there is none."""
        return [(self._required(item), self.line(item)) for item in self.items(*path)]

    def text(self, *path: str | int) -> str | None:
        """Return a text, None where there is none."""
        return None if self.find(path) is None else self._required(path)

    def flag(self, *path: str | int) -> bool | None:
        """Return true or false, None where there is neither."""
        found = self.find(path)
        if found is not None and not isinstance(found, bool):
            raise self.problem(path, "must be true or false")
        return found

    def _required(self, path: Path) -> str:
        found = self.find(path)
        if not isinstance(found, str):
            raise self.problem(path, "must be text")
        return found


def read_json(text: str, name: str) -> Source:
    """Read JSON. Raises `InvalidSettings` with one line."""
    import json

    _check_size(text, name)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"{error.msg[0].lower()}{error.msg[1:]}"
        raise InvalidSettings((f"{name}:{error.lineno} is not JSON: {what}",)) from None
    except RecursionError:
        raise InvalidSettings((f"{name}:1 is nested too deeply",)) from None
    except ValueError as error:  # a number of thousands of digits
        raise InvalidSettings((f"{name}:1 is not JSON: {error}",)) from None
    return Source(name=name, value=value, lines=_json_lines(text, name))


def read_toml(text: str, name: str) -> Source:
    """Read TOML. Raises `InvalidSettings` with one line."""
    import tomllib

    from netproxy.policy.toml_places import Places

    _check_size(text, name)
    try:
        value = tomllib.loads(text)
        places = Places(text)
    except tomllib.TOMLDecodeError as error:
        what = str(error)
        place = _TOML_PLACE.search(what)
        line = int(place[1]) if place else text.count("\n") + 1
        plain = what[: place.start()] if place else what
        problem = f"{name}:{line} is not TOML: {plain[0].lower()}{plain[1:]}"
        raise InvalidSettings((problem,)) from None
    except RecursionError:
        raise InvalidSettings((f"{name}:1 is nested too deeply",)) from None
    except ValueError as error:
        raise InvalidSettings((f"{name}:1 is not TOML: {error}",)) from None
    return Source(name=name, value=value, lines=_TomlLines(places))


def read_yaml(text: str, name: str) -> Source:
    """Read the plain subset of YAML: tables, lists and texts. Raises `InvalidSettings`."""
    _check_size(text, name)
    return _Yaml(name).read(text)


def _check_size(text: str, name: str) -> None:
    if len(text) > LIMIT_BYTES:
        raise InvalidSettings((f"{name}:1 is longer than {LIMIT_BYTES} characters",))


class _TomlLines(dict[Path, int]):
    """The lines of a TOML document, looked up where they are asked for."""

    def __init__(self, places: Any) -> None:
        super().__init__()
        self._places = places

    def __contains__(self, _path: object) -> bool:
        return True  # Places goes up by itself

    def get(self, path: Path, _default: object = None) -> Any:
        return self._places.find(path).line


class _Open:
    """A JSON container that is not closed yet."""

    __slots__ = ("is_object", "key", "path")

    def __init__(self, path: Path, *, is_object: bool) -> None:
        self.path = path
        self.is_object = is_object
        self.key: str | int | None = None if is_object else 0


def _json_lines(text: str, name: str) -> dict[Path, int]:
    """Find the line of each key and item. The text is JSON already: structure is followed."""
    import json

    lines: dict[Path, int] = {(): 1}
    line, seen = 1, 0
    containers: list[_Open] = []
    for match in _JSON_MARK.finditer(text):
        line += text.count("\n", seen, match.start())
        seen = match.start()
        mark, top = match[0], containers[-1] if containers else None
        if mark in "}]":
            containers.pop()
        elif mark == ",":
            assert top is not None, "a comma stands in a container"
            top.key = top.key + 1 if isinstance(top.key, int) else None
        elif mark == ":":
            continue
        elif top is not None and top.is_object and top.key is None:
            top.key = json.loads(mark)
            path = (*top.path, top.key)
            if path in lines:
                raise InvalidSettings((f"{name}:{line} {key_path(path)}: stands here twice",))
            lines[path] = line
        else:
            path = () if top is None or top.key is None else (*top.path, top.key)
            lines.setdefault(path, line)
            if mark in "{[":
                containers.append(_Open(path, is_object=mark == "{"))
    return lines


class _Yaml:
    """Builds a value from the parser's events, and refuses what it does not need."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: dict[Path, int] = {}

    def read(self, text: str) -> Source:
        """Read the one document that a file holds."""
        from io import StringIO

        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        if directive := _DIRECTIVE.search(text):
            line = text.count("\n", 0, directive.start()) + 1
            raise InvalidSettings((f"{self._name}:{line} directives are not read",))
        # Pure: the other reader is C code that nobody here has to trust.
        events = YAML(typ="safe", pure=True).parse(StringIO(text))
        try:
            value = self._document(events)
        except YAMLError as error:
            raise self._unreadable(error) from None
        except ValueError as error:  # an escape beyond Unicode
            raise InvalidSettings((f"{self._name}:1 is not YAML: {error}",)) from None
        return Source(name=self._name, value=value, lines=self._lines)

    def _document(self, events: Iterator[Any]) -> Any:
        value = None
        documents = 0
        for event in events:
            if self._kind(event) in {"StreamStart", "StreamEnd", "DocumentEnd"}:
                continue
            if self._kind(event) == "DocumentStart":
                documents += 1
                if documents > 1:
                    raise self._refusal(event, (), "a second document, the file holds one")
                continue
            value = self._value(event, events, ())
        return value

    def _value(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        self._lines.setdefault(path, event.start_mark.line + 1)
        if len(path) > _DEPTH:
            raise self._refusal(event, (), "is nested too deeply")
        if event.anchor is not None:
            raise self._refusal(event, path, "anchors and aliases are not read, write it out")
        if event.tag is not None:
            raise self._refusal(event, path, f"the tag {shown(str(event.tag))} is not read")
        match self._kind(event):
            case "Scalar":
                is_null = event.style is None and event.value in _NULLS
                return None if is_null else event.value
            case "SequenceStart":
                return self._list(events, path)
            case _:
                return self._table(events, path)

    def _list(self, events: Iterator[Any], path: Path) -> list[Any]:
        found: list[Any] = []
        while self._kind(event := next(events)) != "SequenceEnd":
            found.append(self._value(event, events, (*path, len(found))))
        return found

    def _table(self, events: Iterator[Any], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._kind(event := next(events)) != "MappingEnd":
            if self._kind(event) != "Scalar":
                raise self._refusal(event, path, "a key must be text")
            key = event.value
            if key in found:
                raise self._refusal(event, (*path, key), "stands here twice")
            if key == "<<":
                raise self._refusal(event, path, "merge keys are not read, write it out")
            self._lines[(*path, key)] = event.start_mark.line + 1
            self._check_key(event, path)
            found[key] = self._value(next(events), events, (*path, key))
        return found

    def _check_key(self, event: Any, path: Path) -> None:
        if event.anchor is not None or event.tag is not None:
            raise self._refusal(event, path, "a key has neither anchor nor tag")

    def _refusal(self, event: Any, path: Path, what: str) -> InvalidSettings:
        key = f" {key_path(path)}:" if path else ""
        return InvalidSettings((f"{self._name}:{event.start_mark.line + 1}{key} {what}",))

    def _unreadable(self, error: Any) -> InvalidSettings:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        return InvalidSettings((f"{self._name}:{line} is not YAML: {what}",))

    @staticmethod
    def _kind(event: Any) -> str:
        return type(event).__name__.removesuffix("Event")
