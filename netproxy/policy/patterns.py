"""Host patterns: one name, one address, a block, or a wildcard that says how far it reaches.

`*.d` is one or more labels below d and not d itself, `**.d` is d and all below, a `*` inside a
label does not cross dots, a bare `*` is everything. Ports and protocols: `netproxy.policy.rules`.
"""

from __future__ import annotations

import re
from enum import Enum

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.policy.blocks import Block, parse_block
from netproxy.policy.globs import Pieces, glob_matches, pieces_of
from netproxy.policy.hosts import canonical_host, is_address, shown
from netproxy.policy.suffixes import is_public_suffix
from otel.values import dataclass

_GLOB_LABEL = re.compile(r"[a-z0-9_*](?:[a-z0-9_*-]{0,61}[a-z0-9_*])?")
_QUAD_GLOB = re.compile(r"[0-9*]+(?:\.[0-9*]+){3}")


class Kind(Enum):
    """How a pattern matches a host."""

    EXACT = "exact"  # one name
    ADDRESS = "address"  # one IP literal
    BLOCK = "block"  # the IP literals of a CIDR block
    BELOW = "below"  # *.d
    TREE = "tree"  # **.d
    GLOB = "glob"  # a * inside a label, or as a label that is not the only one
    ANY = "any"  # *


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A host pattern in canonical spelling."""

    kind: Kind
    text: str  # as rules write it: IPv6 in brackets
    base: str  # the fixed end that all matches of a name pattern share; an address without brackets
    block: Block | None = None  # of a BLOCK


def parse_pattern(text: str) -> Pattern:
    """Read a pattern without brackets. Raises `InvalidRule`."""
    # Our advice repeats parts of the text, and reaches a terminal.
    if not text.isprintable():
        raise InvalidRule(f"{shown(text)} holds a character that no host name may")
    if text == "*":
        return Pattern(kind=Kind.ANY, text="*", base="")
    if "/" in text:
        block = parse_block(text)
        return Pattern(kind=Kind.BLOCK, text=_block_text(block), base="", block=block)
    return _wildcard(text) if "*" in text else _exact(text)


class NameGlob:
    """A GLOB, ready to be matched; as the first label `*` is one or more labels, elsewhere one."""

    __slots__ = ("_base", "_labels", "is_open")

    def __init__(self, pattern: Pattern) -> None:
        head = pattern.text.removesuffix(f".{pattern.base}").split(".")
        self.is_open = head[0] == "*"
        self._labels = tuple(map(pieces_of, head))
        self._base = f".{pattern.base}"

    @property
    def next_to_base(self) -> Pieces:
        """The label before the fixed end: the one that always has a star."""
        return self._labels[-1]

    def matches(self, name: str) -> bool:
        """Tell whether the whole name matches. Labels are never empty, so a `*` is at least one."""
        if not name.endswith(self._base):
            return False
        labels = name[: -len(self._base)].split(".")
        extra = len(labels) - len(self._labels)
        if extra < 0 or (extra and not self.is_open):
            return False
        return all(map(glob_matches, self._labels, labels[extra:]))


def glob_covers(outer: NameGlob, inner: Pattern) -> bool:
    """Tell whether a glob matches every name that another name pattern does.

    Only a `*` of the outer one can match a `*`, so the inner one's text stands for all its names.
    """
    if inner.kind is Kind.TREE:
        # The tree's own top is the name with the fewest labels; the rest needs a leading `*`.
        return outer.is_open and outer.matches(inner.base)
    return outer.matches(inner.text)


def _exact(text: str) -> Pattern:
    if text.startswith("."):
        raise InvalidRule(f"{shown(text)} begins with a dot, did you mean **{text}?")
    host = _host(text)
    if is_address(host):
        shown_host = f"[{host}]" if ":" in host else host
        return Pattern(kind=Kind.ADDRESS, text=shown_host, base=host)
    return Pattern(kind=Kind.EXACT, text=host, base=host)


def _wildcard(text: str) -> Pattern:
    if _QUAD_GLOB.fullmatch(text):
        raise InvalidRule(f"{text}: addresses have no wildcards, write a block such as 10.0.0.0/8")
    labels = text.removesuffix(".").split(".")
    last = max(index for index, label in enumerate(labels) if "*" in label)
    head, base = labels[: last + 1], _base(text, labels[last + 1 :], labels[0])
    match head:
        case ["*"]:
            return Pattern(kind=Kind.BELOW, text=f"*.{base}", base=base)
        case ["**"]:
            return Pattern(kind=Kind.TREE, text=f"**.{base}", base=base)
        case _:
            return Pattern(kind=Kind.GLOB, text=f"{_glob(head, text)}.{base}", base=base)


def _base(text: str, labels: list[str], first: str) -> str:
    """Return what follows the last wildcard: the name whose owner the rule trusts."""
    if not labels:
        meant = "*" if text == "**" else f"{first}.example.org"
        raise InvalidRule(f"{shown(text)}: no domain after the wildcard, did you mean {meant}?")
    base = _host(".".join(labels))
    if is_public_suffix(base):
        raise InvalidRule(
            f"{shown(text)} would cover everybody's names below {base}, "
            f"did you mean {first}.example.{base}?"
        )
    return base


def _glob(head: list[str], text: str) -> str:
    labels = [label.lower() for label in head]
    for label in labels:
        if "**" in label:
            raise InvalidRule(f"{shown(text)}: ** stands only as the first label, before a name")
        if not _GLOB_LABEL.fullmatch(label):
            raise InvalidRule(f"{shown(text)}: {shown(label)} is not a label of a host name")
        if label.startswith("xn--"):
            raise InvalidRule(f"{shown(text)}: no wildcard beside an international label")
    return ".".join(labels)


def _host(text: str) -> str:
    try:
        return canonical_host(text)
    except InvalidDestination as error:
        raise InvalidRule(str(error)) from None


def _block_text(block: Block) -> str:
    return f"[{block}]" if ":" in str(block) else str(block)
