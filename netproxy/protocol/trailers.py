"""Which fields after a chunked body go on (RFC 9110 section 6.5): announced, and harmless there.

A recipient may take a trailer for a field of the head, so none that frames, routes, authenticates,
controls or describes the content passes, and nothing that the head's Trailer did not name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netproxy.protocol.fields import HOP_BY_HOP, TOKEN

if TYPE_CHECKING:
    from netproxy.protocol.fields import Index
    from netproxy.protocol.head import Fields

# RFC 9110 section 6.5.1, with the names that RFC 7230 section 4.1.2 still listed.
_NEVER: Final = HOP_BY_HOP | {
    b"host", b"via", b"forwarded", b"max-forwards", b"expect", b"range", b"location", b"origin",
    b"authorization", b"authentication-info", b"www-authenticate", b"cookie", b"set-cookie",
    b"referer", b"age", b"cache-control", b"expires", b"date", b"pragma", b"retry-after", b"vary",
    b"warning", b"refresh", b"strict-transport-security", b"link", b"alt-svc",
}  # fmt: skip
_NEVER_PREFIXED: Final = (
    b"content-", b"proxy-", b"x-proxy-", b"if-", b"sec-", b"accept", b"access-control-",
    b"x-forwarded-", b"x-real-", b"x-http-method", b"x-content-", b"x-frame-", b"clear-site-",
    b"cross-origin-",
)  # fmt: skip
_NONE: Final[frozenset[bytes]] = frozenset()


def announced(index: Index) -> frozenset[bytes]:
    """Name what Trailer announces and may go on, in lower case."""
    if b"trailer" not in index:
        return _NONE
    listed = b",".join(index[b"trailer"]).lower().split(b",")
    names = (name.strip(b" \t") for name in listed)
    return frozenset(name for name in names if TOKEN.fullmatch(name) and may_trail(name))


def may_trail(name: bytes) -> bool:
    """Whether a field of this name, in lower case, means the same after the content."""
    return name not in _NEVER and not name.startswith(_NEVER_PREFIXED)


def wants_trailers(index: Index, options: frozenset[bytes]) -> bool:
    """Whether TE says so: for the next hop, so Connection must name it (RFC 9110 10.1.4)."""
    if b"te" not in index or b"te" not in options:
        return False
    codings = b",".join(index[b"te"]).lower().split(b",")
    return any(coding.strip(b" \t") == b"trailers" for coding in codings)


def last_chunk(trailers: Fields, names: frozenset[bytes]) -> bytes:
    """End a chunked body, with those of its trailers that go on."""
    kept = [b"%b: %b\r\n" % (name, value) for name, value in trailers if name.lower() in names]
    return b"0\r\n%b\r\n" % b"".join(kept)
