"""The fields that settings files are made of, as pydantic sees them, and as editors do.

Strict: no text for a number, no unknown key. Imported only when there is a file to read. The short
form of rules stays text here: `netproxy.policy.reading` makes rules of it, with their places.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import Protocol
from netproxy.policy.addresses import parse_private_block
from netproxy.policy.blocks import Block, parse_address, text_of
from netproxy.policy.conditions import (
    parse_header_name,
    parse_header_value,
    parse_method,
    parse_path,
)
from netproxy.policy.hosts import PORT_LIMIT, canonical_host, is_address, shown
from netproxy.policy.patterns import Pattern, parse_pattern
from netproxy.policy.rules import Ports, parse_ports, parse_protocol

if TYPE_CHECKING:
    from collections.abc import Callable

# A reason is read on one line of a terminal, in a question and in every refusal.
_LINE_LENGTH = 200
_DAY_SECONDS = 86400
YEAR_SECONDS = 366 * _DAY_SECONDS
# TOML's integers end there.
BYTES_LIMIT = 2**63 - 1
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()

# What editors check: never narrower than the parsers. Host names may be international.
_PORT = "[1-9][0-9]{0,4}"
_HOST = r"(?:\[[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?\]|[^\s:/?#@,\[\]]+(?:/[0-9]{1,2})?)"
_BUNDLE_NAME = "[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_SHORT_FORM = rf"(?:(?:{'|'.join(Protocol)})://)?{_HOST}(?::(?:\*|{_PORT}(?:-{_PORT})?))?"


class Strict(BaseModel):
    """A table of a settings file: its keys, and no others."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True
    )


def refuse(what: str) -> PydanticCustomError:
    """Make the error that pydantic reports in our words."""
    return PydanticCustomError("unreadable", "{what}", {"what": what})


def reader[Value](parse: Callable[[str], Value]) -> Callable[[Any], Value]:
    """Turn a parser of ours into a validator: its error into the one that pydantic reports."""

    def read(value: Any) -> Value:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "must be text")
        try:
            return parse(value)
        except (InvalidRule, InvalidDestination) as error:
            raise refuse(str(error)) from None

    return read


def text(pattern: str, description: str) -> WithJsonSchema:
    """Tell editors what a text looks like."""
    return WithJsonSchema(
        {"type": "string", "pattern": f"^(?:{pattern})$", "description": description}
    )


def _pattern(value: str) -> Pattern:
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if "://" in value or (value == bare and value.count(":") == 1):
        raise InvalidRule(f"{shown(value)}: protocols and ports have keys of their own here")
    return parse_pattern(bare)


def _port_range(value: Any) -> Ports:
    if not isinstance(value, int) or isinstance(value, bool):
        return reader(parse_ports)(value)
    # Compared before it is written out: Python refuses to print numbers of thousands of digits.
    if not 1 <= value <= PORT_LIMIT:
        raise refuse(f"a port is a number from 1 to {PORT_LIMIT}")
    return value, value


def _name(value: str) -> str:
    host = canonical_host(value)
    if is_address(host):
        raise InvalidDestination(f"{host} is an address, only names are looked up")
    return host


def _address(value: str) -> str:
    address = parse_address(value)
    if address is None:
        raise InvalidDestination(f"{shown(value)} is not an IP address")
    return text_of(address)


def _listed(value: Any) -> Any:
    """Accept one address where a list of them may stand."""
    return [value] if isinstance(value, str) else value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise InvalidRule("must be one line without control characters")
    if not value.strip():
        raise InvalidRule("must not be empty")
    if len(value) > _LINE_LENGTH:
        raise InvalidRule(f"must have at most {_LINE_LENGTH} characters")
    return value


def _expires(value: Any) -> float:
    """Seconds since the epoch; a date holds through the end of its day in UTC."""
    match value:
        case dt.datetime(tzinfo=None):
            raise refuse("has no time zone, write 2026-12-31T18:00:00Z or a date alone")
        case dt.datetime():
            return value.timestamp()
        case dt.date():
            return float((value.toordinal() + 1 - _EPOCH_DAY) * _DAY_SECONDS)
        case _:
            raise refuse("must be a date such as 2026-12-31, without quotes")


def _bundle_name(value: str) -> str:
    if not re.fullmatch(_BUNDLE_NAME, value):
        raise InvalidRule(f"{shown(value)} is not a name of letters, digits, - and _")
    return value


