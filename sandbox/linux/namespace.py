"""The short-lived helper that enters the sandbox's namespaces: sockets, then sealed mounts.

Theory: a socket belongs to the network namespace in which it was created, whoever holds it. So a
forked child of ours enters the sandbox's namespace from outside, listens on its loopback, passes
the descriptors back (SCM_RIGHTS); the gateway then accepts connections that could have come from
nowhere else. Entering needs the user namespace that *owns* the network namespace (NS_GET_USERNS,
ioctl_ns(2)), which is not always the one the command runs in.
When bwrap is done with the mounts it looks whether they are the folders that were meant, and cuts
them off from the host's: bwrap leaves them slaves, and what the host mounts later would appear
inside, writable. Then it ends; until then the command waits.
setns(2) into a user namespace needs a single-threaded process: hence a fork, and hence early.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.config import BUILD_SECONDS, LISTEN_BACKLOG
from sandbox.errors import LaunchFailed
from sandbox.launch import CaptureSockets
from sandbox.linux.kernel import in_memory
from sandbox.linux.supply import supply
from sandbox.mounted import replaced
from sandbox.other_names import read_mounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.model import Identity
    from sandbox.plan import Mount

_IP_PKTINFO = 8  # linux/in.h; the socket module does not have it before Python 3.14
_NS_GET_USERNS = 0xB701  # linux/nsfs.h: _IO(0xb7, 0x1)
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18  # linux/mount.h
_RETRY_SECONDS = 0.0005
_MAX_MESSAGE = 1 << 16
_SCM_MAX_FD = 253  # net/scm.h: more don't fit one message


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which sockets are made inside, each under a name that the answer comes back with.

    `listeners`: TCP ports on 127.0.0.1. `datagrams`: UDP ports on every address there is, with
    IP_PKTINFO. Names are ours to choose, and differ. `capture`: connections of programs that know
    of no proxy, too (`sandbox.linux.capture`), if this kernel can.
    """

    listeners: Mapping[str, int]
    datagrams: Mapping[str, int]
    capture: bool = False
    supplies: bool = False  # then the helper stays, and makes sockets that are ordered of it


class Insider:
    """A child of ours in the namespaces of `pid`. `listen`, then `seal`; `end` at any time."""

    def __init__(self, pid: int, wanted: Wanted) -> None:
        self._pid = pid
        self._host_mounts = _mount_list("self")  # bwrap has not mounted anything yet
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(2 * BUILD_SECONDS)
        self._child = os.fork()
        if self._child == 0:
            self._channel.close()
            _help(theirs, pid, wanted)
        theirs.close()

    def listen(self) -> dict[str, socket.socket]:
        """The sockets that were wanted, by name. The caller's to close.

        Blocks for about 2 ms. Raises LaunchFailed with the helper's own words.
        """
        return self._take("listen inside the sandbox")[0]

    def capture(self) -> tuple[CaptureSockets | None, str | None]:
        """What captures connections, the caller's to close; or why there is none.

        Ask once, if it was wanted, after `listen`. It takes about 2 ms from then on, so whoever
        has other things to do does them first. Raises LaunchFailed.
        """
        sockets, why_not = self._take("capture connections inside the sandbox")
        return (CaptureSockets.of(sockets), None) if sockets else (None, why_not)

    def _take(self, what: str) -> tuple[dict[str, socket.socket], str | None]:
        """One answer: sockets and their names, or a word on why there are none."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._channel, _MAX_MESSAGE, _SCM_MAX_FD)
        except OSError as error:
            raise LaunchFailed(f"the helper could not {what}: {error}") from error
        try:
            answer = json.loads(message)
        except ValueError:
            raise LaunchFailed(f"the helper could not {what}: {_words(message)}") from None
        names = answer["names"]
        return dict(zip(names, map(_adopt, descriptors), strict=True)), answer.get("why_not")

    def seal(
        self,
        mounts: Iterable[Mount],
        folders: Mapping[str, Identity],
        late: Iterable[tuple[str, bool]] = (),
    ) -> None:
        """Once everything is mounted, as `mounts` say. `folders` may be written, by their place.

        `late` are paths to be mounted on themselves, and whether read-only.
        Raises LaunchFailed when something else lies there: somebody moved it in between.
        """
        self._demand(mounts)
        order = in_memory("mounts", json.dumps([dict(folders), list(late)]).encode())
        try:
            socket.send_fds(self._channel, [b"+"], [order])
            answer = self._channel.recv(_MAX_MESSAGE)
        except OSError as error:
            answer = str(error).encode()
        finally:
            os.close(order)
        if answer != b"+":
            raise LaunchFailed(f"the mounts of the sandbox could not be sealed: {_words(answer)}")

    def _demand(self, mounts: Iterable[Mount]) -> None:
        """Raise LaunchFailed where a path led elsewhere while bwrap mounted it."""
        try:
            inside = read_mounts(_mount_list(self._pid))
        except OSError as error:  # it ended just now
            raise LaunchFailed(f"the mounts of the sandbox could not be read: {error}") from error
        # What the host mounts in between comes along.
        host = read_mounts(self._host_mounts + _mount_list("self"))
        for path in replaced(mounts, host, inside):
            raise LaunchFailed(f"{path} was replaced while the sandbox was built")

    @property
    def supplier(self) -> socket.socket:
        """What sockets are ordered by (`sandbox.linux.supply`), once it is sealed."""
        return self._channel

    def end(self) -> None:
        """The child ends when nobody listens to it any more; one that is stopped, does too."""
        self._channel.close()
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)


def _mount_list(pid: int | str) -> bytes:
    return Path(f"/proc/{pid}/mountinfo").read_bytes()


def _words(answer: bytes) -> str:
    return answer.decode(errors="replace") or "it ended without a word"


def _adopt(descriptor: int) -> socket.socket:
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener


def _help(channel: socket.socket, pid: int, wanted: Wanted) -> None:
    """Run in the forked child; never returns, never runs the parent's clean-up."""
    try:
        mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        _enter(pid)
        made = {name: _listen(port) for name, port in wanted.listeners.items()}
        made |= {name: _take_datagrams(port) for name, port in wanted.datagrams.items()}
        _give(channel, made)
        if wanted.capture:
            _capture(channel)
        _seal(channel, mounts)
        if wanted.supplies:
            supply(channel)
    except OSError as error:
        with suppress(OSError):
            channel.send(str(error).encode(errors="replace")[:_MAX_MESSAGE])
    finally:
        os._exit(0)


