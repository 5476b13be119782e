"""Whether TLS, or plain HTTP, asks for the name that a connection was let through for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.connection.fake_names import FAKE_PREFIXES
from netproxy.errors import InvalidDestination
from netproxy.policy.hosts import canonical_host, is_address, parse_authority, shown

if TYPE_CHECKING:
    from netproxy.protocol.host_field import Asked
    from netproxy.protocol.tls_hello import Hello


def name_problem(host: str, hello: Hello) -> str | None:
    """Say which name is not the canonical `host`'s. None: it has no name, or all are right.

    An address has no name of its own to compare with. Where a name may still come in what nobody
    waits for, or in what we can't read, it is not known, and that is a problem, too: else a long,
    slow or broken hello would hide it, or another hello behind it.
    """
    if is_address(host):
        return None
    for name in hello.server_names:
        if not _is(host, name):
            asked = shown(name.decode("latin-1"))
            return f"the tunnel was opened for {host}, but its TLS asks for {asked}"
    if not (hello.is_whole or hello.is_ended):
        return (
            f"the tunnel was opened for {host}, but its TLS is too long, slow or broken to show it"
        )
    return None


def host_problem(host: str, asked: Asked) -> str | None:
    """Say the same of a plain request's host, its port aside: a server listens where it listens."""
    if is_address(host):
        return None
    for named in asked.hosts:
        found = _host_of(named)
        # Who looked the name up, and writes the address that it got, names nobody else.
        is_stand_in = found is not None and is_address(found) and found.startswith(FAKE_PREFIXES)
        if found != host and not is_stand_in:
            shown_host = shown(named.decode("latin-1"))
            return f"the connection was made to {host}, but its request is for {shown_host}"
    if not (asked.hosts or asked.is_whole or asked.is_ended):
        return (
            f"the connection was made to {host}, but its request is too long or slow to show that"
        )
    return None


def shown_name(hello: Hello) -> str | None:
    """Write what it asks for, for the record: canonical where that can be said."""
    if not hello.server_names:
        return None
    return ",".join(
        _canonical(name) or shown(name.decode("latin-1")) for name in hello.server_names
    )


def _is(host: str, name: bytes) -> bool:
    return _canonical(name) == host


def _canonical(name: bytes) -> str | None:
    # RFC 6066 section 3: ASCII, international names as A-labels.
    if not name.isascii():
        return None
    try:
        return canonical_host(name.decode("ascii"))
    except InvalidDestination:
        return None


def _host_of(authority: bytes) -> str | None:
    try:
        return parse_authority(authority.decode("ascii"), default_port=80)[0]
    except (InvalidDestination, UnicodeDecodeError):
        return None
