"""CIDR blocks and tables of them: which block holds this address, at a cost that doesn't grow.

A table keeps one dict per prefix length in use, so a look-up is at most 33 or 129 of them, however
many blocks there are. What a block means is its owner's business.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING, NamedTuple

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.policy.hosts import canonical_host, is_address, shown
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# RFC 4291 section 2.5.5.2: an IPv4 address in IPv6 clothes sits behind these 96 bits.
_MAPPED_LENGTH = 96
_MAPPED_PREFIX = 0xFFFF << 32
_BITS = {4: 32, 6: 128}
_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")


class Address(NamedTuple):
    """An IP address as arithmetic needs it."""

    version: int
    number: int


@dataclass(frozen=True, slots=True)
class Block:
    """All addresses that share their first `length` bits with `number`."""

    version: int
    number: int
    length: int

    def covers(self, address: Address) -> bool:
        """Tell whether the address is one of ours."""
        return self.version == address.version and address.number & _mask(self) == self.number

    def contains(self, other: Block) -> bool:
        """Tell whether every address of `other` is one of ours."""
        return self.length <= other.length and self.covers(Address(other.version, other.number))

    def __str__(self) -> str:
        return f"{text_of(Address(self.version, self.number))}/{self.length}"


class BlockTable[Value]:
    """Values filed under blocks; a look-up yields those of the longest matching block first."""

    __slots__ = ("_by_mask",)

    def __init__(self, entries: Iterable[tuple[Block, Value]]) -> None:
        tables: dict[int, dict[int, dict[int, list[Value]]]] = {4: {}, 6: {}}
        for block, value in entries:
            numbers = tables[block.version].setdefault(_mask(block), {})
            numbers.setdefault(block.number, []).append(value)
        # A longer prefix is a greater mask.
        self._by_mask = {
            version: tuple(sorted(table.items(), reverse=True)) for version, table in tables.items()
        }

    def lookup(self, address: Address) -> Iterator[Value]:
        """Yield the values of every block that covers the address."""
        version, number = address
        for mask, numbers in self._by_mask[version]:
            if found := numbers.get(number & mask):
                yield from found

    def containing(self, block: Block) -> Iterator[Value]:
        """Yield the values of every block that holds the whole of this one."""
        longest = _mask(block)
        for mask, numbers in self._by_mask[block.version]:
            if mask <= longest and (found := numbers.get(block.number & mask)):
                yield from found


class Blocks:
    """A set of blocks. Immutable; two are equal when they were written alike."""

    __slots__ = ("_table", "blocks")

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.blocks = tuple(blocks)
        self._table = BlockTable((block, block) for block in self.blocks)

    def covers(self, address: Address) -> bool:
        """Tell whether some block holds the address."""
        return next(self._table.lookup(address), None) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blocks) and self.blocks == other.blocks

    def __hash__(self) -> int:
        return hash(self.blocks)

    def __repr__(self) -> str:
        return f"Blocks({', '.join(map(str, self.blocks))})"


NO_BLOCKS = Blocks(())


# Resolvers give the same few answers again and again.
@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Read a literal of any accepted spelling, mapped IPv4 as IPv4; None for every other text."""
    try:
        host = canonical_host(text)
    except InvalidDestination:
        return None
    return number_of(host) if is_address(host) else None


# One decision asks for the same literal several times. A sandboxed client picks it: bounded.
@lru_cache(maxsize=1024)
def number_of(literal: str) -> Address:
    """Turn a canonical literal (`hosts.is_address`) into its number."""
    if ":" in literal:
        return Address(6, int(IPv6Address(literal)))
    return Address(4, int.from_bytes(map(int, literal.split("."))))


def text_of(address: Address) -> str:
    """Turn a number back into the canonical literal."""
    if address.version == 6:  # noqa: PLR2004  # the IP version is its own name
        return str(IPv6Address(address.number))
    return ".".join(map(str, address.number.to_bytes(4)))


def single(address: Address) -> Block:
    """Return the block that holds this address alone."""
    return Block(address.version, address.number, _BITS[address.version])


def parse_block(text: str) -> Block:
    """Read `10.0.0.0/8`, `2001:db8::/32`, or one address. Raises `InvalidRule`."""
    literal, slash, length_text = text.partition("/")
    if not slash:
        address = parse_address(literal)
        if address is None:
            raise InvalidRule(f"{shown(text)} is not an address block such as 10.0.0.0/8")
        return single(address)
    address = _unfolded(literal, text)
    bits = _BITS[address.version]
    if not _PREFIX_LENGTH.fullmatch(length_text) or int(length_text) > bits:
        raise InvalidRule(f"{shown(text)}: the length after / is a number from 0 to {bits}")
    return _whole(Block(address.version, address.number, int(length_text)), text)


def _unfolded(literal: str, text: str) -> Address:
    """Read the address before the slash, as IPv6 if written so: the length counts from there."""
    folded = parse_address(literal)
    if folded is None:
        raise InvalidRule(f"{shown(text)}: what stands before / is not an address")
    try:
        return Address(6, int(IPv6Address(literal)))
    except AddressValueError:
        return folded


def _whole(block: Block, text: str) -> Block:
    """Refuse bits beyond the prefix (somebody meant something else), then fold mapped IPv4."""
    aligned = Block(block.version, block.number & _mask(block), block.length)
    if aligned != block:
        raise InvalidRule(f"{shown(text)} has bits set after its prefix, did you mean {aligned}?")
    if Block(6, _MAPPED_PREFIX, _MAPPED_LENGTH).contains(block):
        return Block(4, block.number - _MAPPED_PREFIX, block.length - _MAPPED_LENGTH)
    return block


def _mask(block: Block) -> int:
    """Return a number with the block's first bits set."""
    bits = _BITS[block.version]
    return (1 << bits) - (1 << bits - block.length)
