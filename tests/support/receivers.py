"""A webhook receiver on loopback that keeps what it got and answers as it is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from approvals.webhook.transport import Vetted

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping, Sequence

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {code} Said", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    line: str
    headers: tuple[tuple[str, str], ...]  # names in lower case
    body: bytes

    def header(self, name: str) -> str:
        (value,) = (value for each, value in self.headers if each == name)
        return value

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """`answers` are used up one by one, the last for ever. An empty one hangs up without a word."""

    port: int = 0
    answers: list[bytes] = field(default_factory=lambda: [OK])
    drip_seconds: float | None = None  # between the bytes of an answer
    got: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, host: str = "127.0.0.1", *, scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}/hook"

    async def count(self, wanted: int) -> list[Received]:
        """Wait for so many."""
        async with asyncio.timeout(20):
            while len(self.got) < wanted:
                self.arrived.clear()
                await self.arrived.wait()
        return self.got

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *fields = head.rstrip("\r\n").split("\r\n")
            pairs = [each.partition(":") for each in fields]
            headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
            length = int(dict(headers).get("content-length", 0))
            body = await reader.readexactly(length)
            self.got.append(Received(line=line, headers=headers, body=body))
            self.arrived.set()
            answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
            await self._answer(writer, answer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if self.drip_seconds is None:
            writer.write(answer)
            await writer.drain()
            return
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(self.drip_seconds)


@asynccontextmanager
async def receiver(
    *answers: bytes, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    found = Receiver(answers=list(answers or [OK]))
    serving: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(found.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(begin, host, 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@dataclass
class FakeNetwork:
    """Names lead where `names` says; everything may be dialled but what `refused` has."""

    names: Mapping[str, Sequence[str] | Exception] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        found = self.names[host]
        if isinstance(found, Exception):
            raise found
        return found

    def vet(self, addresses: Sequence[str], *, allow_private: Sequence[str]) -> Vetted:
        return Vetted(
            allowed=tuple(each for each in addresses if each not in self.refused),
            refused=tuple((each, self.refused[each]) for each in addresses if each in self.refused),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class To:
    url: str
    allow_private: tuple[str, ...] = ("127.0.0.0/8",)
    timeout_seconds: float = 2.0
