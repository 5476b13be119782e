"""A sandbox whose capture ends at bare sockets of the test: what arrives there, and from whom."""

from __future__ import annotations

import asyncio
import os
import platform
import selectors
import socket
import struct
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sandbox.capture import Capture
from sandbox.host import find_bwrap, program_paths
from sandbox.launch import Launch
from sandbox.linux.nflog import Rejected, rejected
from sandbox.model import Right, Rule, SandboxSpec
from sandbox.plan import make_plan
from sandbox.process import Fence
from sandbox.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.model import Ending

SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h; IP6T_SO_ORIGINAL_DST is the same
GREETING, ANSWER = b"captured", b"answered"


@dataclass(slots=True)
class Seen:
    """What came: original addresses of connections, questions, packets that were refused."""

    connections: list[tuple[str, int]] = field(default_factory=list)
    questions: list[bytes] = field(default_factory=list)
    refused: list[Rejected] = field(default_factory=list)


def inner_pid(fence: Fence) -> int:
    """Of the namespace's init, whose descriptor the fence holds."""
    told = Path(f"/proc/self/fdinfo/{fence.init}").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in told.splitlines() if line.startswith("Pid:"))


class Captured:
    """Run one Python program inside; each connection is greeted, each question is answered."""

    def __init__(self, program: str, fence: type[Fence] = Fence) -> None:
        self.seen = Seen()
        plan = make_plan(
            SandboxSpec(
                working_directory="/",
                rules=(Rule(right=Right.READ, path="/"), Rule(right=Right.PRIVATE, path="/tmp")),
                program=program_paths(sys.path),
            )
        )
        self.fence = fence(
            Launch(
                command=(sys.executable, "-I", "-S", "-c", program),
                environment={"PATH": os.defpath},
                directory="/",
                streams=Streams(terminals=(), path=None),
                plan=plan,
                machine=platform.machine(),
                capture=Capture.ONLY,
            ),
            bwrap=find_bwrap(""),
        )
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        self.listeners = self.fence.complete(self.fence.listeners())
        assert self.listeners.capture is not None
        self.capture = self.listeners.capture
        for each in self.capture.all():
            self._selector.register(each, selectors.EVENT_READ)
        self._stop, stopped = socket.socketpair()
        self._selector.register(stopped, selectors.EVENT_READ)
        self._stopped = stopped
        self._thread = threading.Thread(target=self._serve)
        return self

    @property
    def inner_pid(self) -> int:
        """Of the namespace's init, whose descriptor the fence holds."""
        return inner_pid(self.fence)

    def run(self, meanwhile: Callable[[], None] = lambda: None) -> Ending:
        """The program's end; then all that it did has been seen.

        `meanwhile`: what happens after the fence was proven, before the program begins.
        """
        return asyncio.run(self._run(meanwhile))

    async def _run(self, meanwhile: Callable[[], None]) -> Ending:
        self.proof = self.fence.prove(self.listeners)
        meanwhile()
        command = await self.fence.release()
        self._thread.start()
        ending = await command.ended
        await asyncio.sleep(0.02)  # what it sent last is on its way to our sockets
        self._stop.close()
        await asyncio.to_thread(self._thread.join)
        await command.finish(kill=True)
        return ending

    def _serve(self) -> None:
        """When it is told to stop, only after all that has arrived."""
        while True:
            ready = [key.fileobj for key, _ in self._selector.select()]
            if ready == [self._stopped]:
                return
            for each in ready:
                if each is not self._stopped:
                    assert isinstance(each, socket.socket)
                    self._take(each)

    def _take(self, ready: socket.socket) -> None:
        if ready is self.capture.rejected:
            self.seen.refused += rejected(ready.recv(1 << 16))
        elif ready in self.capture.dns_udp:
            question, client = ready.recvfrom(512)
            self.seen.questions.append(question)
            ready.sendto(ANSWER, client)
        else:
            accepted, _ = ready.accept()
            with accepted:
                self.seen.connections.append(original_destination(accepted))
                accepted.sendall(GREETING)

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        if self._thread.ident is not None:
            self._thread.join()
        else:
            self.fence.abandon()
        self._stopped.close()
        self._selector.close()
        self.listeners.close()


def original_destination(accepted: socket.socket) -> tuple[str, int]:
    """Where the client wanted to go."""
    if accepted.family == socket.AF_INET:
        raw = accepted.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
        port, packed = struct.unpack_from("!2xH4s", raw)
    else:
        raw = accepted.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        port, packed = struct.unpack_from("!2xH4x16s", raw)
    return socket.inet_ntop(accepted.family, packed), port
