"""The demo's origins: several names on one loopback port, served by threads, every visit counted.

Standard library only. The names exist nowhere else: a run is told with `--resolve` where they are.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ADDRESS = "127.0.0.1"
# How often the server looks whether it should stop.
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 5.0


class Site:
    """Pages by (host, path); a page is bytes, or is asked for them at each visit."""

    def __init__(self, address: str = ADDRESS, port: int = 0) -> None:
        self.pages: dict[tuple[str, str], bytes | Callable[[], bytes]] = {}
        self.visits: list[tuple[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = site.visit(self.headers.get("Host", ""), self.path)
                self.send_response(404 if body is None else 200)
                kind = "text/html" if self.path.endswith("/") else "application/octet-stream"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *arguments: object) -> None:
                """Nothing: the terminal belongs to the story."""

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )

    @property
    def port(self) -> int:
        """The one port of all names."""
        return int(self._server.server_address[1])

    def visit(self, authority: str, target: str) -> bytes | None:
        """Count a visit; the page, or None where there is none."""
        where = (authority.partition(":")[0], target.partition("?")[0])
        self.visits.append(where)
        page = self.pages.get(where)
        return page() if callable(page) else page

    def visits_of(self, host: str) -> int:
        """How often anybody reached this name."""
        return sum(visited == host for visited, _ in self.visits)

    def answers(self) -> bool:
        """Whether it can be reached from here, without any proxy."""
        connection = http.client.HTTPConnection(ADDRESS, self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status > 0
        except OSError:
            return False
        finally:
            connection.close()

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
