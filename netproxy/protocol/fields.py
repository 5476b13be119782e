"""Questions about a message's fields that both directions ask: framing, Connection, Host.

Ambiguity is refused, not repaired: two readers who disagree on where a message ends are how
requests are smuggled (RFC 9112 section 11.2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netproxy.errors import ClientProtocolError
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.protocol.head import Fields

_LENGTH = re.compile(rb"[0-9]{1,18}")
TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# RFC 9110 section 7.6.1, and what only ever concerned the next hop. Transfer-Encoding and Trailer
# go because framing is made anew; a Trailer, TE or Upgrade that is passed on is ours.
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
    }
)
# A Connection field that names one of these would make us drop what routes, frames or protects the
# message (tinyproxy, CVE-2023-49606, freed its own Connection field that way).
_NEVER_NAMED: Final = frozenset(
    {
        b"authorization",
        b"cache-control",
        b"connection",
        b"content-length",
        b"cookie",
        b"expect",
        b"host",
        b"max-forwards",
        b"set-cookie",
        b"via",
    }
)
# In an answer it is harmless, and some servers send it: the client's framing is made anew. Whoever
# sends it in a request counts on the next reader to drop it.
_NEVER_ASKED: Final = _NEVER_NAMED | {b"transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Length:
    """Exactly this many bytes of body."""

    octets: int


class Chunked:
    """A body in chunks, ended by an empty one."""

    __slots__ = ()


class UntilClose:
    """Whatever comes until the origin closes: responses only (RFC 9112 section 6.3)."""

    __slots__ = ()


type Index = Mapping[bytes, list[bytes]]
type Framing = Length | Chunked | UntilClose

# The one protocol that a connection may change to on its way through here (RFC 6455).
WEBSOCKET: Final = [b"websocket"]
# Whoever speaks HTTP/2 behind our back asks for things that nobody decides about.
_HTTP2_IN_THE_CLEAR: Final = b"h2c"

_NO_OPTIONS: Final[frozenset[bytes]] = frozenset()
NO_BODY: Final = Length(0)
CHUNKED: Final = Chunked()
UNTIL_CLOSE: Final = UntilClose()


def by_name(fields: Fields) -> Index:
    """All values of each field, in order, under its name in lower case."""
    index: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        index.setdefault(name.lower(), []).append(value)
    return index


def connection_options(index: Index, *, is_answer: bool = False) -> frozenset[bytes]:
    """What Connection lists, in lower case. Naming a field that must stay is refused."""
    if b"connection" not in index:
        return _NO_OPTIONS
    listed = b",".join(index[b"connection"]).lower().split(b",")
    options = {option.strip(b" \t") for option in listed} - {b""}
    if bad := options & (_NEVER_NAMED if is_answer else _NEVER_ASKED):
        raise ClientProtocolError(f"Connection names {min(bad).decode()}")
    if any(not TOKEN.fullmatch(option) for option in options):
        raise ClientProtocolError("Connection holds something that is not a field name")
    return frozenset(options)


def offered_protocols(index: Index, options: frozenset[bytes]) -> list[bytes]:
    """Which protocols Upgrade offers or takes, in lower case; none unless Connection names it.

    An offer of h2c is refused (RFC 9113 took it back), named or not: the next hop may be one that
    does not ask for that.
    """
    if b"upgrade" not in index:
        return []
    listed = b",".join(index[b"upgrade"]).lower().split(b",")
    protocols = [protocol.strip(b" \t") for protocol in listed]
    if _HTTP2_IN_THE_CLEAR in protocols:
        raise ClientProtocolError("an upgrade to h2c; this is HTTP/1.1 only")
    return protocols if b"upgrade" in options else []


def declared_framing(index: Index, *, minor: int) -> Length | Chunked | None:
    """What Content-Length or Transfer-Encoding say; None when both are silent."""
    lengths, codings = index.get(b"content-length"), index.get(b"transfer-encoding")
    if lengths and codings:
        raise ClientProtocolError("both Content-Length and Transfer-Encoding (RFC 9112 6.3)")
    if codings:
        return _chunked(codings, minor)
    if not lengths:
        return None
    if len(lengths) > 1:
        raise ClientProtocolError("Content-Length is repeated")
    if not _LENGTH.fullmatch(lengths[0]):
        raise ClientProtocolError("Content-Length is not a number")
    return Length(int(lengths[0]))


def _chunked(codings: list[bytes], minor: int) -> Chunked:
    if minor == 0:
        raise ClientProtocolError("Transfer-Encoding in HTTP/1.0 (RFC 9112 section 6.1)")
    if len(codings) > 1 or codings[0].lower() != b"chunked":
        raise ClientProtocolError("a transfer coding other than chunked", status=501)
    return CHUNKED
