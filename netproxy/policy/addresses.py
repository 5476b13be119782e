"""What kind of address an IP address is, and which resolved addresses may be dialled.

Our own table, because `ipaddress.is_global` calls multicast, NAT64, IPv4-compatible and some cloud
metadata addresses global, and differs between Python releases (CVE-2024-4032). Sources, unless a
row names another: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), the IANA
IPv6 address space registry (only 2000::/3 is global unicast), and the IANA multicast registries.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from netproxy.errors import InvalidRule
from netproxy.policy.blocks import (
    NO_BLOCKS,
    Address,
    Block,
    Blocks,
    BlockTable,
    number_of,
    parse_address,
    parse_block,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class AddressClass(StrEnum):
    """What kind of address it is. Only PUBLIC may be dialled without a rule that says so."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    LINK_LOCAL = "link-local"
    CGNAT = "carrier-NAT"
    METADATA = "cloud metadata"
    MULTICAST = "multicast"
    BROADCAST = "broadcast"
    DOCUMENTATION = "documentation"
    BENCHMARKING = "benchmarking"
    RESERVED = "reserved"
    UNSPECIFIED = "unspecified"
    OWN = "this host's own"
    LISTENER = "the gateway's own"  # one port of it: where we listen ourselves
    DENIED = "denied by a rule"  # public or not, a deny rule names it
    UNRECOGNISED = "unrecognised"  # not an address in a spelling that we accept


# The longest matching block decides, so a single metadata address stands out of its range.
_SPECIAL: dict[str, AddressClass] = {
    "0.0.0.0/8": AddressClass.UNSPECIFIED,  # "this network"; Linux connects 0.0.0.0 to loopback
    "10.0.0.0/8": AddressClass.PRIVATE,  # RFC 1918
    "100.64.0.0/10": AddressClass.CGNAT,  # RFC 6598
    "127.0.0.0/8": AddressClass.LOOPBACK,
    "169.254.0.0/16": AddressClass.LINK_LOCAL,  # RFC 3927
    "172.16.0.0/12": AddressClass.PRIVATE,  # RFC 1918
    "192.0.0.0/24": AddressClass.RESERVED,  # IETF protocol assignments
    "192.0.2.0/24": AddressClass.DOCUMENTATION,  # TEST-NET-1
    "192.31.196.0/24": AddressClass.RESERVED,  # AS112-v4: answered by whoever is nearest
    "192.52.193.0/24": AddressClass.RESERVED,  # AMT relays, likewise anycast
    "192.88.99.0/24": AddressClass.RESERVED,  # deprecated 6to4 relay anycast, RFC 7526
    "192.168.0.0/16": AddressClass.PRIVATE,  # RFC 1918
    "192.175.48.0/24": AddressClass.RESERVED,  # AS112 direct delegation
    "198.18.0.0/15": AddressClass.BENCHMARKING,  # RFC 2544; real labs number their LANs so
    "198.51.100.0/24": AddressClass.DOCUMENTATION,  # TEST-NET-2
    "203.0.113.0/24": AddressClass.DOCUMENTATION,  # TEST-NET-3
    "224.0.0.0/4": AddressClass.MULTICAST,
    "240.0.0.0/4": AddressClass.RESERVED,  # RFC 1112 section 4
    "255.255.255.255/32": AddressClass.BROADCAST,
    # Metadata services, from the providers' own documentation.
    "168.63.129.16/32": AddressClass.METADATA,  # Azure wire server: looks public, is not
    "169.254.169.254/32": AddressClass.METADATA,  # AWS, Azure, Google, Oracle, most others
    "169.254.170.2/32": AddressClass.METADATA,  # AWS ECS task credentials
    "169.254.170.23/32": AddressClass.METADATA,  # AWS EKS pod identity
    "169.254.0.23/32": AddressClass.METADATA,  # Tencent
    "169.254.42.42/32": AddressClass.METADATA,  # Scaleway
    "100.100.100.200/32": AddressClass.METADATA,  # Alibaba
    "192.0.0.192/32": AddressClass.METADATA,  # Oracle Cloud Classic
    "fd00:ec2::254/128": AddressClass.METADATA,  # AWS
    "fd00:ec2::23/128": AddressClass.METADATA,  # AWS EKS pod identity
    "fd20:ce::254/128": AddressClass.METADATA,  # Google
    "fd00:c1::a9fe:a9fe/128": AddressClass.METADATA,  # Oracle
    "fd00:42::42/128": AddressClass.METADATA,  # Scaleway
    "fd00:a9fe:a9fe::1/128": AddressClass.METADATA,  # Linode
    "fe80::a9fe:a9fe/128": AddressClass.METADATA,  # OpenStack
    # IPv6. What no row names: 2000::/3 is public, everything else reserved.
    "::/0": AddressClass.RESERVED,
    "2000::/3": AddressClass.PUBLIC,
    "::/128": AddressClass.UNSPECIFIED,
    "::1/128": AddressClass.LOOPBACK,
    "64:ff9b::/96": AddressClass.PUBLIC,  # NAT64, RFC 6052: the embedded address decides
    "64:ff9b:1::/48": AddressClass.PRIVATE,  # NAT64 for local use, RFC 8215
    "2001::/23": AddressClass.RESERVED,  # IETF protocol assignments: ORCHID, AMT, AS112
    "2001::/32": AddressClass.PUBLIC,  # Teredo, RFC 4380: the embedded addresses decide
    "2001:2::/48": AddressClass.BENCHMARKING,  # RFC 5180
    "2001:db8::/32": AddressClass.DOCUMENTATION,
    "2620:4f:8000::/48": AddressClass.RESERVED,  # AS112 direct delegation
    "3fff::/20": AddressClass.DOCUMENTATION,  # RFC 9637
    "fc00::/7": AddressClass.PRIVATE,  # unique local, RFC 4193
    "fe80::/10": AddressClass.LINK_LOCAL,
    "fec0::/10": AddressClass.PRIVATE,  # site-local, deprecated by RFC 3879, still routed inside
    "ff00::/8": AddressClass.MULTICAST,
}


