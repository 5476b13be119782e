"""Rules and their short form, `[protocol://]host-pattern[:port|:lo-hi|:*]`.

A rule that can't be read exactly is refused with the spelling that was probably meant: a rule that
matches nothing, or more than its author thought, is worse than none. Looking rules up fast is
`netproxy.policy.index`; what a match leads to is `netproxy.policy.engine`.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from netproxy.errors import InvalidRule
from netproxy.model import OnDenial, Protocol
from netproxy.policy.hosts import PORT_LIMIT, shown
from netproxy.policy.origin import NOWHERE, Origin
from netproxy.policy.patterns import Pattern, parse_pattern
from netproxy.policy.spelling import nearest
from otel.values import dataclass, field

if TYPE_CHECKING:
    from netproxy.policy.conditions import Condition

Ports = tuple[int, int]  # lowest and highest, both included

ANY_PORT: Ports = (1, PORT_LIMIT)

_PORT = re.compile(r"[1-9][0-9]{0,4}")
# Most rules of a long list: nothing in them can be mistaken for anything else.
_ORDINARY = re.compile(r"([a-z0-9_.*-]+)(?::(\*|[0-9]+(?:-[0-9]+)?))?")
_FOREIGN = frozenset(" \"'`\\<>{}|^")
_HALF_SCHEME = re.compile(r"([a-z0-9-]+)(?::/|//|:)(?=[^/:0-9*])")
_PATH = re.compile(r"[/?#].*", re.DOTALL)
# A port can be told from the address only behind the length of a block.
_BARE_IPV6 = re.compile(r"([0-9a-fA-F:.]+)(?:(/[0-9]+)(:.*)?)?")
_BLOCK_START = re.compile(r"[0-9.]+/[0-9]")


# What curl and others call them; spelling alone would lead to the wrong neighbour.
_OTHER_NAMES = {
    "socks": Protocol.SOCKS5_TCP,
    "socks5": Protocol.SOCKS5_TCP,
    "socks5h": Protocol.SOCKS5_TCP,
    "udp": Protocol.SOCKS5_UDP,
    "ssh": Protocol.TCP,
    "ws": Protocol.HTTP,
    "wss": Protocol.HTTPS,
}


class Effect(Enum):
    """What a rule does with what it matches."""

    ALLOW = "allow"
    DENY = "deny"


# Without a port: whoever allows a site means the web, whoever denies one means all of it.
DEFAULT_PORTS: dict[Effect, tuple[Ports, ...]] = {
    Effect.ALLOW: ((80, 80), (443, 443)),
    Effect.DENY: (ANY_PORT,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of policy. Two are equal when they do the same, wherever they were written."""

    effect: Effect
    pattern: Pattern
    protocol: Protocol | None  # None: any
    ports: tuple[Ports, ...]
    on_denial: OnDenial | None = None  # None leaves it to the run
    condition: Condition | None = None  # None: any request to the destination
    expires_at: float | None = None  # seconds since the epoch; from then on it matches nothing
    text: str = field(compare=False)  # as it was written
    origin: Origin = field(compare=False)
    reason: str | None = field(default=None, compare=False)  # its author's words

    def covers(self, protocol: Protocol, port: int) -> bool:
        """Tell whether protocol and port fit; the host is the index's business."""
        if self.protocol is not None and self.protocol is not protocol:
            return False
        # Not any(): on the way of every decision, and a generator costs as much as the rest.
        for low, high in self.ports:  # noqa: SIM110  # see above
            if low <= port <= high:
                return True
        return False

    def is_expired(self, now: float) -> bool:
        """Tell whether the rule holds no longer; `now` in seconds since the epoch."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def canonical(self) -> str:
        """Everything that the rule does, in one spelling that no other rule has."""
        until = f"until {self.expires_at}" if self.expires_at is not None else ""
        condition = self.condition.canonical if self.condition is not None else ""
        parts = (str(self), condition, str(self.on_denial or ""), until)
        return " ".join(part for part in parts if part)

    @property
    def label(self) -> str:
        """The rule as it was written, and where: for decisions, questions and events."""
        return f"{self.text} ({self.origin})"

    def __str__(self) -> str:
        scheme = f"{self.protocol}://" if self.protocol else ""
        return scheme + self.pattern.text + _ports_text(self.ports, self.effect)


def parse_rule(text: str, effect: Effect, *, origin: Origin = NOWHERE) -> Rule:
    """Read the short form. Raises `InvalidRule` with what was wrong and what was probably meant."""
    if ordinary := _ORDINARY.fullmatch(text):
        protocol, (host, port) = None, ordinary.groups()
    else:
        protocol, host, port = _divided(text)
    return Rule(
        effect=effect,
        pattern=parse_pattern(host),
        protocol=protocol,
        ports=DEFAULT_PORTS[effect] if port is None else _one_range(port),
        text=text,
        origin=origin,
    )


def _divided(text: str) -> tuple[Protocol | None, str, str | None]:
    """Part protocol, host pattern (without brackets) and port; None where one is not given."""
    _check_characters(text)
    scheme, separator, rest = text.partition("://")
    protocol = parse_protocol(scheme.lower()) if separator else None
    return protocol, *_split(rest if separator else text, scheme + separator if separator else "")


# Most rules of a long list have the same few.
@lru_cache(maxsize=1024)
def _one_range(text: str) -> tuple[Ports, ...]:
    return (parse_ports(text),)


def parse_protocol(text: str) -> Protocol:
    """Read a protocol's name as it stands in rules and records."""
    try:
        return Protocol(text)
    except ValueError:
        listed = ", ".join(Protocol)
        raise InvalidRule(f"{shown(text)} is not one of {listed}{_nearest(text)}") from None


