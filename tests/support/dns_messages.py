"""DNS questions made by hand, and a reader of answers that shares nothing with ours (RFC 1035)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

A, NS, SOA, PTR, TXT, AAAA, OPT, SVCB, HTTPS = 1, 2, 6, 12, 16, 28, 41, 64, 65


def name(text: str) -> bytes:
    labels = [label.encode("latin-1") for label in text.split(".")] if text else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def edns(*, size: int = 1232, version: int = 0, options: bytes = b"") -> bytes:
    return b"\0" + struct.pack("!HHBBHH", OPT, size, 0, version, 0, len(options)) + options


def question(
    asked: str | bytes, kind: int = A, *, ident: int = 7, flags: int = 0x0100, more: bytes = b""
) -> bytes:
    """`more` are additional records; an answer that has one is EDNS, of which one is enough."""
    spelled = asked if isinstance(asked, bytes) else name(asked)
    header = struct.pack("!6H", ident, flags, 1, 0, 0, bool(more))
    return header + spelled + struct.pack("!HH", kind, 1) + more


@dataclass
class Reply:
    ident: int
    flags: int
    asked: list[tuple[str, int]] = field(default_factory=list)
    # Of each section: owner, type, TTL, data.
    answers: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    authorities: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    additional: list[tuple[str, int, int, bytes]] = field(default_factory=list)

    @property
    def code(self) -> int:
        return self.flags & 15

    @property
    def addresses(self) -> list[str]:
        return [".".join(map(str, data)) for _, kind, _, data in self.answers if kind == A]


def parse(message: bytes) -> Reply:
    """Read a whole message; whatever does not fit fails."""
    ident, flags, *counts = struct.unpack_from("!6H", message)
    reply = Reply(ident, flags)
    at = 12
    for _ in range(counts[0]):
        owner, at = _name(message, at)
        kind, class_ = struct.unpack_from("!HH", message, at)
        assert class_ in range(1, 65536)
        reply.asked.append((owner, kind))
        at += 4
    for count, section in zip(
        counts[1:], (reply.answers, reply.authorities, reply.additional), strict=True
    ):
        for _ in range(count):
            owner, at = _name(message, at)
            kind, _, ttl, length = struct.unpack_from("!HHIH", message, at)
            at += 10
            assert at + length <= len(message)
            section.append((owner, kind, ttl, message[at : at + length]))
            at += length
    assert at == len(message)
    return reply


def read_name(data: bytes) -> str:
    text, end = _name(data, 0)
    assert end == len(data)
    return text


def _name(message: bytes, at: int) -> tuple[str, int]:
    labels, end = [], None
    while length := message[at]:
        if length >= 192:  # a pointer
            end = at + 2 if end is None else end
            target = struct.unpack_from("!H", message, at)[0] & 0x3FFF
            assert target < at
            at = target
            continue
        label = message[at + 1 : at + 1 + length]
        assert len(label) == length
        labels.append(label.decode("latin-1"))
        at += 1 + length
    return ".".join(labels), at + 1 if end is None else end
