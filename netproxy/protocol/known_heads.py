"""What the same bytes were read as before: the CONNECT requests of one run are mostly alike.

A head is a function of its bytes, so reading them again would say the same. Reading takes as long
as connecting; looking up takes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netproxy.protocol.http1 import RequestHead, RequestReader

if TYPE_CHECKING:
    from netproxy.config import Limits

# A client's own fields and one name; longer ones are as good as never alike.
_LONGEST_BYTES: Final = 512
# More destinations than most runs have; when it is full it starts anew.
_MOST: Final = 256
_SECRET: Final = b"proxy-authorization"


class KnownHeads:
    """Of one run."""

    __slots__ = ("_known", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[bytes, RequestHead] = {}

    def read(self, data: bytes) -> RequestHead | None:
        """Read a CONNECT that came whole and alone; None for anything else.

        Raises `ClientProtocolError` as `RequestReader` does.
        """
        head = self._known.get(data)
        if head is not None:
            return head
        if (
            len(data) > _LONGEST_BYTES
            or not data.startswith(b"CONNECT ")
            or not data.endswith(b"\r\n\r\n")
        ):
            return None
        reader = RequestReader(self._limits)
        read = reader.receive(data)
        if not isinstance(read, RequestHead) or reader.unread:
            return None
        if all(name.lower() != _SECRET for name, _ in read.fields):
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[data] = read
        return read
