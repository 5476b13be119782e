"""One attempt to deliver one webhook: look up, vet, dial what was vetted, POST, read the status.

The URL is the user's, the answers to it are not: whoever controls the name could send us to a
metadata service (server-side request forgery). So the name is resolved once, each address is held
against the gateway's own table, and the very address that passed is dialled; a redirect is a
failure. Nothing is taken from the environment: no proxies, no .netrc; no cookies are kept.
"""

from __future__ import annotations

import asyncio
import os
import socket
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from approvals.errors import LookupFailed
from approvals.webhook.urls import is_loopback, parse_url
from otel import visible
from otel.values import dataclass, replace

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from aiohttp import ClientResponse, ClientSession
    from aiohttp.abc import AbstractResolver

    from approvals.webhook.urls import EndpointUrl

_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_GONE: Final = 410
# Nobody needs more of an answer than its first lines, and those only to find a mistake.
_ANSWER_BYTES: Final = 2048
_ANSWER_SECONDS: Final = 1.0
_SHOWN_CHARACTERS: Final = 160


class Problem(StrEnum):
    """Why a delivery failed: each is something else to do."""

    DNS = "dns"
    REFUSED_ADDRESS = "refused_address"  # it leads to where webhooks may not go
    NOT_ENCRYPTED = "not_encrypted"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    REDIRECT = "redirect"
    GONE = "gone"  # 410: the receiver wants no more
    STATUS = "status"  # any other answer that is not 2xx
    BROKEN = "broken"  # not HTTP, or cut short


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one attempt."""

    problem: Problem | None  # None: delivered
    status: int | None  # None: there was no answer
    explanation: str  # one clause for people, everything in it visible
    seconds: float
    answer: str = ""  # the beginning of the answer's body, visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Vetted:
    """Which addresses may be dialled, and what is wrong with the others: (address, kind)."""

    allowed: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


class Network(Protocol):
    """What a sender needs to know of the network."""

    async def resolve(self, host: str) -> Sequence[str]:
        """The addresses of a name. Raises `LookupFailed`."""

    def vet(self, addresses: Sequence[str], *, allow_private: Sequence[str]) -> Vetted:
        """Split them by where webhooks may go: public ones, and those in these blocks."""


class Destination(Protocol):
    """As much of an endpoint's settings as one attempt needs."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def allow_private(self) -> tuple[str, ...]:
        """Blocks of private addresses that it may be at."""

    @property
    def timeout_seconds(self) -> float:
        """For all of an attempt."""


class Transport:
    """Makes attempts, each with a connection of its own."""

    def __init__(self, network: Network, *, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: None is the system's certificates."""
        self._network = network
        self._tls = tls

    async def post(self, to: Destination, headers: Mapping[str, str], body: bytes) -> Attempt:
        """Try once. Every failure is an `Attempt`."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(to.timeout_seconds):
                attempt = await self._post(to, headers, body)
        except TimeoutError:
            attempt = _failed(Problem.TIMEOUT, f"no answer within {to.timeout_seconds:g} s")
        return replace(attempt, seconds=clock() - began)

    async def _post(self, to: Destination, headers: Mapping[str, str], body: bytes) -> Attempt:
        url = parse_url(to.url)
        try:
            found = (url.host,) if url.is_address else await self._network.resolve(url.host)
        except LookupFailed as failed:
            return _failed(Problem.DNS, visible(str(failed)))
        vetted = self._network.vet(found, allow_private=to.allow_private)
        if not vetted.allowed:
            return _failed(Problem.REFUSED_ADDRESS, _refusal(url, vetted))
        if not (url.is_encrypted or all(map(is_loopback, vetted.allowed))):
            why = "http:// is for this host's loopback only, which others can't read; use https://"
            return _failed(Problem.NOT_ENCRYPTED, why)
        return await self._send(url, vetted.allowed, headers, body)

    async def _send(
        self, url: EndpointUrl, addresses: Sequence[str], headers: Mapping[str, str], body: bytes
    ) -> Attempt:
        import aiohttp

        try:
            async with (
                _session(url, addresses, self._tls) as session,
                session.post(
                    url.text,
                    data=body,
                    headers={**headers, **_OWN_HEADERS},
                    allow_redirects=False,
                ) as response,
            ):
                return await _read(response)
        except aiohttp.ClientSSLError as error:
            return _failed(Problem.TLS, _tls_reason(error))
        except aiohttp.ClientConnectorError as error:
            return _failed(Problem.CONNECT, f"can't connect to {addresses[0]}: {_reason(error)}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failed(Problem.BROKEN, f"the answer is broken ({type(error).__name__})")


_OWN_HEADERS: Final = {
    "Content-Type": "application/json",
    # What is packed could be unpacked to any size.
    "Accept-Encoding": "identity",
    "User-Agent": "netproxy-webhook",
}


def _session(
    url: EndpointUrl, addresses: Sequence[str], tls: ssl.SSLContext | None
) -> ClientSession:
    import aiohttp

    connector = aiohttp.TCPConnector(
        resolver=_resolver(url.host, addresses),
        use_dns_cache=False,
        force_close=True,
        ssl=True if tls is None else tls,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(),  # the caller's covers all of it
    )


def _resolver(host: str, addresses: Sequence[str]) -> AbstractResolver:
    """One that knows a single name, and no other address for it than those that were vetted."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Known(AbstractResolver):
        async def resolve(
            self,
            asked: str,
            port: int = 0,
            family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002  # both were vetted
        ) -> list[ResolveResult]:
            if asked != host:
                raise OSError(f"{asked} was not asked for")
            return [
                ResolveResult(
                    hostname=asked,
                    host=address,
                    port=port,
                    family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                    proto=socket.IPPROTO_TCP,
                    flags=socket.AI_NUMERICHOST,
                )
                for address in addresses
            ]

        async def close(self) -> None:
            """It holds nothing."""

    return Known()


async def _read(response: ClientResponse) -> Attempt:
    """The status decides; of the body some is read, so that closing is no reset."""
    answer = await _beginning(response)
    status = response.status
    if status in _OK:
        return Attempt(problem=None, status=status, explanation=f"{status}", seconds=0.0)
    shown = visible(answer.decode("utf-8", "replace").strip(), limit=_SHOWN_CHARACTERS)
    if status in _REDIRECTS:
        problem, why = Problem.REDIRECT, f"{status}: redirects are not followed"
    elif status == _GONE:
        problem, why = Problem.GONE, "410: the receiver wants no more"
    else:
        problem, why = Problem.STATUS, f"{status}, and only 2xx is success"
    return Attempt(problem=problem, status=status, explanation=why, seconds=0.0, answer=shown)


async def _beginning(response: ClientResponse) -> bytes:
    import aiohttp

    found = b""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            while len(found) < _ANSWER_BYTES:
                piece = await response.content.read(_ANSWER_BYTES - len(found))
                if not piece:
                    break
                found += piece
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass  # the status is known, and it alone counts
    return found


def _failed(problem: Problem, why: str) -> Attempt:
    return Attempt(problem=problem, status=None, explanation=why, seconds=0.0)


def _refusal(url: EndpointUrl, vetted: Vetted) -> str:
    kinds = ", ".join(f"{address} ({kind})" for address, kind in vetted.refused[:3])
    return visible(f"{url.host} leads to {kinds}: only allow_private lets a webhook go there")


def _tls_reason(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    said = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or str(cause)
    return visible(f"TLS failed: {said}", limit=_SHOWN_CHARACTERS)


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    said = os.strerror(number) if isinstance(number, int) else str(error)
    return visible(said.lower(), limit=_SHOWN_CHARACTERS)
