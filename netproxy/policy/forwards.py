"""Services across the fence, as they are written: `NAME=HOST:PORT` in, `PORT[:HOSTPORT]` out. Pure.

The first brings one service to the command (`--reach`), and is an allow rule for exactly that; the
second opens one of the command's ports to programs of the same user on this host (`--expose`).
"""

from __future__ import annotations

import re
from posixpath import normpath
from typing import TYPE_CHECKING

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import Destination, Protocol
from netproxy.policy.hosts import canonical_port, destination, parse_authority, shown
from netproxy.policy.rules import Effect, Rule, parse_rule
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from netproxy.policy.origin import Origin

# A label of a host name, which it is inside, and a part of a variable's name.
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PATH_BYTES = 107  # unix(7), without the NUL
_RESERVED_NAMES = frozenset({"localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A service that appears inside, on the same port of the command's loopback."""

    name: str
    destination: Destination

    @property
    def text(self) -> str:
        """As it was written, canonical."""
        return f"{self.name}={self.destination.authority}"

    @property
    def variable(self) -> str:
        """The environment variable that says where it is inside."""
        return f"NETPROXY_REACH_{self.name.upper().replace('-', '_')}"

    def rule(self, origin: Origin) -> Rule:
        """Allow exactly that, however the command comes to it; nobody else's denial is undone."""
        text = f"{Protocol.TCP}://{self.destination.authority}"
        return replace(parse_rule(text, Effect.ALLOW, origin=origin), text=self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose:
    """A port of the command's loopback, and the one of this host's that leads to it."""

    port: int
    host_port: int

    @property
    def text(self) -> str:
        """As it was written, canonical."""
        return f"{self.port}" if self.port == self.host_port else f"{self.port}:{self.host_port}"


def parse_reach(text: str) -> Reach:
    """Read `NAME=HOST:PORT`. Raises `InvalidRule` or `InvalidDestination`."""
    name, separator, authority = text.partition("=")
    if not separator:
        raise InvalidRule(f"{shown(text)} is not NAME=HOST:PORT, such as postgres=127.0.0.1:5432")
    if not _NAME.fullmatch(name) or name in _RESERVED_NAMES:
        raise InvalidRule(
            f"{shown(name)} is no name for a service: lower-case letters, digits and dashes, "
            "a letter first"
        )
    host, port = parse_authority(authority, default_port=None)
    return Reach(name=name, destination=destination(host, port, Protocol.TCP))


def parse_expose(text: str) -> Expose:
    """Read `PORT` or `PORT:HOSTPORT`. Raises `InvalidDestination`."""
    inside, colon, outside = text.partition(":")
    if ":" in outside:
        raise InvalidDestination(
            f"{shown(text)} is not PORT or PORT:HOSTPORT; it is this host's loopback in any case"
        )
    port = canonical_port(inside)
    return Expose(port=port, host_port=canonical_port(outside) if colon else port)


def parse_unix(text: str) -> str:
    """Read the path of a unix socket, as it will be asked for. Raises `InvalidRule`."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidRule(f"{shown(text)} is not UTF-8: link to it from a path that is") from None
    if length > _PATH_BYTES:
        raise InvalidRule(f"{shown(text)} is longer than a socket's path ({_PATH_BYTES} bytes)")
    if not text.startswith("/") or normpath(text) != text or "\0" in text:
        raise InvalidRule(f"{shown(text)} is not the absolute path of a unix socket")
    return text


def clashes(
    reached: Iterable[Reach], exposed: Iterable[Expose], reserved: Mapping[int, str]
) -> Iterator[tuple[Reach | Expose, str]]:
    """Find what can't be beside the others, and say why. `reserved`: ports inside, and whose."""
    inside = dict(reserved)
    names: set[str] = set()
    for reach in reached:
        port = reach.destination.port
        if (holder := inside.get(port)) is not None:
            yield reach, f"port {port} inside the sandbox is {holder}"
        elif reach.name in names:
            yield reach, f"there is another service with the name {reach.name}"
        names.add(reach.name)
        inside.setdefault(port, f"that of {reach.text}")
    outside: dict[int, Expose] = {}
    for expose in exposed:
        if (holder := inside.get(expose.port)) is not None:
            yield expose, f"port {expose.port} inside the sandbox is {holder}"
        elif (other := outside.get(expose.host_port)) is not None:
            yield expose, f"port {expose.host_port} of this host is that of {other.text}"
        outside.setdefault(expose.host_port, expose)
