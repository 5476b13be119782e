"""Rules filed by what they match, so that a look-up doesn't grow with their number.

Exact names and addresses in a dict, suffixes in a trie of labels from the right, globs at their
fixed end there, blocks by prefix length. Of all rules that match, the one written first is named.
What a match means is decided in `netproxy.policy.engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.policy.blocks import Address, Block, BlockTable, number_of, single, text_of
from netproxy.policy.globs import GlobTable
from netproxy.policy.hosts import is_address
from netproxy.policy.patterns import Kind, NameGlob, glob_covers
from netproxy.policy.rules import ANY_PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netproxy.model import Destination, Protocol
    from netproxy.policy.patterns import Pattern
    from netproxy.policy.rules import Rule

# A rule and its place among all rules, which breaks ties.
_Entry = tuple[int, "Rule"]


class _Node:
    """One label of the trie, and the rules whose fixed end stops here."""

    __slots__ = ("below", "children", "globs", "tree")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        # Most nodes have neither, and there may be a hundred thousand.
        self.below: tuple[_Entry, ...] = ()
        self.tree: tuple[_Entry, ...] = ()
        self.globs: GlobTable[tuple[NameGlob, _Entry]] | None = None  # few nodes have any

    def descend(self, domain: str) -> _Node:
        """Return the node of a domain below this one, made where it is missing."""
        node = self
        for label in reversed(domain.split(".")):
            child = node.children.get(label)
            if child is None:
                child = node.children[label] = _Node()
            node = child
        return node

    def add_glob(self, glob: NameGlob, entry: _Entry) -> None:
        """File a glob whose fixed end stops here."""
        self.globs = GlobTable() if self.globs is None else self.globs
        self.globs.add(glob.next_to_base, (glob, entry))


class RuleIndex:
    """An immutable set of rules that is asked for a match."""

    __slots__ = ("_any", "_blocks", "_exact", "_is_empty", "_root")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._exact: dict[str, list[_Entry]] = {}
        self._any: list[_Entry] = []
        self._root = _Node()
        blocks: list[tuple[Block, _Entry]] = []
        for position, rule in enumerate(rules):
            if rule.pattern.block is not None:
                blocks.append((rule.pattern.block, (position, rule)))
            else:
                self._file((position, rule))
        self._blocks = BlockTable(blocks)
        self._is_empty = not (self._exact or self._any or self._root.children or blocks)

    def match(self, destination: Destination) -> Rule | None:
        """Return the first-written rule that matches host, protocol and port."""
        # Half of a policy's indexes are, as a rule.
        if self._is_empty:
            return None
        best: _Entry | None = None
        for entry in self._candidates(destination.host):
            if (best is None or entry[0] < best[0]) and entry[1].covers(
                destination.protocol, destination.port
            ):
                best = entry
        return None if best is None else best[1]

    def match_host(self, host: str) -> Rule | None:
        """Return the first-written rule for a host, whatever its ports: it explains a near miss."""
        return min(self._candidates(host), key=_place, default=(0, None))[1]

    def match_every_port(self, host: str, protocol: Protocol) -> Rule | None:
        """Return the first-written rule that matches a host and protocol, whatever the port."""
        found = [
            entry
            for entry in self._candidates(host)
            if entry[1].protocol in {None, protocol} and ANY_PORT in entry[1].ports
        ]
        return min(found, key=_place, default=(0, None))[1]

    def covering(self, pattern: Pattern) -> list[Rule]:
        """Return the rules whose pattern matches every host that this one matches."""
        found = [*self._any]
        if pattern.block is not None:
            found += self._literals(pattern.block)
        elif pattern.kind in {Kind.EXACT, Kind.ADDRESS}:
            found = self._candidates(pattern.base)
        elif pattern.kind is not Kind.ANY:
            self._walk_above(pattern, found)
        found.sort(key=_place)
        return [rule for _, rule in found]

    def _file(self, entry: _Entry) -> None:
        pattern = entry[1].pattern
        match pattern.kind:
            case Kind.EXACT | Kind.ADDRESS:
                self._exact.setdefault(pattern.base, []).append(entry)
            case Kind.ANY:
                self._any.append(entry)
            case Kind.BELOW:
                self._root.descend(pattern.base).below += (entry,)
            case Kind.TREE:
                self._root.descend(pattern.base).tree += (entry,)
            case Kind.GLOB:
                self._root.descend(pattern.base).add_glob(NameGlob(pattern), entry)
            case _ as impossible:
                raise AssertionError(impossible)

    def _candidates(self, host: str) -> list[_Entry]:
        """All rules whose pattern matches the host. Wildcards other than `*` match names only."""
        found = [*self._exact.get(host, ()), *self._any]
        if is_address(host):
            found += self._blocks.lookup(number_of(host))
        else:
            self._walk(host.split("."), found, lambda glob: glob.matches(host))
        return found

    def _walk(
        self, labels: Sequence[str], found: list[_Entry], is_covered: Callable[[NameGlob], bool]
    ) -> None:
        """Collect the wildcards at the ends of a name, from its last label on."""
        node = self._root
        for depth in range(len(labels) - 1, -1, -1):
            child = node.children.get(labels[depth])
            if child is None:
                return
            node = child
            found += node.tree
            if depth:
                found += node.below
                if node.globs is not None:
                    globs = node.globs.lookup(labels[depth - 1])
                    found += [entry for glob, entry in globs if is_covered(glob)]

    def _literals(self, block: Block) -> Iterator[_Entry]:
        """Yield what covers a block: blocks, and for one of a single address that address."""
        yield from self._blocks.containing(block)
        address = Address(block.version, block.number)
        if block == single(address):
            yield from self._exact.get(text_of(address), ())

    def _walk_above(self, pattern: Pattern, found: list[_Entry]) -> None:
        """Collect the wildcards that cover a wildcard: their fixed end is an end of its own."""
        # A tree's own top has no label before it that a wildcard could stand for.
        labels = (pattern.base if pattern.kind is Kind.TREE else pattern.text).split(".")
        self._walk(labels, found, lambda glob: glob_covers(glob, pattern))


def _place(entry: _Entry) -> int:
    return entry[0]
