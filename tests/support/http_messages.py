"""HTTP/1 messages for Hypothesis: well-formed ones, and the same with a few bytes amiss."""

from __future__ import annotations

import re

from hypothesis import strategies as st

METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PROPFIND"]
TARGETS = [
    (b"http://a.test/", b"a.test"),
    (b"http://a.test", b"A.test:80"),
    (b"HTTP://a.test:8080/x?y=1&z=%20", b"a.test:8080"),
    (b"http://[::1]:81/~a;b=c,d:@!$'()*+", b"[::1]:81"),
    (b"http://a.test?q", b"a.test"),
]
FIELDS = [
    b"Accept: */*",
    b"X-Empty:",
    b"X-Spaces:\t  a \t b \t",
    b"X-Bytes: \xe4\x80\xff",
    b'Cookie: a=b; c="d"',
    b"cookie: e=f",
    b"Connection: close",
    b"Connection: x-hop, keep-alive",
    b"X-Hop: 1",
    b"Keep-Alive: timeout=5",
    b"TE: trailers",
    b"Expect: 100-continue",
    b"Via: 1.0 other",
    b"Max-Forwards: 7",
    b"!#$%&'*+-.^_`|~09: token",
    b"Proxy-Connection: keep-alive",
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
    b"Upgrade: x",
]
EXTENSIONS = [b"", b";a", b";a=b", b';a="b c\\";"', b";a;b=c"]
TRAILERS = [b"X-Sum: 1", b"X-Empty:", b"X-Bytes: \xe4 b"]
# What readers have disagreed on: line ends, spaces, signs, second lengths, other codings.
AMISS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\x0b", b"\x0c", b"\x1f", b"\x7f", b"\x85", b"\xa0",
    b":", b";", b",", b"+", b"-", b"_", b"0", b"1", b"5", b"a", b"0x", b'"', b"\\", b"=", b"#",
    b"@", b"\r\n ", b"\r\n\t", b" ;", b"; ", b" :", b"\r\n\r\n", b"0\r\n\r\n", b"HTTP/1.1",
    b"HTTP/1.0", b"\r\nContent-Length: 3", b"\r\nContent-Length: 5, 5", b"\r\ncontent-length:",
    b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: gzip, chunked",
    b"\r\nTransfer-Encoding:\x0bchunked", b"\r\nHost: b.test", b"\r\nConnection: content-length",
    b"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
]  # fmt: skip
_SEAMS = re.compile(rb"[\r\n: ;,/=0-9]|$")

_contents = st.sampled_from([b"", b"x", b"hello", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
_more = st.lists(st.sampled_from(FIELDS), max_size=4)


@st.composite
def _chunked(draw: st.DrawFn, content: bytes) -> bytes:
    cut = draw(st.integers(0, len(content)))
    lines = []
    for piece in (*filter(None, (content[:cut], content[cut:])), b""):
        size = draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % len(piece)
        lines += [size + draw(st.sampled_from(EXTENSIONS)), piece]
    lines[-1:] = draw(st.lists(st.sampled_from(TRAILERS), max_size=2))
    return b"\r\n".join([*lines, b"", b""])


@st.composite
def _framed(draw: st.DrawFn, framings: tuple[str, ...]) -> tuple[list[bytes], bytes]:
    """Fields that frame a body, and that body."""
    content = draw(_contents)
    match draw(st.sampled_from(framings)):
        case "length":
            return [b"Content-Length: %d" % len(content)], content
        case "chunked":
            coding = draw(st.sampled_from([b"chunked", b"Chunked"]))
            return [b"Transfer-Encoding: " + coding], draw(_chunked(content))
        case "until-close":
            return [], content
        case _:
            return [], b""


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request as a proxy gets it, and perhaps the start of another."""
    if draw(st.integers(0, 5)) == 0:
        line, host = b"CONNECT a.test:443 HTTP/1.1", b"a.test:443"
        framing, body = list[bytes](), draw(_contents)
    else:
        target, host = draw(st.sampled_from(TARGETS))
        version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
        framings = ("none", "length") if version == b"1.0" else ("none", "length", "chunked")
        line = b"%b %b HTTP/%b" % (draw(st.sampled_from(METHODS)), target, version)
        framing, body = draw(_framed(framings))
    fields = draw(st.permutations([b"Host: " + host, *framing, *draw(_more)]))
    rest = draw(st.sampled_from([b"", b"", b"GET http://b.test/ HTTP/1.1\r\n"]))
    return b"\r\n".join([line, *fields, b"", body]) + rest


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A response, final or not."""
    status = draw(
        st.sampled_from([b"200 OK", b"200", b"404 ", b"204 No", b"304 Not \xe4\tit", b"103 Early"])
    )
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    framings = ("until-close", "length") + (() if version == b"1.0" else ("chunked",))
    framing, body = draw(_framed(framings))
    fields = draw(st.permutations([*framing, *draw(_more)]))
    return b"\r\n".join([b"HTTP/%b %b" % (version, status), *fields, b"", body])


@st.composite
def amiss(draw: st.DrawFn, messages: st.SearchStrategy[bytes]) -> bytes:
    """One of those with up to three places changed, most of them where a reader decides."""
    data = draw(messages)
    for _ in range(draw(st.integers(0, 3))):
        first, last = draw(st.sampled_from(_parts(data)))
        seams = [seam.start() for seam in _SEAMS.finditer(data, first, last)] or [last]
        at = draw(st.sampled_from(seams) | st.integers(first, last))
        gone = draw(st.sampled_from([0, 0, 1, 2]))
        data = data[:at] + draw(st.sampled_from([b"", *AMISS])) + data[at + gone :]
    return data


def _parts(data: bytes) -> list[tuple[int, int]]:
    """Where the first line, the fields and the body lie: most hits are for the fields."""
    line = len(data.partition(b"\r\n")[0])
    head = max(line, len(data.partition(b"\r\n\r\n")[0]))
    return [(head, len(data)), (line, head), (line, head), (0, line)]