def _one_spelling(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Refuse a table in which two keys are one name: the first would be lost in silence."""
    found = read(value)
    if len(found) < len(value):
        raise refuse("has one name in two spellings")
    return found


def _no_doubles[Value](values: list[Value]) -> list[Value]:
    """Refuse a list that says one thing twice: one of them was meant to be something else."""
    if len(set(values)) < len(values):
        raise refuse("says the same thing twice")
    return values


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
# Not `type` statements: pydantic would give each use a name of its own in the schema.
Some = Annotated[list[_Value], Field(min_length=1), AfterValidator(_no_doubles)]
Named = Annotated[dict[_Key, _Value], WrapValidator(_one_spelling)]

RuleText = Annotated[
    str,
    text(
        f"@{_BUNDLE_NAME}|{_SHORT_FORM}",
        "[protocol://]host[:port|:lo-hi|:*], or @bundle",
    ),
]
BundleEntry = Annotated[str, text(_SHORT_FORM, "[protocol://]host[:port|:lo-hi|:*]")]
BundleName = Annotated[
    str,
    BeforeValidator(reader(_bundle_name)),
    WithJsonSchema({"type": "string", "pattern": f"^{_BUNDLE_NAME}$"}),
]
Name = Annotated[str, BeforeValidator(reader(_name)), text(".+", "a host name")]
AddressText = Annotated[str, BeforeValidator(reader(_address)), text("[0-9A-Fa-f:.]+", "an IP")]
Literals = Annotated[
    list[AddressText],
    BeforeValidator(_listed),
    Field(min_length=1),
    WithJsonSchema(
        {
            "type": ["string", "array"],
            "items": {"type": "string"},
            "minItems": 1,
            "description": "one IP address or several",
        }
    ),
]
PatternField = Annotated[
    InstanceOf[Pattern],
    BeforeValidator(reader(_pattern)),
    text(
        r"\*|\[?[^\s@,\[\]]+\]?",
        "example.org, *.example.org, **.example.org, 192.0.2.7 or 10.0.0.0/8",
    ),
]
PortRange = Annotated[
    Ports,
    BeforeValidator(_port_range),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": PORT_LIMIT},
                {"type": "string", "pattern": rf"^(?:\*|{_PORT}(?:-{_PORT})?)$"},
            ],
            "description": 'a port, a range such as "8000-8999", or "*"',
        }
    ),
]
ProtocolField = Annotated[
    Protocol,
    BeforeValidator(reader(parse_protocol)),
    WithJsonSchema({"enum": [str(protocol) for protocol in Protocol]}),
]
PrivateBlock = Annotated[
    InstanceOf[Block],
    BeforeValidator(reader(parse_private_block)),
    text(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?", "a block of private addresses, 10.0.0.0/8"),
]
OneLine = Annotated[
    str,
    BeforeValidator(reader(_one_line)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _LINE_LENGTH}),
]
Expiry = Annotated[
    float,
    BeforeValidator(_expires),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date"},
                {"type": "string", "format": "date-time"},
            ],
            "description": "a date (through its end, UTC), or a date and time with an offset",
        }
    ),
]
ModeField = Annotated[
    Literal["full", "limited", "off"],
    Field(description="limited lets only plain GET, HEAD and OPTIONS pass; full if nobody says"),
]
DefaultField = Annotated[
    Literal["ask", "deny", "allow"],
    Field(description="what happens where no rule matches; ask if nobody says"),
]
OnDenialField = Annotated[
    Literal["cancel", "block"],
    Field(description="whether a denial ends the command, or refuses the connection only"),
]
SniField = Annotated[
    Literal["refuse", "record"],
    Field(description="what becomes of a tunnel whose TLS asks for another name"),
]
AuditMode = Annotated[
    Literal["written", "strict", "best_effort"],
    Field(description="what an allow waits for, and whether it goes on without; written if unset"),
]
# Narrowest first.
ScopeField = Literal["once", "run", "time", "session", "always"]
MethodText = Annotated[
    str, BeforeValidator(reader(parse_method)), text(r"[^\s*]+", "a method such as GET")
]
PathText = Annotated[
    str, BeforeValidator(reader(parse_path)), text(r"/\S*", "a path such as /v1/**")
]
FieldName = Annotated[str, BeforeValidator(reader(parse_header_name)), text(".+", "a field name")]
FieldValue = Annotated[
    str, BeforeValidator(reader(parse_header_value)), text(".*", "a field value such as build-*")
]


class RuleTable(Strict):
    """A rule as a table: what the short form has no room for."""

    host: PatternField
    # None: the default of the short form, and any protocol. An empty list would match nothing.
    ports: Some[PortRange] | None = None
    protocols: Some[ProtocolField] | None = None
    methods: Some[MethodText] | None = None
    paths: Some[PathText] | None = None
    headers: (
        Annotated[dict[FieldName, FieldValue], Field(min_length=1), WrapValidator(_one_spelling)]
        | None
    ) = None
    verdict: Literal["allow", "deny"]
    reason: OneLine | None = None
    on_denial: OnDenialField | None = None
    expires: Expiry | None = None
