"""Reads one TOML file into a model, and remembers where everything in it stands.

Collects problems instead of stopping at the first. Used for each kind of file; what a kind holds
is its model's business, what the values mean its loader's. Text goes in, no file is opened.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from netproxy.errors import InvalidRule, InvalidSettings
from netproxy.model import OnDenial, Protocol
from netproxy.policy import problems
from netproxy.policy.bundles import expand, is_reference
from netproxy.policy.conditions import Condition
from netproxy.policy.hosts import shown
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.rules import DEFAULT_PORTS, Effect, Rule, parse_rule
from netproxy.policy.toml_places import Path, Place, Places
from netproxy.policy.toml_text import key_path
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netproxy.policy.bundles import Bundle
    from netproxy.policy.fields import RuleTable

# A hundred thousand rules take 4 MB. Reading more keeps a start waiting, or is no policy.
FILE_LIMIT = 32 * 1024 * 1024
_SYNTAX_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")

# tomllib's words for a table, "('profiles', 'dev')".
_TABLE_TWICE = re.compile(r"Cannot declare \((.*)\) twice")
_QUOTED = re.compile(r"'([^']*)'")


def decoded(content: bytes, name: str) -> str:
    """Turn a file's bytes into text. Raises `InvalidSettings`."""
    if len(content) > FILE_LIMIT:
        raise InvalidSettings((f"{name}:1:1 is larger than {FILE_LIMIT >> 20} MiB",))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise InvalidSettings((f"{name}:{line}:{column} is not UTF-8 text",)) from None


class Reading:
    """One file while it is read. What is wrong with it is raised by `finish`, all at once."""

    def __init__(self, text: str, name: str, layer: Layer) -> None:
        """Raises `InvalidSettings` for what is not TOML."""
        self.name = name
        self.layer = layer
        self._raw, self.places = _parsed(text, name)
        self._problems: list[tuple[Path, str]] = []

    def origin(self, path: Path) -> Origin:
        """Say where a key or an item stands."""
        return self._origin(self.places.find(path), key_path(path))

    def origins(self, path: Path) -> list[Origin]:
        """Say where each item of a list stands, all at once."""
        key = key_path(path)
        return [
            self._origin(place, f"{key}[{index}]")
            for index, place in enumerate(self.places.items(path))
        ]

    def problem(self, path: Path, what: str) -> str:
        """Word a problem of this file."""
        return problems.line(self.name, self.places, path, what)

    def report(self, path: Path, what: str) -> None:
        """Note a problem."""
        self._problems.append((path, what))

    @property
    def top_keys(self) -> frozenset[str]:
        """The keys and tables at the top of the file."""
        return frozenset(self._raw)

    def shape[Model: BaseModel](self, model: type[Model]) -> Model | None:
        """Hold the file against its model; None when it doesn't fit, and the reasons are noted."""
        try:
            return model.model_validate(self._raw)
        except ValidationError as error:
            self._problems += problems.found(error, model)
            return None

    def rules(
        self, pattern: Path, effect: Effect, bundles: Mapping[str, Bundle] | None = None
    ) -> dict[Path, list[Rule]]:
        """Read the lists of short forms under a path ("*": any key), whatever else the file holds.

        None in place of bundles: none may be named there.
        """
        return {
            path: list(self._short_forms(path, value, effect, bundles))
            for path, value in _matching(self._raw, pattern)
            if isinstance(value, list)
        }

    def finish(self) -> None:
        """Raise `InvalidSettings` with every problem, in the order of the file, if there is one."""
        if not self._problems:
            return
        ordered = sorted(self._problems, key=lambda problem: self.places.find(problem[0]))
        lines = [self.problem(path, what) for path, what in ordered]
        raise InvalidSettings(tuple(dict.fromkeys(lines)))

    def _origin(self, place: Place, key: str) -> Origin:
        return Origin(
            layer=self.layer, file=self.name, line=place.line, column=place.column, key=key
        )

    def _short_forms(
        self, path: Path, items: list[Any], effect: Effect, bundles: Mapping[str, Bundle] | None
    ) -> Iterator[Rule]:
        # What is no text, the model has found. An array of tables has no places of this kind.
        for index, (item, origin) in enumerate(zip(items, self.origins(path), strict=False)):
            if isinstance(item, str):
                try:
                    yield from self._short_form(item, effect, origin, bundles)
                except InvalidRule as error:
                    self.report((*path, index), str(error))

    def _short_form(
        self, text: str, effect: Effect, origin: Origin, bundles: Mapping[str, Bundle] | None
    ) -> tuple[Rule, ...]:
        if not is_reference(text):
            return (parse_rule(text, effect, origin=origin),)
        if bundles is None:
            raise InvalidRule(f"{shown(text)}: no bundle may stand here, only rules")
        return expand(text, effect, bundles, layer=self.layer)


