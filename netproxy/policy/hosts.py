"""One spelling for every destination: canonical hosts, ports and authorities.

Every listener, rule and log line comes through here. A text that has no canonical form is refused
(`InvalidDestination`), never mended: what a resolver or a URL library would still accept (numbers
that become addresses, names cut at NUL, userinfo, zone ids) is how policies are bypassed.
What kind of address a literal is: `netproxy.policy.addresses`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from netproxy.errors import InvalidDestination
from netproxy.model import Destination, Protocol

# RFC 1035 section 2.3.4: 255 octets on the wire are 253 characters of text.
NAME_LENGTH = 253
LABEL_LENGTH = 63
PORT_LIMIT = 65535

# RFC 1123 section 2.1, plus the underscore that real names carry (_dmarc, build_cache).
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# The common case in one step: several labels or one, the last of them beginning with a letter.
_PLAIN = re.compile(rf"(?:{_LABEL}\.)*+[a-z](?:[a-z0-9_-]{{0,61}}[a-z0-9_])?")
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_QUAD = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_STRANGE = re.compile(r"[^a-z0-9._-]")
_LETTERS = re.compile(r"[A-Za-z]+")
_TOO_LONG = f"the host has more than {NAME_LENGTH} characters"
# Clients ask for the same few again and again. What raises is not kept.
_REMEMBERED = 1024
_SHOWN = 80  # of an untrusted text, in our own messages


def canonical_host(text: str) -> str:
    """Return the one spelling of a host without brackets. Raises `InvalidDestination`."""
    if _PLAIN.fullmatch(text) and len(text) <= NAME_LENGTH and "xn--" not in text:
        return text
    if _QUAD.fullmatch(text):
        return text
    if ":" in text:
        return _canonical_ipv6(text)
    # One dot more than a name, and no more: the IDNA code below is not linear in its input
    # (CVE-2024-3651), so an over-long text must not reach it.
    if len(text) > NAME_LENGTH + 1:
        raise InvalidDestination(_TOO_LONG)
    return _canonical_name(text)


def canonical_port(text: str | int) -> int:
    """1 to 65535 in plain decimal: no sign, no space, no leading zero, no other script's digits."""
    written = str(text) if isinstance(text, int) else text
    if not _PORT.fullmatch(written) or int(written) > PORT_LIMIT:
        raise InvalidDestination(f"port {shown(written)} is not a number from 1 to {PORT_LIMIT}")
    return int(written)


def parse_authority(text: str, *, default_port: int | None) -> tuple[str, int]:
    """Read `host:port` or `[v6]:port`, both canonical; without a default the port is required.

    An authority is ASCII (RFC 3986 section 3.2): international names come as A-labels.
    """
    host, port = _split_authority(text)
    if port is not None:
        return host, canonical_port(port)
    if default_port is None:
        raise InvalidDestination(f"{shown(text)} has no port")
    return host, default_port


@lru_cache(maxsize=_REMEMBERED)
def destination(host: str | bytes, port: int | str, protocol: Protocol) -> Destination:
    """Make a `Destination` from what a client sent: the only way. Raises `InvalidDestination`.

    Bytes are what came from the wire: there a name is ASCII (RFC 9110 section 4.2, RFC 1928).
    """
    if isinstance(host, bytes):
        if not host.isascii():
            raise InvalidDestination("the host holds bytes outside ASCII")
        host = host.decode("ascii")
    return Destination(host=canonical_host(host), port=canonical_port(port), protocol=protocol)


def unicode_form(host: str) -> str:
    """Write a canonical host as its owner does, for people to read beside it, not to match."""
    if "xn--" not in host:
        return host
    import idna

    return ".".join(
        idna.ulabel(label) if label.startswith("xn--") else label for label in host.split(".")
    )


def is_address(host: str) -> bool:
    """Tell a canonical IP literal from a canonical name (whose last label is never a number)."""
    return ":" in host or host[host.rfind(".") + 1 :].isdigit()


def shown(text: str) -> str:
    """Quote an untrusted text for one of our messages: in ASCII, and of bounded length."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _canonical_ipv6(text: str) -> str:
    if "%" in text:
        raise InvalidDestination(f"{shown(text)} has a zone id or percent-encoding")
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise InvalidDestination(f"{shown(text)} is not an IPv6 address") from None
    mapped = address.ipv4_mapped
    return str(address) if mapped is None else str(mapped)


def _canonical_name(text: str) -> str:
    name = text.lower() if text.isascii() else _mapped(text)
    name = name.removesuffix(".")
    if text.isascii() and _QUAD.fullmatch(name):
        return name
    # Mapping can multiply the length, and an A-label is never shorter than what it encodes.
    if len(name) > NAME_LENGTH:
        raise InvalidDestination(_TOO_LONG)
    name = ".".join([_a_label(label) for label in name.split(".")])
    _check_name(name, text)
    return name


def _mapped(text: str) -> str:
    """UTS 46 section 4 steps 1 to 3: mapped, normalised, and with its dots made plain."""
    import idna

    try:
        return idna.uts46_remap(text, std3_rules=False, transitional=False)
    except idna.IDNAError:
        raise InvalidDestination(f"{shown(text)} is not an international name") from None


def _a_label(label: str) -> str:
    """Turn a label into its A-label; what comes as one must encode something valid."""
    if label.isascii() and not label.startswith("xn--"):
        return label
    import idna

    try:
        encoded = idna.alabel(label).decode("ascii")
    except (idna.IDNAError, UnicodeError, OverflowError):
        # OverflowError: CPython's punycode decoder, for a code point past the machine's integers.
        raise InvalidDestination(f"{shown(label)} is not an international label") from None
    return encoded


def _check_name(name: str, text: str) -> None:
    """Say what is wrong with the first thing that is, in the words of whoever wrote it."""
    if not name:
        raise InvalidDestination("the host is empty")
    if strange := _STRANGE.search(name):
        raise InvalidDestination(f"{shown(text)} holds {shown(strange[0])}, which no host name may")
    if len(name) > NAME_LENGTH:
        raise InvalidDestination(_TOO_LONG)
    if not _NAME.fullmatch(name):
        raise InvalidDestination(f"{shown(text)} {_label_fault(name)}")
    # WHATWG URL, "ends in a number": getaddrinfo reads 2130706433, 0x7f.1 and 127.1 as loopback.
    last = name[name.rfind(".") + 1 :]
    if last.isdigit() or last.startswith("0x"):
        raise InvalidDestination(f"{shown(text)} is a number, not a dotted quad or a name")


def _label_fault(name: str) -> str:
    labels = name.split(".")
    if "" in labels:
        return "has an empty label"
    if any(len(label) > LABEL_LENGTH for label in labels):
        return f"has a label of more than {LABEL_LENGTH} characters"
    return "has a label that begins or ends with a hyphen"


def _split_authority(text: str) -> tuple[str, str | None]:
    """Host (canonical) and the port's text, None without a colon."""
    if not text.isascii():
        raise InvalidDestination(f"{shown(text)} holds characters outside ASCII")
    if "@" in text:
        raise InvalidDestination(f"{shown(text)} carries userinfo")
    if text.startswith("["):
        inside, closed, rest = text[1:].partition("]")
        if not closed or (rest and rest[0] != ":") or ":" not in inside:
            raise InvalidDestination(f"{shown(text)} is not [IPv6]:port")
        return canonical_host(inside), rest[1:] if rest else None
    host, colon, port = text.partition(":")
    if ":" in port:
        raise InvalidDestination(f"{shown(text)} holds IPv6 without brackets")
    return canonical_host(host), port if colon else None
