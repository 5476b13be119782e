"""HTTP to a collector that may be slow or endless: what it takes of our time and memory is bounded.

`Guarded` makes connections that a fuse can cut, for whoever reads answers himself. `BoundedSession`
is for exporters that are not ours and read whatever comes, for as long as it comes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from otel.fuse import Fuse

if TYPE_CHECKING:
    import socket


class Guarded(HTTPAdapter):
    """Makes connections that a fuse can cut."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Called by the constructor."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._fuse)


class BoundedSession(requests.Session):
    """For one request at a time. Takes nothing of the environment, and follows no redirect."""

    def __init__(self, *, seconds: float, answer_bytes: int) -> None:
        """`seconds` are for all of a request; of an answer the first `answer_bytes` are read."""
        super().__init__()
        self.trust_env = False  # no proxies, no .netrc, no CA bundle from the environment
        self._seconds = seconds
        self._answer_bytes = answer_bytes
        self._fuse = Fuse()
        for scheme in ("http://", "https://"):
            self.mount(scheme, Guarded(self._fuse))

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Raises what requests raises."""
        options |= {"stream": True, "allow_redirects": False}
        try:
            with self._fuse.lit(self._seconds):
                response = super().send(request, **options)
                self._read(response)
        except Exception:
            if self._fuse.has_blown:
                raise requests.Timeout("no answer in time") from None
            raise
        if self._fuse.has_blown:  # half a head looks like a whole one
            raise requests.Timeout("no answer in time")
        return response

    def _read(self, response: requests.Response) -> None:
        answer = response.raw
        content = answer.read(self._answer_bytes, decode_content=False)
        answer.close()
        response.raw = io.BytesIO(content)
        _ = response.content  # it is read here, and not by whoever looks


def _pools(fuse: Fuse) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            line = super()._new_conn()
            fuse.guard(line)
            return line

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            line = super()._new_conn()
            fuse.guard(line)
            return line

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
