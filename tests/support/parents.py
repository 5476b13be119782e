"""Parent proxies that say what they are told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.connection.routes import Login, Parent, ParentKind, Resolving, Route, Routes
from netproxy.policy.destinations import parse_destination
from tests.support.origins import echo, read_head
from tests.support.policies import allow

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netproxy.model import Destination

OK = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 corp\r\n\r\n"


def to(text: str) -> Destination:
    return parse_destination(text)[0]


def parent(
    port: int,
    kind: ParentKind = ParentKind.HTTP,
    *,
    resolving: Resolving = Resolving.HERE,
    login: Login | None = None,
) -> Parent:
    return Parent(
        name="corp", kind=kind, host="127.0.0.1", port=port, resolving=resolving, login=login
    )


def through(chosen: Parent, *hosts: str) -> Routes:
    return Routes([Route(tuple(allow(f"{host}:*") for host in hosts or ("*",)), chosen)])


class HttpParent:
    """Answers each CONNECT with fixed bytes, then does what an origin would."""

    def __init__(self, answer: bytes = OK, then: Callable[[socket.socket], None] = echo) -> None:
        self._answer = answer
        self._then = then
        self.heads: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        head, _ = read_head(connection)
        self.heads.append(head)
        connection.sendall(self._answer)
        self._then(connection)
