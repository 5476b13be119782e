"""What the command is told when it looks up a name: an address that stands for the name.

No name is looked up, here or anywhere: that happens when a connection to it was let through. So
nothing that is written into a name leaves this host, and nobody is asked before there is something
to connect. Only a name to which no captured connection would be let through is refused. Pure.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from netproxy.errors import InvalidDestination
from netproxy.model import Reason
from netproxy.policy.hosts import canonical_host, is_address
from netproxy.protocol import dns
from netproxy.protocol.dns import Kind, Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.connection.fake_names import FakeNames
    from netproxy.model import Judgement

# An address means the same until the run's end; what can change is whether the name is refused.
TTL_SECONDS: Final = 5
# What a client asks for beside an address: there is none of it, so it goes on with the address.
_EMPTY: Final = frozenset({Kind.AAAA, Kind.SVCB, Kind.HTTPS})
_REVERSE: Final = (b"in-addr", b"arpa")
_OCTETS: Final = 4


class NameJudge(Protocol):
    """The policy, as far as a name alone goes."""

    def name_refusal(self, host: str) -> Judgement | None:
        """Say why no captured connection to it is let through, whatever its port."""
        ...


class Outcome(StrEnum):
    """What a name got (`netproxy.dns.outcome`)."""

    ADDRESS = "address"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # NXDOMAIN


# Is told of every name: what it got, which record was asked for, what the policy said against it,
# and its address.
type Told = Callable[[str, Outcome, int, Judgement | None, bytes | None], None]


class NameServer:
    """Of one run. Every question has one answer at once, which is shorter than 512 bytes."""

    def __init__(self, names: FakeNames, judge: NameJudge, told: Told) -> None:
        self._names = names
        self._judge = judge
        self._told = told

    def answer(self, message: bytes | memoryview) -> bytes | None:
        """Answer a message, whatever bytes it is; None: it waits for no answer."""
        query = dns.read_query(message)
        if query is None:
            return None
        if query.fault is not None:
            return dns.faulty(query, query.fault)
        if query.kind == Kind.PTR:
            return self._name_of(query)
        host = _host(query.labels)
        if host is None:
            return dns.nothing(query, ttl_seconds=TTL_SECONDS, exists=False)
        return self._about(query, host)

    def _about(self, query: Query, host: str) -> bytes:
        # Services of the run's own, on the command's loopback: nobody has to be let through.
        judgement = None if host in self._names.fixed else self._judge.name_refusal(host)
        if judgement is not None and judgement.reason is Reason.NOT_ALLOWED_LOCAL:
            # As if it did not exist: a resolver with a search list then tries the next name.
            self._told(host, Outcome.UNKNOWN, query.kind, judgement, None)
            return dns.nothing(query, ttl_seconds=TTL_SECONDS, exists=False)
        if judgement is not None:
            self._told(host, Outcome.REFUSED, query.kind, judgement, None)
            return dns.refused(query, is_blocked=True)
        if query.kind in _EMPTY:
            return dns.nothing(query, ttl_seconds=TTL_SECONDS, exists=True)
        if query.kind != Kind.A:
            self._told(host, Outcome.REFUSED, query.kind, None, None)
            return dns.refused(query)
        address = self._names.address(host)
        self._told(host, Outcome.ADDRESS, query.kind, None, address)
        return dns.address(query, address, ttl_seconds=TTL_SECONDS)

    def _name_of(self, query: Query) -> bytes:
        address = _reversed_address(query.labels)
        name = None if address is None else self._names.name(address)
        if name is None:
            return dns.nothing(query, ttl_seconds=TTL_SECONDS, exists=False)
        return dns.pointer(query, name, ttl_seconds=TTL_SECONDS)


def _host(labels: tuple[bytes, ...]) -> str | None:
    """Return the canonical name; None for what no host is called."""
    name = b".".join(labels)
    # A dot inside a label would make another name of it.
    if not name.isascii() or name.count(b".") != len(labels) - 1:
        return None
    try:
        host = canonical_host(name.decode("ascii"))
    except InvalidDestination:
        return None
    return None if is_address(host) else host


def _reversed_address(labels: tuple[bytes, ...]) -> bytes | None:
    """Read `4.3.2.1.in-addr.arpa` (RFC 1035 section 3.5)."""
    octets, domain = labels[:_OCTETS], tuple(label.lower() for label in labels[_OCTETS:])
    if domain != _REVERSE or not all(octet.isdigit() and len(octet) <= 3 for octet in octets):  # noqa: PLR2004  # 0 to 255
        return None
    numbers = [int(octet) for octet in reversed(octets)]
    return bytes(numbers) if max(numbers) <= 0xFF else None  # noqa: PLR2004  # an octet
