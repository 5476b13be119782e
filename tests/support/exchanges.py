"""Origins for what a GET does not show: uploads, ranges, and HTTP/2 inside TLS."""

from __future__ import annotations

import ssl
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Self

import h2.config
import h2.connection
import h2.events

from tests.support.origins import Origin
from tests.support.tls import Pages

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from tests.support.tls import Authority

BODY = bytes(range(256)) * 400


class Exchanges(Pages):
    """GET gives `BODY` or a range of it; PUT gives back what came. `seen` are the heads."""

    def __init__(self, authority: Authority | None = None) -> None:
        super().__init__({}, authority)
        self.seen: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._note()
                wanted = self.headers.get("Range")
                if wanted is None:
                    self._answer(200, BODY)
                    return
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                self._answer(206, BODY[int(first) : int(last) + 1])

            def do_PUT(self) -> None:
                self._note()
                length = self.headers.get("Content-Length")
                body = self._chunks() if length is None else self.rfile.read(int(length))
                self._answer(200, body)

            def _chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _note(self) -> None:
                fields = {name.lower(): value for name, value in self.headers.items()}
                site.seen.append((self.command, fields))

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's
                return

        self._server.RequestHandlerClass = Handler


class Http2Site:
    """Answers each stream of an HTTP/2 connection with its path. `visits` are the paths."""

    def __init__(self, authority: Authority) -> None:
        self.visits: list[str] = []
        self._context = authority.server_context()
        self._context.set_alpn_protocols(["h2"])
        self._origin = Origin(self._serve)
        self.port = self._origin.port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._origin.close()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with self._context.wrap_socket(plain, server_side=True) as secure:
                self._streams(secure)
        except ssl.SSLError:
            return  # a client that does not say goodbye

    def _streams(self, secure: ssl.SSLSocket) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="ascii")
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        secure.sendall(connection.data_to_send())
        while data := secure.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self._answer(connection, event)
            secure.sendall(connection.data_to_send())

    def _answer(
        self, connection: h2.connection.H2Connection, event: h2.events.RequestReceived
    ) -> None:
        path = next(str(value) for name, value in event.headers or () if str(name) == ":path")
        self.visits.append(path)
        connection.send_headers(event.stream_id, [(":status", "200")])
        connection.send_data(event.stream_id, path.encode(), end_stream=True)
