"""Which host plain HTTP asks for, read from the first bytes of a connection to anywhere.

A request line says that it is HTTP (RFC 9112 section 3), and only then fields are read, up to the
end of the head. Read as loosely as some server might: what is looked for is another name than the
one that was let through. What it is worth: only the first request of a connection is seen here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

from netproxy.protocol.buffer import NEED_DATA, NeedData

# The methods that servers know (RFC 9110, RFC 5789, WebDAV, the preface of HTTP/2). With any word
# every line that is typed letter by letter would be held back until it ends.
_METHODS: Final = (
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI",
    b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"REPORT", b"SEARCH",
    b"MERGE", b"CHECKOUT", b"MKACTIVITY", b"ACL", b"BIND", b"LINK", b"UNLINK", b"PURGE", b"QUERY",
)  # fmt: skip
# RFC 9112 section 3 lets servers take more than one space around and between the words of a request
# line; the last ones are what Python's `str.split` takes besides, and so its http.server.
_SPACE: Final = b" \t\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0"
_FIRST: Final = frozenset(_SPACE + b"\n") | {method[0] for method in _METHODS}
_BEGUN: Final = frozenset(method[:end] for method in _METHODS for end in range(len(method) + 1))
_METHOD: Final = b"(?:%b)" % b"|".join(_METHODS)
_AUTHORITY: Final = re.compile(rb"(?i:https?)://([^/?#]*)")
# Longer targets carry data (`Limits.target_bytes`); no server that is known of takes them.
_LINE_BYTES: Final = 16 * 1024


@cache
def _going_on() -> re.Pattern[bytes]:
    """A line that may become a request's. Compiled when there is one: it takes 0.5 ms."""
    return re.compile(rb"%b[%b][^\n\0]*" % (_METHOD, _SPACE))


@cache
def _request() -> re.Pattern[bytes]:
    """One that some server takes; one repetition before the version, as lines may be long."""
    return re.compile(rb"%b[%b](.*)[%b](?i:HTTP)/\d.*" % (_METHOD, _SPACE, _SPACE), re.DOTALL)


class Asked(NamedTuple):
    """What of a request's head could be read."""

    hosts: tuple[bytes, ...]  # as sent, with a port if there is one; a sound request has one
    is_whole: bool  # False: it was too long or too slow, so there may be more in it
    is_ended: bool = False  # and nothing more comes of it


class NotHttp:
    """The bytes so far begin no request, whatever comes next."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_HTTP"


NOT_HTTP: Final = NotHttp()

type Outcome = Asked | NotHttp | NeedData


def may_begin(first: int) -> bool:
    """Tell whether a request may begin with this byte."""
    return first in _FIRST


class HostReader:
    """Reads the first bytes of one client."""

    __slots__ = ("_at", "_hosts", "_limit", "_looked_to", "held")

    def __init__(self, *, limit: int) -> None:
        """`limit` bounds what is kept, in bytes."""
        self.held = bytearray()  # all that came, as it came
        self._limit = limit
        self._at = 0  # where in it the next line begins
        self._looked_to = 0  # up to where there is no end of it
        self._hosts: list[bytes] | None = None  # None until there was a request line

    def receive(self, data: bytes | bytearray | memoryview) -> Outcome:
        """Take some more, and say what it all is. Past the limit: what could be read of it."""
        self.held += data
        end = min(len(self.held), self._limit)
        while (line_end := self.held.find(b"\n", self._looked_to, end)) >= 0:
            line = bytes(self.held[self._at : line_end]).removesuffix(b"\r")
            self._at = self._looked_to = line_end + 1
            if (outcome := self._line(line)) is not NEED_DATA:
                return outcome
        self._looked_to = end
        if self._hosts is None:
            may_become_one = _is_beginning(bytes(self.held[self._at : end]))
            return NEED_DATA if may_become_one and end < self._limit else NOT_HTTP
        return NEED_DATA if end < self._limit else self.give_up()

    def give_up(self, *, is_ended: bool = False) -> Asked | NotHttp:
        """Say what could be read: nothing more is waited for, or (`is_ended`) comes."""
        if self._hosts is None:
            return NOT_HTTP
        return Asked(tuple(self._hosts), is_whole=False, is_ended=is_ended)

    def _line(self, line: bytes) -> Outcome:
        """Read one. Empty ones may come first (RFC 9112 section 2.2), and one ends the head."""
        if self._hosts is None:
            said = line.strip(_SPACE)
            return self._request_line(said) if said else NEED_DATA
        if not line:  # what is nearly empty ends it for some servers only
            return Asked(tuple(self._hosts), is_whole=True)
        for field in line.split(b"\r"):  # Python's http.server ends a field there
            name, colon, value = field.partition(b":")
            if colon and name.strip().lower() == b"host":
                self._hosts.append(value.strip())
        return NEED_DATA

    def _request_line(self, line: bytes) -> Outcome:
        """A target with an authority counts more than the Host field (RFC 9112 section 3.2.2)."""
        request = _request().fullmatch(line)
        if request is None:
            return NOT_HTTP
        absolute = _AUTHORITY.match(request[1].strip(_SPACE))
        self._hosts = [] if absolute is None else [absolute[1]]
        return NEED_DATA


def _is_beginning(line: bytes) -> bool:
    if len(line) > _LINE_BYTES:
        return False
    said = line.lstrip(_SPACE)
    return said in _BEGUN or _going_on().fullmatch(said) is not None
