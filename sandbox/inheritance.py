"""Which of the caller's variables the command gets: by name, and never by what they hold. Pure.

Order: `inherit`, the default excludes, `exclude`, `set`, `include_only`; what the command line
named comes last and wins. Patterns know `*` only, and no case.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping


class Inherit(StrEnum):
    """How much of the caller's environment there is to choose from."""

    ALL = "all"
    CORE = "core"
    NONE = "none"


# What a program needs to find its way: no program's settings, nobody's secrets.
CORE = (
    "PATH", "HOME", "SHELL", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "LC_*",
    "TZ", "TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES",
)  # fmt: skip

# TOKENIZERS_PARALLELISM, KEYBOARD_LAYOUT and PWD are none: hence no `*TOKEN*`, `*KEY*`, `*PWD`.
SECRETS = (
    "*SECRET*", "*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*_PASS", "*_PWD", "*CREDENTIAL*",
    "*TOKEN", "*TOKENS", "*TOKEN_*", "*KEY", "*KEYS", "*KEY_*", "*_PAT", "*_AUTH", "*JWT*",
    "*COOKIE*", "*_DSN", "*CONNECTION_STRING*", "DOCKER_AUTH_CONFIG", "BW_SESSION", "OP_SESSION_*",
)  # fmt: skip

# Sockets of the host's services (agents, desktops, supervisors): none can be reached from inside,
# and a program that tries waits, or complains.
SOCKETS = (
    "SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_AGENT_INFO", "GNOME_KEYRING_CONTROL", "SESSION_MANAGER",
    "DBUS_*_BUS_ADDRESS", "DBUS_STARTER_ADDRESS",
    "DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "XAUTHORITY", "XDG_RUNTIME_DIR", "PULSE_SERVER",
    "PIPEWIRE_REMOTE", "DOCKER_HOST", "CONTAINER_HOST", "BUILDKIT_HOST", "TMUX", "STY",
    "VSCODE_*IPC*", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "JOURNAL_STREAM",
)  # fmt: skip

# Loaded into every program before its first instruction, and made for the host. LD_LIBRARY_PATH is
# a search path, as PATH is.
LOADED = ("LD_PRELOAD", "LD_AUDIT")

# Settings and secrets of the gateway itself: the command has no use for them, and can't reach the
# collector that they are for. Only their very name brings one in.
GATEWAYS = ("OTEL_*", "CREDENTIALS_DIRECTORY")
# How netproxy speaks to what runs inside. Nobody else says these.
RESERVED = ("NETPROXY", "NETPROXY_*")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentPolicy:
    """What was asked for. `exclude` and `include_only` are patterns; none of the latter: all."""

    inherit: Inherit = Inherit.ALL
    default_excludes: bool = True
    exclude: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)  # `set`
    include_only: tuple[str, ...] = ()
    named: tuple[str, ...] = ()  # --env NAME: the caller's, whatever excludes it
    said: Mapping[str, str] = field(default_factory=dict)  # --env NAME=VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """`explicit` are the names that somebody asked for."""

    variables: Mapping[str, str]
    explicit: frozenset[str]


def inherited(
    parent: Mapping[str, str],
    policy: EnvironmentPolicy,
    *,
    fenced: bool,
    usable: tuple[str, ...] = (),
) -> Inherited:
    """Choose. `usable` are sockets that can be reached from inside: what names one is kept.

    Without a fence the host's sockets lead where they always do, and so does what is loaded.
    """
    left_out = (*policy.exclude, *GATEWAYS)
    if policy.default_excludes:
        left_out += SECRETS + LOADED if fenced else SECRETS
    closed = SOCKETS if policy.default_excludes and fenced else ()
    kept = {
        name: value
        for name, value in parent.items()
        if _is_within(name, policy.inherit)
        and not is_among(name, left_out)
        and (not is_among(name, closed) or _names_one(value, usable))
    }
    kept |= policy.values
    if policy.include_only:
        kept = {name: kept[name] for name in kept if is_among(name, policy.include_only)}
    kept |= {name: parent[name] for name in policy.named if name in parent}
    kept |= policy.said
    variables = {name: kept[name] for name in kept if not is_among(name, RESERVED)}
    return Inherited(
        variables=variables,
        explicit=frozenset({*policy.values, *policy.named, *policy.said} & variables.keys()),
    )


def is_among(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns is the whole name, in any case."""
    upper = name.upper()
    plain, starred = _parsed(patterns)
    return upper in plain or any(_matches(upper, parts) for parts in starred)


@lru_cache(maxsize=16)  # each of a hundred names is held against the same few lists
def _parsed(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[list[str], ...]]:
    """Names without a star, and what lies between the stars of the others."""
    upper = [pattern.upper() for pattern in patterns]
    starred = tuple(pattern.split("*") for pattern in upper if "*" in pattern)
    return frozenset(pattern for pattern in upper if "*" not in pattern), starred


def _matches(name: str, parts: list[str]) -> bool:
    first, last = parts[0], parts[-1]
    if not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in parts[1:-1]:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end


def _is_within(name: str, inherit: Inherit) -> bool:
    return inherit is Inherit.ALL or (inherit is Inherit.CORE and is_among(name, CORE))


def _names_one(value: str, paths: tuple[str, ...]) -> bool:
    """As a path, or as an address: `unix:///run/x`, `unix:path=/run/x,guid=…`."""
    place = value.partition(",")[0].removeprefix("unix:").removeprefix("path=")
    return place.removeprefix("//") in paths
