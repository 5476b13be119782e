"""One request to a collector over HTTP.

Takes nothing from the environment: no proxies, no .netrc, no certificate variables. Follows no
redirect. What an answer means is decided in `otlp`.
"""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as ReadTooSlow

from otel.answers import Answer, TryLater
from otel.bounded_session import Guarded
from otel.fuse import Fuse
from otel.otlp import read_answer

if TYPE_CHECKING:
    from otel.config import ShipLimits
    from otel.sinks import OtlpSettings

_CHUNK = 4096
_TOO_SLOW = TryLater(why="no answer in time")


class HttpSink:
    """A collector behind an OTLP/HTTP endpoint."""

    def __init__(self, settings: OtlpSettings, limits: ShipLimits) -> None:
        self._endpoint = settings.endpoint
        self._limits = limits
        self._session = requests.Session()
        self._fuse = Fuse()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, Guarded(self._fuse))
        # Else http_proxy could send the records through the proxy that they are about, and
        # .netrc could add a password that nobody meant for the collector.
        self._session.trust_env = False
        self._session.headers.update(
            {
                **settings.headers,
                "Content-Type": "application/x-protobuf",
                "Content-Encoding": "gzip",
                # What is packed could be unpacked to any size.
                "Accept-Encoding": "identity",
                "User-Agent": "netproxy-audit",
            }
        )
        self._session.verify = settings.certificate or True
        if settings.client_certificate and settings.client_key:
            self._session.cert = (settings.client_certificate, settings.client_key)

    def send(self, body: bytes, timeout_seconds: float) -> Answer:
        """POST one request. Its time is for all of it, however slowly an answer drips."""
        until = time.monotonic() + timeout_seconds
        try:
            with self._fuse.lit(timeout_seconds):
                answer = self._post(body, until, timeout_seconds)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return _TOO_SLOW if self._fuse.has_blown else TryLater(why=_reason(error))
        # What was cut may look whole: a head without a length, and a body that is empty.
        return _TOO_SLOW if self._fuse.has_blown else answer

    def _post(self, body: bytes, until: float, timeout_seconds: float) -> Answer:
        with self._session.post(
            self._endpoint,
            # Every OTLP receiver reads it, and records compress to a fifth. At level 1: the
            # rest of it costs more time than it saves bytes.
            data=gzip.compress(body, 1, mtime=0),
            timeout=timeout_seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            answer = self._read(response, until)
        return read_answer(response.status_code, headers, answer, now=time.time())

    def _read(self, response: requests.Response, until: float) -> bytes:
        """Read the body, but not more than an OTLP answer can have, nor byte by byte for ever."""
        body = b""
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > self._limits.answer_bytes:
                raise requests.exceptions.ContentDecodingError("answer too long")
            if time.monotonic() > until:
                raise requests.exceptions.ReadTimeout
        return body


def _reason(error: Exception) -> str:
    """A few words without the URL: the texts of urllib3 are whole paragraphs."""
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS failed"
    if isinstance(error, requests.exceptions.Timeout | ReadTooSlow):
        return _TOO_SLOW.why
    if isinstance(error, requests.exceptions.ConnectionError):
        return "can't connect"
    if isinstance(error, requests.RequestException | HTTPError):
        return "broken answer"
    return f"can't be sent: {error}"  # a certificate that can't be read, a header with a line feed
