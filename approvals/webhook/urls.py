"""Reads where a webhook goes, once and strictly. Pure.

What one URL reader calls the host, another may call a user name, a path or a second request. So
only plain ones are taken: https, a name in ASCII or an address in its one spelling, no user name,
no fragment, nothing that needs escaping.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from approvals.errors import InvalidEndpoint
from otel.values import dataclass

_MOST_CHARACTERS: Final = 2048
# Labels of RFC 1123 (and the underscores that people use); IDNA names in their ASCII form.
_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9-]+")
# A last label that getaddrinfo reads as a number makes the name an address: 127.1, 0x7f000001.
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# What RFC 3986 lets stand in a path and a query.
_REST: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointUrl:
    """Where an endpoint is."""

    text: str
    host: str  # a name, or an address without brackets; lower case
    port: int
    is_encrypted: bool
    is_address: bool


def parse_url(text: str) -> EndpointUrl:
    """Read the URL of an endpoint. Raises `InvalidEndpoint` in one clause, without its secrets."""
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise InvalidEndpoint("has characters that a URL spells in another way")
    if len(text) > _MOST_CHARACTERS:
        raise InvalidEndpoint(f"has more than {_MOST_CHARACTERS} characters")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidEndpoint("is not a URL") from None
    if parts.scheme not in {"https", "http"}:
        raise InvalidEndpoint("does not begin with https://")
    if "@" in parts.netloc:
        raise InvalidEndpoint("has a user name or password; receivers verify the signature")
    if "#" in text:
        raise InvalidEndpoint("has a fragment, which is never sent")
    if port == 0 or parts.netloc.endswith(":"):
        raise InvalidEndpoint("has no port after its colon")
    if not _REST.fullmatch(text.partition("://")[2][len(parts.netloc) :]):
        raise InvalidEndpoint("has characters that a URL spells in another way")
    return EndpointUrl(
        text=text,
        host=host,
        port=port or (443 if parts.scheme == "https" else 80),
        is_encrypted=parts.scheme == "https",
        is_address=_is_address(host, parts.netloc),
    )


def is_loopback(address: str) -> bool:
    """Whether an address is this host's own, in the one spelling that nobody reads otherwise."""
    found = ipaddress.ip_address(address)
    return found.is_loopback


def _is_address(host: str, authority: str) -> bool:
    if authority.startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise InvalidEndpoint("has brackets around something that is no IPv6 address") from None
        if "%" in host:
            raise InvalidEndpoint("names an interface")
        return True
    if _NUMERIC.fullmatch(host):
        try:
            return str(ipaddress.IPv4Address(host)) == host
        except ValueError:
            raise InvalidEndpoint("has a number for a host that is no IPv4 address") from None
    if not _NAME.fullmatch(host):
        raise InvalidEndpoint("has no host that can be looked up")
    return False
