"""A certificate authority of the suite's own, and sites on loopback that serve pages over TLS.

The `openssl` command makes the certificates, so no package is needed for it. Nothing outside the
suite ever trusts this authority.
"""

from __future__ import annotations

import ssl
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

# How long a client may take to say goodbye in its turn.
_GOODBYE_SECONDS = 0.2
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
# Python 3.13 verifies as RFC 5280 asks: a root says that it signs, a leaf names its issuer's key.
_ROOT = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
_LEAF = ("basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """`bundle` is what clients trust; `chain` and `key` are what the sites show."""

    bundle: Path
    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def trust(self) -> dict[str, str]:
        """The variables by which the tools of the suite learn whom to trust."""
        names = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO", "PIP_CERT")
        more = ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "npm_config_cafile")
        return dict.fromkeys((*names, *more), str(self.bundle))


def make_authority(folder: Path, *names: str) -> Authority:
    """A root and one certificate of it for `names`, in files that everybody may read."""
    root, root_key = folder / "root.pem", folder / "root.key"
    leaf, leaf_key = folder / "leaf.pem", folder / "leaf.key"
    _openssl(*_KEY, "-subj", "/CN=netproxy tests", *_extensions(_ROOT), out=(root, root_key))
    alternatives = "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)
    signer = ("-CA", str(root), "-CAkey", str(root_key))
    _openssl(
        *_KEY,
        *signer,
        "-subj",
        f"/CN={names[0]}",
        *_extensions((*_LEAF, alternatives, "authorityKeyIdentifier=keyid")),
        out=(leaf, leaf_key),
    )
    return Authority(bundle=root, chain=leaf, key=leaf_key)


def _extensions(lines: tuple[str, ...]) -> list[str]:
    return [word for line in lines for word in ("-addext", line)]


def _openssl(*words: str, out: tuple[Path, Path]) -> None:
    # No configuration: the defaults of a distribution add extensions that contradict these.
    fixed = ("openssl", "req", "-x509", "-days", "2", "-config", "/dev/null")
    files = ("-out", str(out[0]), "-keyout", str(out[1]))
    subprocess.run([*fixed, *words, *files], check=True, capture_output=True)


class Pages:
    """Answers GET with what `pages` holds for the path (no query), over TLS with an authority."""

    def __init__(self, pages: Mapping[str, bytes], authority: Authority | None = None) -> None:
        site = self
        self.pages = dict(pages)
        self.visits: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                site.visits.append(path)
                body = site.pages.get(path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", _content_type(path))
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        if authority is not None:
            # The handshake is the handler's: one silent client must not stall the others.
            self._server.socket = authority.server_context().wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is the test's to notice."""

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert not isinstance(request, tuple)
        with suppress(OSError, ValueError):
            if isinstance(request, ssl.SSLSocket):
                request.settimeout(_GOODBYE_SECONDS)
                request.unwrap()  # GnuTLS calls an end without close_notify an error
        super().shutdown_request(request)


def _content_type(path: str) -> str:
    kinds = {".json": "application/json", ".tgz": "application/octet-stream", "/": "text/html"}
    return next((kind for end, kind in kinds.items() if path.endswith(end)), "text/plain")