def _block(text: str) -> Block:
    literal, _, length = text.partition("/")
    address = number_of(literal)
    return Block(address.version, address.number, int(length))


_TABLE = BlockTable((_block(text), kind) for text, kind in _SPECIAL.items())
_NON_PUBLIC = Blocks(
    _block(text)
    for text, kind in _SPECIAL.items()
    if kind is not AddressClass.PUBLIC and text != "::/0"
)

LOOPBACK_BLOCKS = Blocks((_block("127.0.0.0/8"), _block("::1/128")))

# Where an IPv4 address hides in an IPv6 one: (block, right shifts to its low bit).
_TAIL = (
    _block("::/96"),  # IPv4-compatible, RFC 4291 section 2.5.5.1
    _block("::ffff:0:0:0/96"),  # IPv4-translated, RFC 2765
    _block("64:ff9b::/96"),
    _block("64:ff9b:1::/48"),  # as far as the usual /96 below it goes
)
_SIX_TO_FOUR = _block("2002::/16")  # RFC 3056: bits 16 to 48
_TEREDO = _block("2001::/32")  # RFC 4380 section 4: server, and the client with its bits flipped
_IPV4_MASK = 0xFFFFFFFF
_IPV6_BITS = 128
# Those of them that are not local themselves, with the number of bits before the IPv4 address.
_CARRIERS = (
    (_block("::ffff:0:0:0/96"), 96),
    (_block("64:ff9b::/96"), 96),
    (_SIX_TO_FOUR, 16),
)
# RFC 5214 section 6.1: the interface identifier begins 0000:5efe, or 0200:5efe where it is unique.
_ISATAP, _ISATAP_MASK = 0x00005EFE, 0xFDFFFFFF
_IPV6_LOOPBACK = 1  # `::` and `::1` are no forms of IPv4, though ::/96 holds them
# What the forms above are themselves.
_WRAPPERS = frozenset({AddressClass.PUBLIC, AddressClass.RESERVED, AddressClass.PRIVATE})


def classify(address: str) -> AddressClass:
    """Say what kind of address a literal is; a text that is none is UNRECOGNISED, not public."""
    parsed = parse_address(address)
    return AddressClass.UNRECOGNISED if parsed is None else classify_number(parsed)


