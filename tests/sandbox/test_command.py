"""What the monitor may say of a command that runs: it may be the command's puppet by then."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from sandbox.command import Command
from sandbox.errors import LaunchFailed
from sandbox.model import Exited, NotStarted, Signalled
from tests.support.late_loops import LateLoop
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from sandbox.process import Fence


KILLED = Signalled(signal=signal.SIGKILL, unreported=True)


class BuiltFence:
    """Stands for the fence: a process of its own, which is killed at the end."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(["sleep", "60"])
        self.pid = self._process.pid
        self.init = 1  # only whether there is one is asked
        self.killed = 0
        self.is_stuck = False

    def kill(self) -> None:
        self.killed += 1
        if not self.is_stuck:
            self._process.kill()

    def abandon(self) -> None:
        self._process.wait()


@pytest.fixture
def fence() -> Iterator[BuiltFence]:
    fence = BuiltFence()
    yield fence
    fence.kill()
    fence.abandon()


def watch(
    fence: BuiltFence,
    story: Callable[[Command, socket.socket], Coroutine[None, None, None]],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    async def told() -> None:
        control, monitor = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.setblocking(False)
        with control, monitor:
            command = Command(cast("Fence", fence), control, fence.pid, None)
            await story(command, monitor)
            await command.finish(kill=True)

    asyncio.run(told(), loop_factory=loop)


async def heard() -> None:
    """Each turn of the loop reads one message at most."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "message",
    [
        b"t9",  # SIGKILL to our job, if it were obeyed
        b"t15",
        b"t0",
        b"t65",
        b"t" + b"9" * 60,
        b"x" + b"9" * 60,
        b"x4991",  # stopped: not the end of anything
        b"x65535",  # continued
        b"x-1",
        b"e" + b"9" * 60,
        b"p",
        b"s",
        b"v",
        b"+",
        b"\xff\x00",
    ],
)
def test_no_message_hurts(fence: BuiltFence, message: bytes) -> None:
    async def story(command: Command, monitor: socket.socket) -> None:
        stops: list[int] = []
        command.on_stop = stops.append
        monitor.send(message)
        await heard()
        assert (stops, command.ended.done(), fence.killed) == ([], False, 0)

    watch(fence, story)


def test_what_it_is_there_to_say_is_heard(fence: BuiltFence) -> None:
    async def story(command: Command, monitor: socket.socket) -> None:
        stops: list[int] = []
        command.on_stop = stops.append
        monitor.send(b"t%d" % signal.SIGTSTP)
        monitor.send(b"x%d" % (3 << 8))
        monitor.send(b"x0")  # the first one counts
        await heard()
        assert stops == [signal.SIGTSTP]
        assert command.ended.result() == Exited(code=3)
        command.go_on(foreground=True)
        command.go_on(foreground=False)
        assert (monitor.recv(8), monitor.recv(8)) == (b"g", b"b")
        command.signal(signal.SIGTERM)  # nobody is there any more

    watch(fence, story)


@pytest.mark.parametrize(
    ("messages", "ending"),
    [
        ([b"x9"], Signalled(signal=9)),
        ([b"e2", b"x%d" % (255 << 8)], NotStarted(errno=2)),
    ],
    ids=["signalled", "not started"],
)
def test_an_end_has_its_kind(fence: BuiltFence, messages: list[bytes], ending: object) -> None:
    async def story(command: Command, monitor: socket.socket) -> None:
        for message in messages:
            monitor.send(message)
        assert await asyncio.wait_for(command.ended, PATIENCE_SECONDS) == ending

    watch(fence, story)


def test_a_descriptor_that_comes_along_is_dropped(fence: BuiltFence) -> None:
    async def story(_: Command, monitor: socket.socket) -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        socket.send_fds(monitor, [b"p"], [0] * 10)
        await heard()
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    watch(fence, story)


def test_a_flood_leaves_us_time_for_other_things(fence: BuiltFence) -> None:
    async def story(command: Command, monitor: socket.socket) -> None:
        monitor.setblocking(False)
        sent = 0
        try:
            while sent < 100:
                monitor.send(b"t99")
                sent += 1
        except BlockingIOError:
            pass
        assert sent > 5
        await heard()
        assert not command.ended.done(), "one message a turn, and others have theirs"

    watch(fence, story)


def test_a_monitor_that_hangs_up_ends_everything(fence: BuiltFence) -> None:
    async def story(command: Command, monitor: socket.socket) -> None:
        monitor.close()
        assert await asyncio.wait_for(command.ended, PATIENCE_SECONDS) == KILLED
        assert fence.killed

    watch(fence, story)


def test_a_sandbox_that_was_killed_is_an_end_too(fence: BuiltFence) -> None:
    async def story(command: Command, _: socket.socket) -> None:
        os.kill(fence.pid, signal.SIGKILL)
        assert await asyncio.wait_for(command.ended, PATIENCE_SECONDS) == KILLED

    watch(fence, story)


def test_who_is_gone_is_not_called_endless_because_we_are_late(fence: BuiltFence) -> None:
    async def story(*_: object) -> None:
        fence.kill()
        fence.abandon()

    watch(fence, story, LateLoop)


def test_who_is_still_there_is_said_so(fence: BuiltFence) -> None:
    fence.is_stuck = True
    with pytest.raises(LaunchFailed, match=f"process {fence.pid} can't be ended"):
        watch(fence, lambda *_: asyncio.sleep(0), LateLoop)
    fence.is_stuck = False
