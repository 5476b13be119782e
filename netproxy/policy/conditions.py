"""What a rule may ask of a request beyond its destination: methods, paths, header fields.

Seeing these inside a tunnel takes inspection; until there is one, a rule that has a condition
refuses with `inspection_required` (`netproxy.policy.engine`). In a path, `*` is any part of one
segment, and `**` at the end is the rest: `/v1/*` is `/v1/items`, `/v1/**` all that begins `/v1/`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.policy.globs import glob_matches, pieces_of
from netproxy.policy.hosts import shown
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
# RFC 9110 section 9.3 and RFC 5789; nobody means another method that differs only in case.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})?")
# RFC 3986 section 3.3: pchar without its percent-encoding, and the slash.
_PATH_STRANGER = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/%-]")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")  # RFC 3986 section 2.3
# What ends a segment for some servers, what they may decode once more, and control characters.
_HIDDEN = re.compile(r"[/\\%;\x00-\x1f\x7f]")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """All that is given must hold; within one list, one of it is enough. Empty: any."""

    methods: tuple[str, ...] = ()  # "GET"
    paths: tuple[str, ...] = ()  # "/v1/**"
    headers: tuple[tuple[str, str], ...] = ()  # ("x-team", "build-*"), the name in lower case

    def matches(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Tell whether a request is meant; `path` comes from `canonical_path`, names in lower case.

        Whoever asks refuses a request that sends a field twice: which one counts is the server's.
        """
        if self.methods and method not in self.methods:
            return False
        if self.paths and not any(_path_matches(each, path) for each in self.paths):
            return False
        return all(
            name in headers and glob_matches(pieces_of(value), headers[name])
            for name, value in self.headers
        )

    @property
    def canonical(self) -> str:
        """All of it, quoted: paths and values may hold what stands between two of them in words."""
        return f"when {list(self.methods)} {list(self.paths)} {list(self.headers)}"

    def __str__(self) -> str:
        fields = (f"{name}: {value}" for name, value in self.headers)
        parts = (",".join(self.methods), ",".join(self.paths), ",".join(fields))
        return " ".join(part for part in parts if part)


def parse_method(text: str) -> str:
    """Read a method, which is case-sensitive (RFC 9110 section 9.1). Raises `InvalidRule`."""
    if not _TOKEN.fullmatch(text) or "*" in text:
        raise InvalidRule(f"{shown(text)} is not a method such as GET")
    if text == "CONNECT":
        raise InvalidRule("CONNECT makes the tunnel that a rule looks into, name what is inside")
    if text.upper() in _METHODS and text not in _METHODS:
        raise InvalidRule(f"{shown(text)}: methods are in capitals, did you mean {text.upper()}?")
    return text


def parse_path(text: str) -> str:
    """Read a path glob. Raises `InvalidRule` for what no request's canonical path can match."""
    try:
        path = canonical_path(text)
    except InvalidDestination as error:
        raise InvalidRule(str(error)) from None
    if path != text:
        raise InvalidRule(f"{shown(text)} has a plainer spelling, did you mean {path}?")
    if "**" in path.removesuffix("/**"):
        raise InvalidRule(f"{shown(text)}: ** stands only as the last segment, as in /v1/**")
    return path


def parse_header_name(text: str) -> str:
    """Read a field's name, into lower case. Raises `InvalidRule`."""
    if not _TOKEN.fullmatch(text):
        raise InvalidRule(f"{shown(text)} is not a field name such as x-team")
    if text.lower() in _CREDENTIALS:
        # Rules are shown to clients and stand in the journal.
        raise InvalidRule(f"{text.lower()} holds a secret, which no rule may")
    return text.lower()


def parse_header_value(text: str) -> str:
    """Read the glob of a field's value, which a parser would trim. Raises `InvalidRule`."""
    if not _VALUE.fullmatch(text):
        raise InvalidRule(f"{shown(text)} is not a field value such as build-*")
    return text


def canonical_path(text: str) -> str:
    """Return the one spelling of a request's path. Raises `InvalidDestination`, mends nothing else.

    What servers read in more than one way is refused: a rule would see another path than they do.
    """
    if not text.startswith("/"):
        raise InvalidDestination(f"{shown(text)} is not a path, which begins with /")
    if strange := _PATH_STRANGER.search(text):
        raise InvalidDestination(f"{shown(text)} {_stranger_fault(strange[0])}")
    path = _ESCAPED.sub(_plainest, text)
    segments = path.split("/")[1:]
    if "" in segments[:-1]:
        raise InvalidDestination(f"{shown(text)} has an empty segment")
    # Java servers cut a segment at its first semicolon before they look for dots.
    if any(segment.partition(";")[0] in {".", ".."} for segment in segments):
        raise InvalidDestination(f"{shown(text)} has a . or .. segment")
    return path


def _plainest(escape: re.Match[str]) -> str:
    """RFC 3986 section 6.2.2: hex in capitals, and nothing encoded that need not be."""
    if escape[1] is None:
        raise InvalidDestination(f"{shown(escape.string)} has a % that encodes nothing")
    character = chr(int(escape[1], 16))
    if _HIDDEN.fullmatch(character):
        raise InvalidDestination(f"{shown(escape.string)} hides {shown(character)}")
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()


def _stranger_fault(character: str) -> str:
    match character:
        case "?":
            return "has a query, which is no part of a path"
        case "#":
            return "has a fragment, which is never sent"
        case _ if not character.isascii():
            encoded = "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))
            return f"holds {shown(character)}, which is sent as {encoded}"
        case _:
            return f"holds {shown(character)}, which no path may"


def _path_matches(glob: str, path: str) -> bool:
    wanted, segments = glob.split("/"), path.split("/")
    if wanted[-1] == "**":
        wanted.pop()
        if len(segments) <= len(wanted):
            return False
        segments = segments[: len(wanted)]
    return len(wanted) == len(segments) and all(map(_segment_matches, wanted, segments))


def _segment_matches(glob: str, segment: str) -> bool:
    # A star for a whole segment is at least one character, as it is for a label of a host.
    return segment != "" if glob == "*" else glob_matches(pieces_of(glob), segment)
