"""What only a proxy may say of itself, taken out of origins' answers (RFC 9209).

An origin that could speak in our name could pass its own answer off as our refusal, or a refusal
of another's as its own. Members of Proxy-Status that other proxies added stay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netproxy.protocol.fields import Index
    from netproxy.protocol.head import Fields

OUR_NAME: Final = "netproxy"
# Ours alone: no other proxy is known to say it.
PROXY_ERROR: Final = b"x-proxy-error"

_OURS = OUR_NAME.encode("ascii")
# RFC 8941 section 3.3.3. A member of a list ends at a comma outside of one.
_STRING = rb'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'
_LIST = re.compile(rb'(?:[^"]|%b)*' % _STRING)
_MEMBER = re.compile(rb'(?:[^",]|%b)+' % _STRING)


def without_our_name(fields: Fields, index: Index) -> Fields:
    """Leave out what claims to be ours, and a Proxy-Status that is no list: who knows its names."""
    if b"proxy-status" not in index:
        return fields
    kept: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        if name.lower() != b"proxy-status":
            kept.append((name, value))
        elif others := _of_others(value):
            kept.append((name, others))
    return tuple(kept)


def _of_others(value: bytes) -> bytes:
    if not _LIST.fullmatch(value):
        return b""
    members = [member.strip(b" \t") for member in _MEMBER.findall(value)]
    return b", ".join(member for member in members if member and not _is_ours(member))


def _is_ours(member: bytes) -> bool:
    """A name is a token or a string, and a reader may care less about case than RFC 9209 does."""
    return member.lstrip(b'"').replace(b"\\", b"").lower().startswith(_OURS)
