"""A response head of the plain shape, read and written anew in one go: most heads have it.

Takes less than `http1_forward.ResponseReader` does, never more, and means the same by it: lines of
`Name: value`, one Content-Length or chunks, and nothing that has to be looked into. Whatever else
an origin may send is for that reader. No field becomes a value here: stretches of lines that go on
are passed on as they came.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from netproxy.protocol.fields import CHUNKED, HOP_BY_HOP, Chunked, Length
from netproxy.protocol.proxy_status import PROXY_ERROR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netproxy.config import Limits


def _in_any_case(names: Iterable[bytes]) -> bytes:
    """Match one of these names, however it is spelled: quicker than to ignore the case of all."""
    return b"|".join(
        b"".join(
            b"[%c%c]" % (letter, letter & ~0x20)
            if chr(letter).isalpha()
            else re.escape(b"%c" % letter)
            for letter in name
        )
        for name in sorted(names)
    )


# What decides, frames, or goes no further; of Date it counts whether there is one.
_LOOKED_AT: Final = HOP_BY_HOP | {PROXY_ERROR, b"proxy-status", b"content-length", b"date"}
# No space but the one after the colon, around a value that is not empty: written anew, such a line
# is what it was.
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE: Final = rb"[\x21-\x7e\x80-\xff]++(?:[\t ]+[\x21-\x7e\x80-\xff]++)*+"
_PASSED: Final = rb"((?:(?!(?:%b):)%b: %b\r\n|[Dd]ate: %b\r\n)*+)" % (
    _in_any_case(_LOOKED_AT), _TOKEN, _VALUE, _VALUE,
)  # fmt: skip
# Says of the connection what holds in HTTP/1.1 anyway.
_PERSISTS: Final = rb"(?:[Cc]onnection: [Kk]eep-[Aa]live\r\n|[Kk]eep-[Aa]live: %b\r\n)*+" % _VALUE
# A length of nothing stays in its place, so it is for the other reader.
_FRAMING: Final = (
    rb"(?:[Cc]ontent-[Ll]ength: (?!0+\r)([0-9]{1,18})|[Tt]ransfer-[Ee]ncoding: chunked)\r\n"
)
# A final answer with content, in HTTP/1.1: 204 and 304 have none.
_STATUS: Final = rb"(HTTP/1\.1 (?!204|304)([2-9][0-9]{2}) [\t\x20-\x7e\x80-\xff]*+\r\n)"


@cache
def _head() -> re.Pattern[bytes]:
    """Compiled for the first response: it takes 10 ms, and most commands ask for none."""
    return re.compile(
        _STATUS + _PASSED + _PERSISTS + _PASSED + _FRAMING + _PASSED + _PERSISTS + _PASSED
        + rb"\r\n"
    )  # fmt: skip


class PlainResponse(NamedTuple):
    """A final answer to anything but HEAD, after which the origin keeps the connection."""

    status: int
    framing: Length | Chunked
    end: int  # where its content begins
    lines: bytes  # the status line and the fields that go on, in order
    has_date: bool

    def rendered(self, *, via: str, date: str) -> bytes:
        """Write it for a client that keeps its connection and has no use for trailers."""
        framing = self.framing
        last = (
            f"Content-Length: {framing.octets}\r\n\r\n"
            if isinstance(framing, Length)
            else "Transfer-Encoding: chunked\r\n\r\n"
        )
        added = f"Via: 1.1 {via}\r\n" if self.has_date else f"Via: 1.1 {via}\r\nDate: {date}\r\n"
        return self.lines + (added + last).encode("ascii")


def read_plain(data: bytes, limits: Limits) -> PlainResponse | None:
    """Read the head that these bytes begin with; None for what is not plain, or not whole."""
    match = _head().match(data, 0, limits.head_bytes)
    if match is None:
        return None
    end = match.end()
    line, status, first, second, octets, third, fourth = match.groups()
    # The first line and the empty one are no fields.
    if len(line) > limits.target_bytes or data.count(b"\r\n", 0, end) - 2 > limits.header_count:
        return None
    lines = b"%b%b%b%b%b" % (line, first, second, third, fourth)
    framing = CHUNKED if octets is None else Length(int(octets))
    has_date = b"\r\nDate: " in lines or b"\r\ndate: " in lines
    return PlainResponse(int(status), framing, end, lines, has_date)
