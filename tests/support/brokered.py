"""A process whose connects and binds a broker of the test answers: without a sandbox around it."""

from __future__ import annotations

import asyncio
import json
import platform
import socket
import subprocess
import sys
import tempfile
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.linux import notify
from sandbox.linux.broker import Broker
from sandbox.linux.notify_filter import calls_of, notify_filter
from tests.support.runs import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Sets the filter, hands the listener over, and goes on with the test's code, which fills `said`.
_PROGRAM = """
import array, json, os, socket, sys, threading, time
sys.path.insert(0, {folder!r})
import notify
import ctypes
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
channel = socket.socket(fileno={channel})
listener = notify.listen({seccomp}, bytes.fromhex({program!r}))
socket.send_fds(channel, [b"n"], [listener])
os.close(listener)
channel.recv(1)
def tried(act, *arguments):
    try:
        return act(*arguments) or 0
    except OSError as error:
        return error.errno
said = {{}}
{code}
print(json.dumps(said))
"""


class Brokered:
    """What a broker did for one process, and what that said."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {}
        self.refused: list[str] = []
        self.linked: list[tuple[str, socket.socket, socket.socket]] = []

    def close(self) -> None:
        for _, ours, far in self.linked:
            ours.close()
            far.close()


def run(
    code: str,
    places: Mapping[str, int] | None = None,
    *,
    when_linked: Callable[[socket.socket, socket.socket], None] | None = None,
    closes_when_refused: bool = False,
) -> Brokered:
    """Run the code to its end; `when_linked` is given our end of the pair and the far socket."""
    return asyncio.run(_run(code, places or {}, when_linked, closes_when_refused))


async def _run(
    code: str,
    places: Mapping[str, int],
    when_linked: Callable[[socket.socket, socket.socket], None] | None,
    closes_when_refused: bool,  # as it is called above
) -> Brokered:
    result, machine = Brokered(), platform.machine()
    channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = _PROGRAM.format(
        folder=str(Path(notify.__file__).parent),
        channel=theirs.fileno(),
        seccomp=calls_of(machine).seccomp,
        program=notify_filter(machine).hex(),
        code=code,
    )
    with tempfile.TemporaryFile() as output, channel:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program],
            pass_fds=(theirs.fileno(),),
            stdout=output,
        )
        theirs.close()
        channel.settimeout(PATIENCE_SECONDS)
        _, (listener,), _, _ = socket.recv_fds(channel, 1, 1)

        def linked(path: str, ours: socket.socket, far: socket.socket) -> None:
            result.linked.append((path, ours, far))
            if when_linked is not None:
                when_linked(ours, far)

        def refused(path: str) -> None:
            result.refused.append(path)
            if closes_when_refused:
                broker.close()

        broker = Broker(
            FileIO(listener),
            calls_of(machine),
            places,
            loop=asyncio.get_running_loop(),
            linked=linked,
            refused=refused,
        )
        channel.send(b"+")
        status = await asyncio.wait_for(asyncio.to_thread(process.wait), PATIENCE_SECONDS)
        broker.close()
        output.seek(0)
        assert status == 0
        result.said = json.loads(output.read())
    return result
