"""An application on a real loopback port, and a client that says exactly what it is told to."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from approvals.http.api import add_api
from approvals.http.application import make_application
from approvals.http.hosts import Hosts
from approvals.http.identity import EVERY_PERMISSION, Identity
from approvals.http.server import HttpLimits, HttpServer
from approvals.http.site import Site
from approvals.presence import Presence
from tests.support.approvals import ListSink
from tests.support.inbox import FakeInbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp import web

ANNA = Identity(name="anna", channel="api", permissions=EVERY_PERMISSION)


class RunningClock:
    """The loop's own time, on a day in 2026."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1_767_322_800.0


class As:
    """Takes everybody for one person; set another to be that one."""

    def __init__(self, identity: Identity = ANNA) -> None:
        self.identity = identity

    async def __call__(self, _request: web.Request, /) -> Identity:
        return self.identity


class FakeSurroundings:
    """A gateway with one session and one rule."""

    def policy(self) -> tuple[str, ...]:
        return ("allow https://pypi.org:443",)

    def health(self) -> Mapping[str, object]:
        return {"status": "ok", "journal": "ok"}

    def sessions(self) -> tuple[Mapping[str, object], ...]:
        return ({"session": "s-1", "name": None, "run": "r-1", "command": "pip install"},)


def site(
    *, inbox: FakeInbox | None = None, authenticate: As | None = None, hosts: Hosts | None = None
) -> tuple[Site, list[str]]:
    """A site of fakes, and the lines that it logs."""
    lines: list[str] = []
    clock = RunningClock()
    made = Site(
        inbox=inbox or FakeInbox(),
        surroundings=FakeSurroundings(),
        sink=ListSink(),
        clock=clock,
        presence=Presence(clock),
        hosts=hosts or Hosts(),
        authenticate=authenticate or As(),
        log=lines.append,
        report=lines.append,
    )
    return made, lines


def listener(host: str = "127.0.0.1") -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.bind((host, 0))
    made.listen()
    return made


@dataclass(frozen=True)
class Reply:
    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection a request, and each byte as given."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def raw(self, data: bytes, *, seconds: float = 20.0) -> Reply:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(seconds):
                return await read_reply(reader)
        finally:
            writer.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        fields: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send JSON, where there is a body, from this host."""
        text = b"" if body is None else body if isinstance(body, bytes) else _json(body)
        head = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"}
        if body is not None:
            head |= {"Content-Type": "application/json", "Content-Length": str(len(text))}
        head |= fields or {}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {head[name]}" for name in head)]
        return await self.raw("\r\n".join([*lines, "", ""]).encode() + text)


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    length = fields.get("content-length")
    body = await (reader.read() if length is None else reader.readexactly(int(length)))
    return Reply(int(head[0].split()[1]), fields, body)


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


@asynccontextmanager
async def served(app: web.Application, limits: HttpLimits | None = None) -> AsyncIterator[Client]:
    with listener() as socket_:
        async with HttpServer(app, [socket_], limits):
            yield Client(socket_.getsockname()[1])


@asynccontextmanager
async def api(
    inbox: FakeInbox | None = None, *, authenticate: As | None = None, local: bool = False
) -> AsyncIterator[tuple[Site, Client]]:
    """The whole API of a site of fakes, on a port."""
    made, _ = site(inbox=inbox, authenticate=authenticate)
    app = make_application(made)
    add_api(app, local=local)
    async with served(app) as client:
        yield made, client
