"""ClientHellos made by hand (RFC 8446 section 4.1.2), good and bad."""

from __future__ import annotations

from typing import Final


def extension(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2) + len(body).to_bytes(2) + body


def names(*hosts: bytes) -> bytes:
    """A server_name extension (RFC 6066 section 3)."""
    listed = b"".join(b"\0" + len(host).to_bytes(2) + host for host in hosts)
    return extension(0, len(listed).to_bytes(2) + listed)


# What a server may answer with a request for another hello: TLS 1.3 (RFC 8446 section 4.1.4).
RETRIED: Final = extension(43, b"\x02\x03\x04")
EARLY_DATA: Final = extension(42, b"")


def hello(*extensions: bytes) -> bytes:
    """A whole one, in one record."""
    said = b"".join(extensions)
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    body += len(said).to_bytes(2) + said
    return records(b"\x01" + len(body).to_bytes(3) + body)


def records(message: bytes, *sizes: int) -> bytes:
    """Cut a message into records: of these sizes first, then one with the rest."""
    if message[:1] == b"\x16":
        message = message[5:]
    cut = []
    for size in sizes:
        cut.append(message[:size])
        message = message[size:]
    cut += [message[at : at + 16384] for at in range(0, len(message), 16384)]
    return b"".join(record(22, part) for part in cut if part)


def record(kind: int, part: bytes, version: bytes = b"\x03\x01") -> bytes:
    """One TLS record (RFC 8446 section 5.1)."""
    return bytes((kind,)) + version + len(part).to_bytes(2) + part
