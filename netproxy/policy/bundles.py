"""Named lists of rules, `[bundles] python = ["pypi.org:443"]`, used elsewhere as `@python`. Pure.

An entry has no verdict of its own: it is read as an allow or a deny where the bundle is used, and
keeps the place of its line in the bundle. Bundles hold rules only, no other bundles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.errors import InvalidRule
from netproxy.policy.hosts import shown
from netproxy.policy.rules import Effect, Rule, parse_rule
from netproxy.policy.spelling import nearest
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.policy.layers import Statement
    from netproxy.policy.origin import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What one name stands for. Its entries have been read once: each is a rule."""

    name: str
    entries: tuple[Statement[str], ...]


def is_reference(text: str) -> bool:
    """Tell `@python` from a rule."""
    return text.startswith("@")


def expand(
    text: str, effect: Effect, bundles: Mapping[str, Bundle], *, layer: Layer
) -> tuple[Rule, ...]:
    """Return the rules that `@name` stands for, as that layer's. Raises `InvalidRule`."""
    name = text.removeprefix("@")
    if name not in bundles:
        raise InvalidRule(f"there is no bundle {shown(name)}{nearest(name, bundles)}")
    return tuple(
        parse_rule(entry.value, effect, origin=replace(entry.origin, layer=layer))
        for entry in bundles[name].entries
    )
