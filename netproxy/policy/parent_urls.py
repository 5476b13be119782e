"""The URL of a parent proxy: how it is spoken to, and where it is. Pure.

    http://proxy.example:3128   socks5://10.0.0.1:1080   socks5h://…   socks4://…   socks4a://…

Credentials have a file of their own: a URL ends up in listings, copies and questions for help.
"""

from __future__ import annotations

import re

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.policy.hosts import parse_authority, shown
from netproxy.policy.spelling import nearest
from otel.values import dataclass

# By scheme: what is spoken, and the port that curl takes.
_SCHEMES = {
    "http": ("http", 1080),
    "socks5": ("socks5", 1080),
    "socks5h": ("socks5", 1080),
    "socks4": ("socks4", 1080),
    "socks4a": ("socks4", 1080),
}
_RESOLVING = frozenset({"socks5h", "socks4a"})  # there the parent looks names up, says the scheme
_SHAPE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentUrl:
    """A parent's address. `says_there`: its scheme means that it looks names up."""

    kind: str  # http, socks5 or socks4
    host: str
    port: int
    says_there: bool


def parse_parent_url(text: str) -> ParentUrl:
    """Read a URL. Raises `InvalidRule`, without repeating what may be a secret."""
    parts = _SHAPE.fullmatch(text)
    if parts is None:
        raise InvalidRule("is not scheme://host:port, such as http://proxy.example:3128")
    scheme, authority = parts[1].lower(), parts[2]
    if "@" in authority:
        raise InvalidRule("holds credentials, put them into a file (credentials_file)")
    if scheme not in _SCHEMES:
        known = f"is not one of {', '.join(_SCHEMES)}{nearest(scheme, _SCHEMES)}"
        raise InvalidRule(f"the scheme {shown(scheme)} {known}")
    kind, default_port = _SCHEMES[scheme]
    try:
        host, port = parse_authority(authority, default_port=default_port)
    except InvalidDestination as error:
        raise InvalidRule(str(error)) from None
    return ParentUrl(kind=kind, host=host, port=port, says_there=scheme in _RESOLVING)
