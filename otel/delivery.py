"""One request to a collector over HTTP, and how long to wait after a failure.

Takes nothing from the environment: no proxies, no .netrc, no certificate variables. Follows no
redirect. What an answer means is decided in `otlp`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import requests

from otel.otlp import Answer, TryLater, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.config import OtlpSettings, ShipLimits

_CHUNK = 4096


class Sink(Protocol):
    """Where batches go."""

    def send(self, body: bytes, timeout_seconds: float) -> Answer:
        """Deliver one encoded request. Every failure is an answer."""


class HttpSink:
    """A collector behind an OTLP/HTTP endpoint."""

    def __init__(self, settings: OtlpSettings, limits: ShipLimits) -> None:
        self._endpoint = settings.endpoint
        self._limits = limits
        self._session = requests.Session()
        # Else http_proxy could send the records through the proxy that they are about, and
        # .netrc could add a password that nobody meant for the collector.
        self._session.trust_env = False
        self._session.headers.update(
            {
                **settings.headers,
                "Content-Type": "application/x-protobuf",
                "User-Agent": "netproxy-audit",
            }
        )
        self._session.verify = settings.certificate or True

    def send(self, body: bytes, timeout_seconds: float) -> Answer:
        """POST one request."""
        try:
            with self._session.post(
                self._endpoint,
                data=body,
                timeout=timeout_seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                answer = self._read(response)
        except (requests.RequestException, OSError) as error:
            return TryLater(why=_reason(error))
        return read_answer(response.status_code, headers, answer, now=time.time())

    def _read(self, response: requests.Response) -> bytes:
        """Read the body, but not more than an OTLP answer can have."""
        body = b""
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._limits.answer_bytes:
                raise requests.exceptions.ContentDecodingError("answer too long")
        return body


class Backoff:
    """Waits that double from failure to failure, shortened by chance so that many don't march."""

    def __init__(self, limits: ShipLimits, chance: Callable[[], float]) -> None:
        """`chance` gives numbers from 0 to 1."""
        self._limits = limits
        self._chance = chance
        self._failures = 0

    def success(self) -> None:
        """Start over with the shortest wait."""
        self._failures = 0

    def failure(self, wish_seconds: float | None) -> float:
        """Seconds until the next try: never before the time that the collector asked for."""
        # Past 2^20 the longest wait holds anyway; an exponent without a limit would overflow.
        longest: float = min(
            self._limits.longest_retry_seconds,
            self._limits.first_retry_seconds * 2 ** min(self._failures, 20),
        )
        self._failures += 1
        own = longest * (0.5 + 0.5 * self._chance())
        return max(own, min(wish_seconds or 0.0, self._limits.longest_wish_seconds))


def _reason(error: Exception) -> str:
    """A few words without the URL: the texts of urllib3 are whole paragraphs."""
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS failed"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "can't connect"
    return "broken answer"
