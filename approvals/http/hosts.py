"""Under which names a loopback service may be asked for. Pure.

A page whose own name was made to lead here (DNS rebinding) sends that name as Host; a page of
another site sends that site as Origin. Neither is answered.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from otel.values import dataclass

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Loopback literals, `localhost`, and the name under which a reverse proxy offers the pages."""

    public_url: str | None = None

    def serve(self, host: str) -> bool:
        """Whether a Host field names this service."""
        name = _name(host)
        if name is None:
            return False
        return name == "localhost" or _is_loopback(name) or name == self._public_name()

    def sent(self, origin: str, host: str) -> bool:
        """Whether a page of ours sent this Origin, in a request whose Host is `host`."""
        if self.public_url is not None and origin == _origin(self.public_url):
            return True
        return origin in {f"http://{host}", f"https://{host}"} and self.serve(host)

    def _public_name(self) -> str | None:
        return None if self.public_url is None else urlsplit(self.public_url).hostname


def _name(host: str) -> str | None:
    """The host of an authority without its port, in lower case."""
    match = _AUTHORITY.fullmatch(host)
    return None if match is None else (match[1] or match[2]).lower()


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> str:
    """Scheme and authority, as a browser writes them."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}".lower()
