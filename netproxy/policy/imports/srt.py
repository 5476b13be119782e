"""Anthropic's sandbox-runtime: `network.allowedDomains` and `deniedDomains` of its settings.

Theirs: a denied entry wins, then an allowed one, else a callback is asked or the answer is no.
`*.d` is everything below d; an entry may end with `:port`, and without one it is every port. HTTP,
CONNECT and SOCKS5 connections are judged alike; there is no UDP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import Protocol
from netproxy.policy.hosts import shown
from netproxy.policy.imports.common import (
    Entry,
    Imported,
    Listed,
    Profile,
    allow_entry,
    deny_entry,
    split_port,
    without_gaps,
)
from netproxy.policy.imports.reading import Source, read_json
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROTOCOLS = (Protocol.HTTP, Protocol.HTTPS, Protocol.SOCKS5_TCP)
_NAME = "srt"

# What their other network keys mean for whoever relies on them.
_OTHER_KEYS = {
    "allowUnixSockets": "unix sockets are no destinations here",
    "allowAllUnixSockets": "unix sockets are no destinations here",
    "allowLocalBinding": "whether the command may listen is no rule here",
    "allowMachLookup": "Mach services are no destinations here",
    "httpProxyPort": "theirs leaves the lists to an external proxy; here they hold",
    "socksProxyPort": "theirs leaves the lists to an external proxy; here they hold",
    "mitmProxy": "theirs sends some hosts through another proxy; here they are dialled",
    "parentProxy": "theirs goes through a parent proxy; here hosts are dialled",
    "tlsTerminate": "theirs looks into tunnels; here nothing does",
    "filterRequest": "theirs filters single requests; here nothing does",
}
_KNOWN = frozenset({"allowedDomains", "deniedDomains", "deniedDomainReasons", "strictAllowlist"})


def read(text: str, name: str) -> Imported:
    """Read a settings file. Raises `InvalidSettings`."""
    source = read_json(text, name)
    if not source.table("network"):
        raise source.problem((), "has no table network with allowedDomains")
    profile = Profile(
        name=_NAME,
        protocols=_PROTOCOLS,
        entries=without_gaps([*_allowed(source), *_denied(source)]),
        notes=tuple(_notes(source)),
    )
    return Imported(tool="sandbox-runtime", source=name, profiles=(profile,), default_profile=_NAME)


def _allowed(source: Source) -> Iterator[Entry]:
    for theirs, line in source.texts("network", "allowedDomains"):
        host, port = split_port(theirs)
        entry = allow_entry(Listed(theirs, line, host, port))
        yield entry if _is_valid(host) else _refused(entry)


def _denied(source: Source) -> Iterator[Entry]:
    reasons = source.table("network", "deniedDomainReasons")
    for theirs, line in source.texts("network", "deniedDomains"):
        host, port = split_port(theirs)
        key = ("network", "deniedDomainReasons", theirs)
        reason = source.text(*key) if theirs in reasons else None
        yield deny_entry(Listed(theirs, line, host, port), reason=reason)


def _is_valid(host: str) -> bool:
    """Tell whether theirs takes the entry at all: it refuses a file with any other."""
    labels = host.removeprefix("*.").split(".")
    is_name = len(labels) > 1 and all(labels) and "*" not in "".join(labels)
    return is_name or host == "localhost" or ":" in host


def _refused(entry: Entry) -> Entry:
    why = f"theirs refuses a file with {shown(entry.theirs)}"
    return replace(entry, host=None, notes=(why,), is_failed=True)


def _notes(source: Source) -> Iterator[str]:
    if not source.flag("network", "strictAllowlist"):
        yield 'theirs may ask where nothing matches; here the answer is no, or default = "ask"'
    yield "theirs may reach private addresses behind an allowed name; here allow_private says which"
    for key in source.table("network"):
        if key in _OTHER_KEYS:
            yield f"{key}: {_OTHER_KEYS[key]}"
        elif key not in _KNOWN:
            yield f"{shown(key)}: not known here, left out"
    for key in source.table():
        if key != "network":
            yield f"{shown(key)}: only the network lists are imported"
