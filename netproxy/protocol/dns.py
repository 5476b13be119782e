"""DNS messages (RFC 1035): one question in, one short answer out. No socket, no policy, no names.

As much as a resolver that makes up its answers needs: a standard query with one question, EDNS
tolerated and answered (RFC 6891), nothing looked up and nothing remembered. The question is sent
back byte by byte, so that a client that plays with its case (0x20) finds what it asked.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct("!HHHHHH")  # id, flags, four counts
_FIXED: Final = struct.Struct("!HHIH")  # of a record behind its name: type, class, TTL, length
_LABEL_BYTES: Final = 63
_NAME_BYTES: Final = 255  # RFC 1035 section 2.3.4, with the lengths and the root
_INTERNET: Final = 1
# A query has EDNS, a signature (TSIG), and nothing else that is known of.
_ADDITIONAL: Final = 4

_RESPONSE, _RECURSION_AVAILABLE = 0x8000, 0x0080
_OPCODE: Final = 0x7800
_KEPT: Final = 0x0110  # recursion desired, checking disabled: as the client said
_DATAGRAM_BYTES: Final = 1232  # that no network fragments; ours are all below 512
_EXTENDED_ERROR: Final = 15  # the option of RFC 8914
_BLOCKED: Final = 15  # its INFO-CODE, section 4.16
_BAD_VERSION: Final = 1 << 24  # extended RCODE 16 (RFC 6891 section 9), in the TTL of the answer

_QUESTION_NAME: Final = b"\xc0\x0c"  # a pointer to byte 12 (RFC 1035 section 4.1.4)
_ROOT: Final = b"\x00"


class Kind(IntEnum):
    """The record types that mean something here."""

    A = 1
    SOA = 6
    PTR = 12
    AAAA = 28
    OPT = 41
    SVCB = 64
    HTTPS = 65


class Code(IntEnum):
    """RCODE."""

    NO_ERROR = 0
    FORMAT_ERROR = 1
    NAME_ERROR = 3  # NXDOMAIN: a stub resolver goes on with the next name of its search list
    NOT_IMPLEMENTED = 4
    REFUSED = 5


class Query(NamedTuple):
    """One question, or what is wrong with it (`fault`): that is its answer then."""

    ident: int
    flags: int
    question: bytes  # as it came: name, type, class
    labels: tuple[bytes, ...]  # as sent; a label may hold any byte
    kind: int
    edns_version: int | None  # None: the client knows of no EDNS
    fault: Code | None = None


def read_query(data: bytes | memoryview) -> Query | None:
    """Read a message; None is none that anybody waits for an answer to."""
    data = bytes(data)
    if len(data) < _HEADER.size:
        return None
    ident, flags, *counts = _HEADER.unpack_from(data)
    if flags & _RESPONSE:
        return None
    bare = Query(ident, flags, b"", (), 0, edns_version=None)
    if flags & _OPCODE:
        return bare._replace(fault=Code.NOT_IMPLEMENTED)
    questions, answers, authorities, additional = counts
    if (questions, answers, authorities) != (1, 0, 0) or additional > _ADDITIONAL:
        return bare._replace(fault=Code.FORMAT_ERROR)
    try:
        labels, end = _labels(data, _HEADER.size)
        kind, class_ = struct.unpack_from("!HH", data, end)
        version = _edns_version(data, end + 4, additional)
    except (IndexError, ValueError, struct.error):
        return bare._replace(fault=Code.FORMAT_ERROR)
    fault = None if class_ == _INTERNET else Code.REFUSED
    if version:  # there is none after 0 yet; the answer says so
        fault = Code.NO_ERROR
    return Query(ident, flags, data[_HEADER.size : end + 4], labels, kind, version, fault)


def _labels(data: bytes, at: int) -> tuple[tuple[bytes, ...], int]:
    """Read a name, and where it ends. A question needs no pointer: there is nothing before it."""
    labels, begin = [], at
    while length := data[at]:
        if length > _LABEL_BYTES:
            raise ValueError("a pointer, or a label of a kind that there is not")
        label = data[at + 1 : at + 1 + length]
        at += 1 + length
        if at >= len(data) or at - begin >= _NAME_BYTES:
            raise ValueError("a name without an end")
        labels.append(label)
    return tuple(labels), at + 1


def _edns_version(data: bytes, at: int, count: int) -> int | None:
    """Walk over what follows the question. Two EDNS records are one too many (RFC 6891 6.1.1)."""
    version = None
    for _ in range(count):
        labels, at = _labels(data, at)
        kind, _, more, length = _FIXED.unpack_from(data, at)
        at += _FIXED.size + length
        if at > len(data):
            raise ValueError("a record without an end")
        if kind == Kind.OPT:
            if labels or version is not None:
                raise ValueError("EDNS twice, or of a name")
            version = more >> 16 & 0xFF
    return version


def address(query: Query, packed: bytes, *, ttl_seconds: int) -> bytes:
    """Answer with one IPv4 address, in four bytes."""
    fixed = _FIXED.pack(Kind.A, _INTERNET, ttl_seconds, len(packed))
    return _message(query, Code.NO_ERROR, answer=_QUESTION_NAME + fixed + packed)


def pointer(query: Query, name: str, *, ttl_seconds: int) -> bytes:
    """Answer with the name of an address. `name` is canonical."""
    spelled = [bytes((len(label),)) + label.encode("ascii") for label in name.split(".")]
    data = b"".join(spelled) + _ROOT
    fixed = _FIXED.pack(Kind.PTR, _INTERNET, ttl_seconds, len(data))
    return _message(query, Code.NO_ERROR, answer=_QUESTION_NAME + fixed + data)


def nothing(query: Query, *, ttl_seconds: int, exists: bool) -> bytes:
    """Say that there is no such record, or no such name; good for so long (RFC 2308 section 5)."""
    code = Code.NO_ERROR if exists else Code.NAME_ERROR
    # Without an authority nothing would be kept, and every look-up would come twice.
    data = _ROOT * 2 + struct.pack("!IIIII", 1, *[ttl_seconds] * 4)
    fixed = _FIXED.pack(Kind.SOA, _INTERNET, ttl_seconds, len(data))
    return _message(query, code, authority=_ROOT + fixed + data)


def refused(query: Query, *, is_blocked: bool = False) -> bytes:
    """Refuse; `is_blocked` says that a rule does (RFC 8914), to who knows of EDNS."""
    option = struct.pack("!HHH", _EXTENDED_ERROR, 2, _BLOCKED) if is_blocked else b""
    return _message(query, Code.REFUSED, option=option)


def faulty(query: Query, fault: Code) -> bytes:
    """Say what is wrong with it."""
    return _message(query, fault)


def _message(
    query: Query, code: Code, *, answer: bytes = b"", authority: bytes = b"", option: bytes = b""
) -> bytes:
    flags = _RESPONSE | _RECURSION_AVAILABLE | query.flags & (_OPCODE | _KEPT) | code
    edns = b""
    if query.edns_version is not None:
        more = _BAD_VERSION if query.edns_version else 0
        edns = _ROOT + _FIXED.pack(Kind.OPT, _DATAGRAM_BYTES, more, len(option)) + option
    header = _HEADER.pack(
        query.ident, flags, bool(query.question), bool(answer), bool(authority), bool(edns)
    )
    return b"".join((header, query.question, answer, authority, edns))
