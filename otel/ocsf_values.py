"""A record's attributes while they are put into their places in an OCSF event. Pure.

What nobody takes, or what has another type than its place needs, stays, and becomes `unmapped`.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from otel import attributes as a

if TYPE_CHECKING:
    from otel.attributes import Attributes, Value

UNKNOWN = "unknown"

type Fields = dict[str, Any]


class Values:
    """The attributes of one record. Each can be taken once."""

    def __init__(self, attributes: Attributes) -> None:
        self._left: dict[str, Value] = {
            key: value for key, value in attributes.items() if value is not None
        }

    @property
    def left(self) -> dict[str, Value]:
        """What was not taken."""
        return self._left

    def see(self, key: str) -> str | None:
        """Read a text, which stays."""
        value = self._left.get(key)
        return value if isinstance(value, str) else None

    def text(self, key: str) -> str | None:
        """Take a text."""
        value = self._left.get(key)
        if not isinstance(value, str):
            return None
        del self._left[key]
        return value

    def number(self, key: str) -> int | None:
        """Take a number."""
        value = self._left.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        del self._left[key]
        return value

    def server(self) -> Fields | None:
        """Where the connection was to go, as it was asked for."""
        host = self.text(a.SERVER_ADDRESS)
        return None if host is None else _endpoint(host, self.number(a.SERVER_PORT))

    def client(self) -> Fields | None:
        """Where it came from: the record says `127.0.0.1:40312` or `[::1]:40312`."""
        address = self.text(a.CLIENT_ADDRESS)
        return None if address is None else authority(address)

    def destination(self) -> str:
        """What a question or a grant is about: `https://example.com:443`. Takes its parts."""
        protocol, host = self.text(a.TRANSPORT_PROTOCOL), self.text(a.SERVER_ADDRESS)
        port = self.number(a.SERVER_PORT)
        return f"{protocol or UNKNOWN}://{host or UNKNOWN}:{port or 0}"


def authority(text: str) -> Fields:
    """`host:port` as an endpoint; what has no port is a host alone."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal() and len(port) < 6):  # noqa: PLR2004  # 65535
        return _endpoint(text, None)
    return _endpoint(host.removeprefix("[").removesuffix("]"), int(port))


def present(**fields: object) -> Fields:
    """Fields that have a value."""
    return {key: value for key, value in fields.items() if value is not None}


def _endpoint(host: str, port: int | None) -> Fields:
    return present(**{"ip" if _is_address(host) else "hostname": host}, port=port)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
