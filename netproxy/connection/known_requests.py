"""Plain requests that are like one before but for their path: read, judged fit and written once.

A client says the same of itself each time, so all of a head but the path repeats. Only the path is
read then, as strictly as the reader does; the rest is, byte for byte, what that reader took. Only
the most frequent kind is here: no content, nothing to negotiate, may be sent twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netproxy.connection.targets import http_destination
from netproxy.errors import ClientProtocolError, InvalidDestination
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.http1_forward import refuse_unforwardable, request_fields
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from netproxy.config import Limits
    from netproxy.model import Destination

# Up to the path; a path of visible ASCII without a fragment or backslash, as `http1` has it; the
# end of the line. What comes before and after is compared with what was read before.
_LINE: Final = re.compile(rb"([^\r\n /]+ [^\r\n /]+//[^\r\n /?]+)(/[!-\"$-\[\]-~]*) HTTP/1\.1\r\n")
_LONGEST_BYTES: Final = 4096
# Fields of browsers are below that without their secrets; longer heads are as good as never alike.
_KEPT_BYTES: Final = 1536
# Clients of one run times the hosts that they ask; when it is full it starts anew.
_MOST: Final = 256
# Not kept in memory for longer than their request.
_SECRETS: Final = frozenset({b"authorization", b"proxy-authorization", b"cookie"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRequest:
    """All that requests have in common that differ in their path alone."""

    head: RequestHead  # of the first of them: the path is that one's
    destination: Destination
    start: bytes  # what goes on before the path
    rest: bytes  # and after it

    def onward(self, path: bytes) -> bytes:
        """Write the head of one of them for its origin, where the connection persists."""
        return b"%b%b%b" % (self.start, path, self.rest)

    def at(self, path: bytes) -> RequestHead:
        """Make the head of one of them."""
        return replace(self.head, path=path)


class KnownRequests:
    """Of one run."""

    __slots__ = ("_known", "_limits", "_longest", "_pseudonym")

    def __init__(self, limits: Limits, pseudonym: str) -> None:
        """`pseudonym` is our name in Via."""
        self._limits = limits
        # Within either limit of a head, whatever its path.
        self._longest = min(_LONGEST_BYTES, limits.head_bytes, limits.target_bytes)
        self._pseudonym = pseudonym
        self._known: dict[tuple[bytes, bytes], KnownRequest] = {}

    def read(self, data: bytes) -> tuple[KnownRequest, bytes] | None:
        """Read one that came whole and alone, with its path.

        None for anything else, and for what is to be refused: `RequestReader` says why.
        """
        match = _LINE.match(data)
        if match is None or len(data) > self._longest:
            return None
        start, path = match.groups()
        key = start, data[match.end() :]
        known = self._known.get(key)
        if known is not None:
            return known, path
        known = self._read(data)
        if known is None or known.head.path != path:
            return None
        if len(data) <= _KEPT_BYTES and _SECRETS.isdisjoint(known.head.index):
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = known
        return known, path

    def _read(self, data: bytes) -> KnownRequest | None:
        reader = RequestReader(self._limits)
        try:
            head = reader.receive(data)
            if not isinstance(head, RequestHead) or reader.unread or not _is_simple(head):
                return None
            refuse_unforwardable(head, self._pseudonym)
            destination = http_destination(head)
        except (ClientProtocolError, InvalidDestination):
            return None
        rest = request_fields(head, destination, via=self._pseudonym, persists=True)
        return KnownRequest(
            head=head,
            destination=destination,
            start=head.method.encode("ascii") + b" ",
            rest=b" HTTP/1.1" + rest,
        )


def _is_simple(head: RequestHead) -> bool:
    """Whether nothing but an answer is to come of it, and another request after that."""
    return (
        head.is_repeatable
        and head.keep_alive
        and not head.wants_websocket
        and not head.wants_trailers
        and b"expect" not in head.index
    )