def _give(channel: socket.socket, made: dict[str, socket.socket], why_not: str = "") -> None:
    """Hand them over; then they are only the launcher's."""
    answer = json.dumps({"names": list(made), "why_not": why_not}).encode()
    socket.send_fds(channel, [answer], [each.fileno() for each in made.values()])
    for each in made.values():
        each.close()


def _capture(channel: socket.socket) -> None:
    # Only here, while bwrap goes on.
    from sandbox.linux.capture import open_capture

    try:
        made = open_capture()
    except OSError as error:
        _give(channel, {}, error.strerror or str(error))
    else:
        _give(channel, made)


def _enter(pid: int) -> None:
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    owner = fcntl.ioctl(network, _NS_GET_USERNS)
    os.setns(owner, os.CLONE_NEWUSER)
    os.setns(network, os.CLONE_NEWNET)


def _seal(channel: socket.socket, mounts: int) -> None:
    # Only here, while the gateway is imported: it takes as long as everything else together.
    import ctypes

    kernel = ctypes.CDLL(None, use_errno=True)
    order, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not order:
        return
    with os.fdopen(descriptors[0], "rb") as file:
        folders, late = json.load(file)
    os.setns(mounts, os.CLONE_NEWNS)
    for path, (device, inode) in folders.items():
        found = os.stat(path)  # noqa: PTH116  # two numbers of it
        if (found.st_dev, found.st_ino) != (device, inode):
            raise OSError(f"{path} was replaced while the sandbox was built")
    if kernel.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if late:
        from sandbox.linux.late_mounts import mount_all

        mount_all(kernel, late)
    channel.send(b"+")


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + BUILD_SECONDS
    while True:
        try:
            listener.bind(("127.0.0.1", port))
            break
        except OSError as error:
            # bwrap brings the loopback up about now; until then its address does not exist.
            if error.errno != errno.EADDRNOTAVAIL or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
    listener.listen(LISTEN_BACKLOG)
    return listener


def _take_datagrams(port: int) -> socket.socket:
    """For all of 127.0.0.0/8: each SOCKS association gets an address of its own there.

    The namespace has no interface but the loopback. A socket can't be made in it later, and the
    command can't run before this option is set: whatever comes says which address it came to.
    """
    taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taker.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    taker.bind(("", port))
    return taker