def table_rules(table: RuleTable, origin: Origin) -> list[Rule]:
    """Write a table as rules of the short form, one for each protocol and port range."""
    effect = Effect(table.verdict)
    every_protocol: list[Protocol] | list[None] = table.protocols or [None]
    port_sets = [(ports,) for ports in table.ports] if table.ports else [DEFAULT_PORTS[effect]]
    return [
        _named(
            Rule(
                effect=effect,
                pattern=table.host,
                protocol=protocol,
                ports=ports,
                on_denial=None if table.on_denial is None else OnDenial(table.on_denial),
                condition=_condition(table),
                expires_at=table.expires,
                text="",
                origin=origin,
                reason=table.reason,
            )
        )
        for protocol in every_protocol
        for ports in port_sets
    ]


def _named(rule: Rule) -> Rule:
    return replace(rule, text=str(rule))


def _condition(table: RuleTable) -> Condition | None:
    if table.methods is None and table.paths is None and table.headers is None:
        return None
    return Condition(
        methods=tuple(table.methods or ()),
        paths=tuple(table.paths or ()),
        headers=tuple((table.headers or {}).items()),
    )


def _matching(value: Any, pattern: Path, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield what stands under a path, as far as the tables on the way there are tables."""
    if not pattern:
        yield path, value
        return
    if isinstance(value, dict):
        wanted, rest = pattern[0], pattern[1:]
        for key in list(value) if wanted == "*" else [wanted]:
            if key in value:
                yield from _matching(value[key], rest, (*path, key))


def _parsed(text: str, name: str) -> tuple[dict[str, Any], Places]:
    if text.startswith("\ufeff"):
        raise InvalidSettings((f"{name}:1:1 begins with a byte order mark, save it without",))
    try:
        return tomllib.loads(text), Places(text)
    except RecursionError:
        raise InvalidSettings((f"{name}:1:1 is nested too deeply",)) from None
    # Not only TOMLDecodeError: Python refuses to read numbers of thousands of digits.
    except ValueError as error:
        raise InvalidSettings((f"{name}:{_syntax_problem(str(error), text)}",)) from None


def _syntax_problem(what: str, text: str) -> str:
    """Move the place to the front, and say in a user's words what Python's say of its own."""
    if place := _SYNTAX_PLACE.search(what):
        line, column, what = place[1], place[2], what[: place.start()]
    else:
        *above, last = text.split("\n")
        line, column = str(len(above) + 1), str(len(last) + 1)
        what = what.removesuffix(" (at end of document)")
    return f"{line}:{column} {_in_our_words(what)}"


def _in_our_words(what: str) -> str:
    if what == "Cannot overwrite a value":
        return "this key has a value already"
    if table := _TABLE_TWICE.fullmatch(what):
        return f"this table is there twice: {'.'.join(_QUOTED.findall(table[1]))}"
    if what.startswith("Exceeds the limit"):
        return "a number has thousands of digits"
    return f"{what[0].lower()}{what[1:]}"