@lru_cache(maxsize=1024)
def classify_number(address: Address) -> AddressClass:
    """Judge the address itself, and any IPv4 address inside it: non-public if either is."""
    outer = next(_TABLE.lookup(address), AddressClass.PUBLIC)
    for inner in embedded(address):
        kind = classify_number(inner)
        # The inner kind says more ("loopback") than that the form around it is reserved.
        if kind is not AddressClass.PUBLIC and outer in _WRAPPERS:
            return kind
    return outer


def is_wholly_special(block: Block) -> bool:
    """Tell whether no address of the block is public, so that naming it names something local.

    `0.0.0.0/0` is not: whoever writes it means "any address", and `*` never opens local ones.
    """
    return any(special.contains(block) for special in _NON_PUBLIC.blocks)


def parse_private_block(text: str) -> Block:
    """Read a block that names may resolve to. Raises `InvalidRule`.

    One that holds public and local addresses alike (`0.0.0.0/0`) would open metadata services and
    loopback to whoever meant "everything". So would one that carries all of IPv4 (`64:ff9b::/96`).
    """
    block = parse_block(text)
    if _is_mixed(block):
        raise InvalidRule(f"{text} holds public and local addresses, name the local block")
    return block


def _is_mixed(block: Block) -> bool:
    # Of these, two ends of the address stand for IPv4: only a single one is of one kind.
    if block.contains(_TEREDO) or (_TEREDO.contains(block) and block.length < _IPV6_BITS):
        return True
    if is_wholly_special(block):
        return False
    if any(block.contains(each) for each in (*_NON_PUBLIC.blocks, *(c for c, _ in _CARRIERS))):
        return True
    for carrier, before in _CARRIERS:
        if carrier.contains(block):
            number = block.number >> 96 - before & _IPV4_MASK
            return _is_mixed(Block(4, number, min(32, block.length - before)))
    return False


def vet(
    addresses: Iterable[str],
    *,
    allowed: Blocks,
    own: Blocks = NO_BLOCKS,
    never: Collection[AddressClass] = (),
) -> tuple[tuple[str, ...], tuple[tuple[str, AddressClass], ...]]:
    """Split resolved addresses into what may be dialled (canonical, in order) and what may not.

    `allowed` covers non-public addresses that a setting opened, but for those of the classes
    `never`; `own` are this host's addresses.
    """
    passed: list[str] = []
    refused: list[tuple[str, AddressClass]] = []
    for text in addresses:
        address = parse_address(text)
        if address is None:
            refused.append((text, AddressClass.UNRECOGNISED))
            continue
        kind = classify_with_own(address, own=own)
        if kind is AddressClass.PUBLIC or (kind not in never and allowed.covers(address)):
            passed.append(text_of(address))
        else:
            refused.append((text_of(address), kind))
    return tuple(passed), tuple(refused)


def classify_with_own(address: Address, *, own: Blocks) -> AddressClass:
    """Classify, where a public address may turn out to be one of this host's own."""
    kind = classify_number(address)
    if kind is not AddressClass.PUBLIC:
        return kind
    leads_here = own.covers(address) or any(map(own.covers, embedded(address)))
    return AddressClass.OWN if leads_here else kind


def stands_for(host: str) -> tuple[str, ...]:
    """Return a canonical host, and the IPv4 literals that an IPv6 one stands for."""
    if ":" not in host:
        return (host,)
    return (host, *map(text_of, embedded(number_of(host))))


def embedded(address: Address) -> tuple[Address, ...]:
    """Return the IPv4 addresses that an IPv6 one stands for: a relay on the way dials those."""
    if address.version == 4:  # noqa: PLR2004  # the IP version is its own name
        return ()
    number = address.number
    if _SIX_TO_FOUR.covers(address):
        return (Address(4, number >> 80 & _IPV4_MASK),)
    if _TEREDO.covers(address):
        return (
            Address(4, number >> 64 & _IPV4_MASK),
            Address(4, ~number & _IPV4_MASK),
        )
    is_tail = any(block.covers(address) for block in _TAIL)
    if is_tail or number >> 32 & _ISATAP_MASK == _ISATAP:
        return (Address(4, number & _IPV4_MASK),) if number > _IPV6_LOOPBACK else ()
    return ()