def parse_ports(text: str) -> Ports:
    """Read `443`, `8000-8999` or `*`."""
    if text == "*":
        return ANY_PORT
    low_text, dash, high_text = text.partition("-")
    low = _port(low_text)
    high = _port(high_text) if dash else low
    if high < low:
        raise InvalidRule(f"ports {text} run backwards, did you mean {high}-{low}?")
    return low, high


def _check_characters(text: str) -> None:
    """Refuse what no rule holds before anything is split, and say what it looks like instead."""
    if not text:
        raise InvalidRule("the rule is empty, write a host such as example.org:443")
    # Not printable: our advice repeats parts of the text, and reaches a terminal.
    if not text.isprintable() or not _FOREIGN.isdisjoint(text):
        foreign = next(mark for mark in text if mark in _FOREIGN or not mark.isprintable())
        raise InvalidRule(f"{shown(text)} holds {shown(foreign)}, which no rule may")
    if "," in text:
        raise InvalidRule(f"{shown(text)} is a list, write a rule for each")
    if "@" in text:
        raise InvalidRule(f"{shown(text)} carries a user name, a rule names a host")
    half = _HALF_SCHEME.match(text)
    if half and half[1] in set(Protocol) and not text.startswith(f"{half[1]}://"):
        raise InvalidRule(f"{shown(text)}: did you mean {half[1]}://{text[half.end() :]}?")


def _split(text: str, scheme: str) -> tuple[str, str | None]:
    """Part host pattern (without brackets) and port; None where no port is given."""
    if text.startswith("["):
        return _split_bracketed(text)
    if text.count(":") > 1 and (found := _BARE_IPV6.fullmatch(text)):
        address, length, port = found.groups(default="")
        meant = f"[{address}{length}]{port}"
        raise InvalidRule(f"{shown(text)}: IPv6 stands in brackets, did you mean {meant}?")
    bare = _PATH.sub("", text)
    if bare != text and not _BLOCK_START.match(text):
        raise InvalidRule(
            f"{shown(scheme + text)} is a URL with a path, a rule names a host, "
            f"did you mean {scheme}{bare}?"
        )
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _split_bracketed(text: str) -> tuple[str, str | None]:
    inside, closed, rest = text[1:].partition("]")
    if not closed:
        raise InvalidRule(f"{shown(text)}: the bracket is not closed")
    if ":" not in inside:
        raise InvalidRule(f"{shown(text)}: brackets are for IPv6, did you mean {inside}{rest}?")
    if rest.startswith("/"):
        length, _, port = rest.partition(":")
        meant = f"[{inside}{length}]" + (f":{port}" if port else "")
        raise InvalidRule(f"{shown(text)}: the length stands inside, did you mean {meant}?")
    if rest and not rest.startswith(":"):
        raise InvalidRule(f"{shown(text)}: after ] comes :port or nothing")
    return inside, rest[1:] if rest else None


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > PORT_LIMIT:
        raise InvalidRule(f"port {shown(text)} is not a number from 1 to {PORT_LIMIT}")
    return int(text)


def _ports_text(ports: tuple[Ports, ...], effect: Effect) -> str:
    if ports == DEFAULT_PORTS[effect]:
        return ""
    ((low, high),) = ports
    if (low, high) == ANY_PORT:
        return ":*"
    return f":{low}" if low == high else f":{low}-{high}"


def _nearest(word: str) -> str:
    other = _OTHER_NAMES.get(word)
    return f", did you mean {other}?" if other else nearest(word, Protocol)
