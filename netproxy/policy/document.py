"""The shape of a settings file, as pydantic sees it. Imported only when there is a file to read.

Strict: no text for a number, no unknown key. Texts become rules and blocks here, once. Problems
are worded and placed by `netproxy.policy.problems`; which layer a file is, `netproxy.app.settings`
knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf
from pydantic_core import PydanticCustomError

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import Protocol  # noqa: TC001  # pydantic evaluates the annotations below
from netproxy.policy.addresses import parse_private_block
from netproxy.policy.blocks import Block, parse_address, text_of
from netproxy.policy.hosts import canonical_host, is_address, shown
from netproxy.policy.patterns import Pattern, parse_pattern
from netproxy.policy.rules import Effect, Ports, Rule, parse_ports, parse_protocol, parse_rule

if TYPE_CHECKING:
    from collections.abc import Callable

# Longer than a working day is a forgotten question; longer than a minute is no resolver.
_HOLD_LIMIT_SECONDS = 12 * 3600
_RESOLVE_LIMIT_SECONDS = 60


class _Strict(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True
    )


def _read[Value](parse: Callable[[str], Value]) -> Callable[[Any], Value]:
    """Turn a parser of ours into a validator: its error into the one that pydantic reports."""

    def read(value: Any) -> Value:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "must be text")
        try:
            return parse(value)
        except (InvalidRule, InvalidDestination) as error:
            raise PydanticCustomError("unreadable", "{what}", {"what": str(error)}) from None

    return read


def _rule(effect: Effect) -> BeforeValidator:
    return BeforeValidator(_read(lambda text: parse_rule(text, effect)))


def _pattern(text: str) -> Pattern:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if "://" in text or (text == bare and text.count(":") == 1):
        raise InvalidRule(f"{shown(text)}: protocols and ports have keys of their own here")
    return parse_pattern(bare)


def _port_range(value: Any) -> Ports:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return _read(parse_ports)(str(value) if is_number else value)


def _name(text: str) -> str:
    host = canonical_host(text)
    if is_address(host):
        raise InvalidDestination(f"{host} is an address, only names are looked up")
    return host


def _address(text: str) -> str:
    address = parse_address(text)
    if address is None:
        raise InvalidDestination(f"{shown(text)} is not an IP address")
    return text_of(address)


def _listed(value: Any) -> Any:
    """Accept one address where a list of them may stand."""
    return [value] if isinstance(value, str) else value


Name = Annotated[str, BeforeValidator(_read(_name))]
Literals = Annotated[
    list[Annotated[str, BeforeValidator(_read(_address))]],
    BeforeValidator(_listed),
    Field(min_length=1),
]


PrivateBlock = Annotated[InstanceOf[Block], BeforeValidator(_read(parse_private_block))]


class RuleTable(_Strict):
    """`[[profiles.NAME.network.rules]]`: what the short form has no room for."""

    host: Annotated[InstanceOf[Pattern], BeforeValidator(_read(_pattern))]
    # None: the default of the short form, and any protocol. An empty list would match nothing.
    ports: Annotated[
        list[Annotated[Ports, BeforeValidator(_port_range)]] | None, Field(min_length=1)
    ] = None
    protocols: Annotated[
        list[Annotated[Protocol, BeforeValidator(_read(parse_protocol))]] | None,
        Field(min_length=1),
    ] = None
    verdict: Literal["allow", "deny"]
    reason: Annotated[str, Field(max_length=200)] | None = None
    on_denial: Literal["cancel", "block"] | None = None


class Network(_Strict):
    """`[profiles.NAME.network]`."""

    mode: Literal["full", "limited", "off"] = "full"
    default: Literal["ask", "deny", "allow"] = "ask"
    on_denial: Literal["cancel", "block"] = "cancel"
    allow: list[Annotated[InstanceOf[Rule], _rule(Effect.ALLOW)]] = []
    deny: list[Annotated[InstanceOf[Rule], _rule(Effect.DENY)]] = []
    allow_private: list[
        Annotated[InstanceOf[Block], BeforeValidator(_read(parse_private_block))]
    ] = []
    rules: list[RuleTable] = []


class Profile(_Strict):
    """`[profiles.NAME]`."""

    network: Network = Network()


class Resolver(_Strict):
    """`[resolver]`."""

    hosts: dict[Name, Literals] = {}
    timeout_seconds: Annotated[float, Field(gt=0, le=_RESOLVE_LIMIT_SECONDS)] | None = None


class Approvals(_Strict):
    """`[approvals]`."""

    hold_seconds: Annotated[float, Field(gt=0, le=_HOLD_LIMIT_SECONDS)] | None = None


class Audit(_Strict):
    """`[audit]`."""

    directory: str | None = None
    otlp: str | None = None


class Sandbox(_Strict):
    """`[sandbox]`."""

    write: list[str] = []


class File(_Strict):
    """A whole settings file."""

    default_profile: str | None = None
    profiles: dict[str, Profile] = {}
    resolver: Resolver = Resolver()
    approvals: Approvals = Approvals()
    audit: Audit = Audit()
    sandbox: Sandbox = Sandbox()


# Which keys may stand in which section ("*" is a name or an index): for the nearest spelling.
SECTIONS: dict[tuple[str, ...], type[BaseModel]] = {
    (): File,
    ("profiles", "*"): Profile,
    ("profiles", "*", "network"): Network,
    ("profiles", "*", "network", "rules", "*"): RuleTable,
    ("resolver",): Resolver,
    ("approvals",): Approvals,
    ("audit",): Audit,
    ("sandbox",): Sandbox,
}
