"""Small web sites on loopback addresses, in threads of the test, that count their visits."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Site:
    """Answers every GET with `body`. `visits` are the request targets, in order."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, body: bytes = b"hello\n") -> None:
        self.visits: list[str] = []
        self.body = body
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.visits.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(site.body)))
                self.end_headers()
                self.wfile.write(site.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's
                return

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        return str(self._server.server_address[0])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def named(*names: str, address: str = "127.0.0.1") -> tuple[str, ...]:
    """Options that give `names` a local address and let allowed names be dialled there."""
    pinned = [word for name in names for word in ("--resolve", f"{name}={address}")]
    return (*pinned, "--allow-private", "127.0.0.0/8")
