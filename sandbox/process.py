"""Starts, signals and ends processes: the only file that does.

A `Fence` is bwrap with the namespaces built, waiting; then the run's listeners are made in them;
then it is released, and what comes out is a `sandbox.command.Command`. Without a sandbox the fence
is empty and the rest is the same. asyncio is imported late, and only where a loop is to watch.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess  # noqa: TID251  # this is the file that the ban points to
from contextlib import suppress
from io import FileIO
from typing import TYPE_CHECKING

from otel.values import dataclass, replace
from sandbox import file_size
from sandbox.capture import Capture, unavailable
from sandbox.config import (
    FAILURE_SECONDS,
    HTTP_PORT,
    MONITOR_SECONDS,
    REAP_SECONDS,
    SOCKS_PORT,
)
from sandbox.errors import LaunchFailed
from sandbox.host import demand_proc
from sandbox.launch import Listeners
from sandbox.linux import bubblewrap
from sandbox.linux.kernel import in_memory, read_sysctls, seccomp_descriptor
from sandbox.linux.namespace import Insider, Wanted
from sandbox.linux.stand_ins import stand_ins
from sandbox.monitoring import Heard, monitor_words, receive
from sandbox.mountpoints import MountPoints
from sandbox.plan import Access
from sandbox.streams import starts_in_foreground

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.command import Command
    from sandbox.launch import Launch
    from sandbox.proof import Proof, Prover

_VERDICT_BYTES = 1 << 14
_DIAGNOSTIC_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Begun:
    """A command that runs."""

    pid: int  # of its process group's leader, as this host numbers it
    master: int | None  # of the terminal that it was given; the caller's to close
    control: socket.socket  # where its monitor is heard; closed with the fence


class Fence:
    """bwrap, waiting with everything built. Use once: `release`, or `abandon`."""

    def __init__(self, launch: Launch, *, bwrap: str | None) -> None:
        self.launch = launch
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._diagnostics, said = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._block: int | None = None
        self._info: int | None = None
        self._insider: Insider | None = None
        self._prover: Prover | None = None  # once there are listeners
        self._proof: Proof | None = None
        self.init: int | None = None  # a pidfd of the namespace's init
        self.calls: FileIO | None = None  # once it is released: see `Listeners.calls`
        self._points = MountPoints()
        stderr = os.dup(2)
        try:
            if bwrap is None:
                self._process = self._spawn([], theirs, said, stderr, ())
                self._order()
            else:
                self._process = self._spawn_fenced(bwrap, theirs, said, stderr)
        except BaseException:
            self._points.release()
            raise
        finally:
            theirs.close()
            os.close(said)
            os.close(stderr)

    def _spawn_fenced(
        self, bwrap: str, theirs: socket.socket, said: int, stderr: int
    ) -> subprocess.Popen[bytes]:
        assert self.launch.plan is not None
        demand_proc()
        self._info, info = os.pipe2(os.O_CLOEXEC)
        self._points.watch_over(self.launch.plan.missing, self._info)
        self._points.claim(self.launch.plan.missing)
        block, self._block = os.pipe2(os.O_CLOEXEC)
        descriptors = bubblewrap.Descriptors(
            info=info,
            block=block,
            filter=seccomp_descriptor(self.launch.machine, unix_by_path=self.launch.unix_by_path),
            owned=stand_ins(self.launch.plan),
        )
        words = bubblewrap.arguments(self.launch.plan, descriptors, directory=self.launch.directory)
        try:
            process = self._spawn([bwrap, *words], theirs, said, stderr, descriptors.all())
        finally:
            for descriptor in descriptors.all():
                os.close(descriptor)
        self._points.started(process.pid)
        return process

    def _spawn(
        self,
        prefix: list[str],
        theirs: socket.socket,
        said: int,
        stderr: int,
        passed: tuple[int, ...],
    ) -> subprocess.Popen[bytes]:
        launch = self.launch
        orders = [
            str(theirs.fileno()),
            str(stderr),
            launch.streams.word,
            "1" if starts_in_foreground(launch.streams) else "0",
        ]
        command = in_memory("command", launch.words_and_environment())
        # A terminal stream becomes the monitor's own pseudo-terminal: bwrap must not hold ours.
        streams = [
            subprocess.DEVNULL if number in launch.streams.terminals else None for number in (0, 1)
        ]
        try:
            return subprocess.Popen(  # noqa: S603  # our own program, without a shell
                [*prefix, *monitor_words(), *orders, str(command)],
                # Nothing of ours is started with variables that the command shall have.
                env={},
                cwd=None if prefix else launch.directory,
                stdin=streams[0],
                stdout=streams[1],
                stderr=said,
                pass_fds=(theirs.fileno(), stderr, command, *passed),
                # Out of our process group: the terminal's Ctrl-C must reach the command, not bwrap.
                start_new_session=True,
            )
        finally:
            os.close(command)

    @property
    def pid(self) -> int:
        """Of bwrap, or of the monitor without a sandbox."""
        return self._process.pid

    def listeners(self) -> Listeners:
        """Wait for the namespaces, then make the run's listeners. Raises FenceUnavailable."""
        assert self._info is not None, "without a sandbox the listeners are the host's"
        pid = self._read_info(self._info)
        os.close(self._info)
        self._info = None
        try:
            self.init = os.pidfd_open(pid)
            reached = {f"reached {port}": port for port in self.launch.reached}
            wanted = Wanted(
                listeners={"http": HTTP_PORT, "socks": SOCKS_PORT, **reached},
                datagrams={"datagrams": SOCKS_PORT},
                capture=self.launch.capture is not Capture.OFF,
                supplies=self.launch.is_exposed,
            )
            self._insider = Insider(pid, wanted)
            made = self._insider.listen()
            self._unblock()
        except (OSError, LaunchFailed) as error:
            # bwrap reports its child before it mounts anything; a mount that fails ends both.
            raise self.failure() from error
        self._prepare_proof()
        if self.launch.capture is Capture.OFF:
            self._order()
        return Listeners(
            http=made["http"],
            socks=made["socks"],
            datagrams=made["datagrams"],
            reached=tuple(made[name] for name in reached),
            supplier=self._insider.supplier if self.launch.is_exposed else None,
        )

    def complete(self, listeners: Listeners) -> Listeners:
        """Add what captures connections of programs that know of no proxy, if that is wanted.

        Once, between `listeners` and `release`, after whatever else is to do: the helper makes it
        meanwhile. Raises FenceUnavailable when nothing else would do and this kernel can't.
        """
        wanted = self.launch.capture
        if wanted is Capture.OFF:
            return listeners
        assert self._insider is not None, "there is no namespace, or it is sealed"
        capture, why_not = self._insider.capture()
        if capture is None and wanted is Capture.ONLY:
            raise unavailable(why_not)
        self._order(is_captured=capture is not None)
        return replace(listeners, capture=capture, no_capture=why_not)

    def prove(self, listeners: Listeners) -> Proof | None:
        """What the probe inside found possible; None without a sandbox. Raises LaunchFailed.

        Call it before anybody accepts at `listeners`: its connections are taken from them.
        """
        if self.launch.plan is None:
            return None
        assert self._prover is not None, "the listeners are made"
        self._control.settimeout(MONITOR_SECONDS)
        try:
            message = self._receive(_VERDICT_BYTES).message
        except TimeoutError:
            raise LaunchFailed("the probe inside the sandbox did not answer") from None
        if not message:
            raise self.failure()
        self._proof = self._prover.judge(message, listeners)
        self._prover.close()
        return self._proof

    def _read_info(self, info: int) -> int:
        text = b""
        # The JSON arrives in pieces; the closing brace is the end.
        while b"}" not in text:
            piece = os.read(info, 4096)
            if not piece:
                raise self.failure()
            text += piece
        pid = json.loads(text)["child-pid"]
        if not isinstance(pid, int):
            raise LaunchFailed(f"bwrap reported no process id: {text!r}")
        return pid

    def failure(self) -> Exception:
        """Why bwrap ended: its own words, and this host's settings."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(FAILURE_SECONDS)
        said = b""
        with suppress(BlockingIOError):
            said = os.read(self._diagnostics, _DIAGNOSTIC_BYTES).strip()
        text = said.decode(errors="replace")
        if self.launch.plan is not None and text.startswith("bwrap:"):
            from sandbox.linux.complaints import explain

            return explain(text, read_sysctls())
        what = f"failed: {text}" if text else "ended without a word"
        return LaunchFailed(f"the command's monitor {what}")

    async def release(self) -> Command:
        """Let the command run, watched by the running loop. Returns when its process exists."""
        import asyncio

        from sandbox.command import Command

        begun, path = self.begin(), self.launch.streams.path
        relay = None
        if begun.master is not None and path is not None:
            from sandbox.terminal import TerminalRelay

            relay = TerminalRelay(asyncio.get_running_loop(), path, begun.master)
        self._control.setblocking(False)
        return Command(self, self._control, begun.pid, relay)

    def begin(self) -> Begun:
        """Let the command run, and return when its process exists: 20 ms after `listeners`.

        Needs no event loop. Raises LaunchFailed or FenceUnavailable; `abandon` it then.
        """
        if self.launch.plan is not None:
            assert self._proof is not None, "it has to be proven first"
            self._proof.demand()
        self._control.settimeout(MONITOR_SECONDS)
        try:
            master = self._take_monitor()
            self._seal()
            self._control.send(b"+")
            return Begun(self._take_pid(), master, self._control)
        except TimeoutError:
            raise LaunchFailed("the command's monitor did not answer") from None

    def _seal(self) -> None:
        """The monitor runs, so everything is mounted."""
        if self._insider is not None and (plan := self.launch.plan) is not None:
            early, late = plan.divided(bubblewrap.MOST_MOUNTS)
            read_only = ((mount.path, mount.access is Access.READ) for mount in late)
            self._insider.seal(early, plan.identities, read_only)
            if not self.launch.is_exposed:
                self._insider.end()
                self._insider = None

    def _prepare_proof(self) -> None:
        """While bwrap mounts, and the monitor starts."""
        from sandbox.proof import Prover

        if self.launch.plan is not None:
            self._prover = Prover(self.launch.plan, unix_by_path=self.launch.unix_by_path)

    def _order(self, *, is_captured: bool = False) -> None:
        """Tell the monitor what to do at its start. Nobody waits: it finds this when it is up."""
        more = () if self._prover is None else self._prover.orders(is_captured=is_captured)
        orders = in_memory("orders", self.launch.orders(*more, first=file_size.orders()))
        try:
            socket.send_fds(self._control, [b"o"], [orders])
        except OSError as error:  # what could not be mounted has ended both by now
            raise self.failure() from error
        finally:
            os.close(orders)

    def _unblock(self) -> None:
        """Bwrap goes on to the monitor, which waits for `release` before it starts the command."""
        assert self._block is not None
        os.write(self._block, b"+")
        os.close(self._block)
        self._block = None

    def _take_monitor(self) -> int | None:
        """The monitor is up; with it comes the master of the command's terminal, if it gets one."""
        heard, path = self._receive(), self.launch.streams.path
        if heard.message == b"r" and path is None:
            return None
        if heard.message != b"p" or (master := heard.descriptor) is None or path is None:
            raise self.failure()
        from sandbox.terminal import TerminalRelay

        TerminalRelay.prepare(path, master)
        return master

    def _take_pid(self) -> int:
        """The command's own process says hello; the kernel says who it is, in our terms."""
        heard = self._receive()
        calls, pid = heard.descriptor, heard.pid
        if heard.message != b"s" or pid is None or (calls is None) is self.launch.unix_by_path:
            raise self.failure()
        self.calls = None if calls is None else FileIO(calls)
        # From here on the monitor may be the command's puppet: numbers only, no rights.
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        return pid

    def _receive(self, *most: int) -> Heard:
        try:
            return receive(self._control, *most)
        except ConnectionError as error:  # gone before it read its orders
            raise self.failure() from error

    def abandon(self) -> None:
        """End what was built; the command never ran. Also the last step of every run."""
        self.kill()
        if self._prover is not None:
            self._prover.close()
        if self._insider is not None:
            self._insider.end()
            self._insider = None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(REAP_SECONDS)
        self._points.release()
        for descriptor in (self._diagnostics, self._block, self._info, self.init):
            if descriptor is not None:
                os.close(descriptor)
        self._block = self._info = self.init = None
        self._control.close()

    def kill(self) -> None:
        """SIGKILL to the namespace's init: the kernel ends all inside, then bwrap ends."""
        with suppress(ProcessLookupError):
            if self.init is not None:
                signal.pidfd_send_signal(self.init, signal.SIGKILL)
            else:
                # The group: when bwrap dies between clone and the first word to its child, the
                # child waits for that word for ever, in bwrap's own group still. When we die just
                # then, the janitor does this.
                os.killpg(self._process.pid, signal.SIGKILL)


def version_of(program: str) -> str:
    """The first line that `PROGRAM --version` prints, or why there is none."""
    try:
        done = subprocess.run(  # noqa: S603  # a path that the caller found
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout or done.stderr).partition("\n")[0]


def start_background(command: list[str], environment: Mapping[str, str]) -> None:
    """Start a process of ours that may outlive us: no stream of ours, a session of its own.

    Whoever reads our output to its end must not wait for it.
    """
    subprocess.Popen(  # noqa: S603  # our own module and arguments
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
