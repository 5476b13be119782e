"""A destination as a person types it: `https://host/path`, `socks5-tcp://host:22`, `host:443`.

For `netproxy policy`, never for what a client sent: international names and whole URLs are welcome
here, and the path and query of a URL are left out.
"""

from __future__ import annotations

import re
from typing import Final

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import Destination, Protocol
from netproxy.policy.hosts import destination, shown
from netproxy.policy.rules import parse_protocol

# RFC 9110 sections 4.2.1 and 4.2.2. The others have no port that everybody means.
_DEFAULT_PORTS: Final = {Protocol.HTTP: "80", Protocol.HTTPS: "443"}
# What a client would ask for: a page, a tunnel; the other protocols have no methods.
_METHODS: Final = {Protocol.HTTP: "GET", Protocol.HTTPS: "CONNECT"}
_NO_METHOD = "none"
_REST = re.compile(r"[/?#]")


def parse_destination(text: str) -> tuple[Destination, str]:
    """Read a destination and the method that goes with it. Raises `InvalidDestination`."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        protocol, rest = Protocol.HTTPS, text
    else:
        protocol = _protocol(scheme)
    authority, path = _divided(rest)
    if path and (not separator or protocol not in _DEFAULT_PORTS):
        meant = f"{protocol}://{authority}{path if not separator else ''}"
        raise InvalidDestination(f"{shown(text)} has a path, did you mean {shown(meant)}?")
    host, port = _host_and_port(authority, text)
    if port is None:
        port = _DEFAULT_PORTS.get(protocol)
    if port is None:
        raise InvalidDestination(f"{shown(text)} has no port, and {protocol} has no usual one")
    return destination(host, port, protocol), _METHODS.get(protocol, _NO_METHOD)


def _protocol(text: str) -> Protocol:
    try:
        return parse_protocol(text.lower())
    except InvalidRule as error:
        raise InvalidDestination(str(error)) from None


def _divided(text: str) -> tuple[str, str]:
    """Part the authority from path, query and fragment."""
    found = _REST.search(text)
    return (text, "") if found is None else (text[: found.start()], text[found.start() :])


def _host_and_port(authority: str, text: str) -> tuple[str, str | None]:
    """Part `host:port` or `[IPv6]:port`; None without a colon."""
    if "@" in authority:
        raise InvalidDestination(f"{shown(text)} carries userinfo")
    if authority.startswith("["):
        inside, closed, rest = authority[1:].partition("]")
        if not closed or (rest and rest[0] != ":") or ":" not in inside:
            raise InvalidDestination(f"{shown(text)} is not [IPv6]:port")
        return inside, rest[1:] if rest else None
    host, colon, port = authority.partition(":")
    if ":" in port:
        raise InvalidDestination(f"{shown(text)} holds IPv6 without brackets")
    return host, port if colon else None
