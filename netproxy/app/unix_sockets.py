"""Unix sockets of this host that a command may use: pinned before it starts, brokered then.

A path is pinned as the very file that is there now: what the path leads to later is not what was
given, and the command may be able to change that.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from netproxy.app.listening import ListenRefused
from netproxy.model import Reason

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping
    from io import FileIO
    from pathlib import Path

    from netproxy.transport.server import ProxyServer

# Whoever may talk to one of these may do on this host whatever its user may, or root: the end of
# their paths, and what they are.
_KEYS_OF_THE_HOST = {
    "docker.sock": "Docker",
    "podman.sock": "Podman",
    "containerd.sock": "containerd",
    "crio.sock": "CRI-O",
    "system_bus_socket": "D-Bus",
    "/bus": "D-Bus",
    "systemd/private": "systemd",
    "systemd/notify": "systemd",
    "S.gpg-agent": "the GnuPG agent",
    "keyring/control": "the keyring",
    "keyring/ssh": "an SSH agent",
    "ssh-agent.socket": "an SSH agent",
}
_AGENT = "agent."  # /tmp/ssh-XXXXXXXX/agent.1234
# More are not told apart: who tries them all is known by then.
_MOST_REFUSALS = 100


def warnings(paths: tuple[str, ...]) -> Iterator[str]:
    """Say of which sockets whoever uses them is no longer fenced."""
    for path in paths:
        known = (what for end, what in _KEYS_OF_THE_HOST.items() if path.endswith(end))
        is_agent = os.path.basename(path).startswith(_AGENT)  # noqa: PTH119  # text
        what = next(known, "an SSH agent" if is_agent else None)
        if what is not None:
            yield (
                f"--unix {path}: that is {what}, through which the command can act outside of the "
                "sandbox"
            )


@contextmanager
def pinned_sockets(paths: tuple[str, ...], own: Path) -> Iterator[dict[str, int]]:
    """Open each of these sockets, without connecting, until the block ends: descriptors by path.

    Raises `ListenRefused` for what is none, or lies in `own`, the folder of gateways' sockets; and
    `FenceUnavailable` where the kernel can't have the command's calls judged.
    """
    if paths:
        _demand_support()
    gateways = _sockets_in(own) if paths else frozenset()
    with ExitStack() as opened:
        found = {}
        for path in paths:
            try:
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise ListenRefused(f"--unix {path}: {why}") from None
            opened.callback(os.close, descriptor)
            there = os.fstat(descriptor)
            if not stat.S_ISSOCK(there.st_mode):
                raise ListenRefused(f"--unix {path}: is no socket")
            if (there.st_dev, there.st_ino) in gateways:
                raise ListenRefused(f"--unix {path}: is a gateway's, which answers no command")
            found[path] = descriptor
        yield found


def _sockets_in(folder: Path) -> frozenset[tuple[int, int]]:
    """Tell them by what they are: a link, or another name, leads to the same."""
    found = set()
    with suppress(OSError):
        for each in folder.iterdir():
            there = each.lstat()
            found.add((there.st_dev, there.st_ino))
    return frozenset(found)


def _demand_support() -> None:
    from netproxy.app.fencing import machine
    from sandbox.errors import FenceUnavailable
    from sandbox.linux.notify import is_supported
    from sandbox.linux.notify_filter import calls_of

    if not is_supported(calls_of(machine()).seccomp):
        raise FenceUnavailable(
            "this kernel can't have connections judged by path (SECCOMP_RET_USER_NOTIF)",
            "leave out --unix, or use Linux 5.19 or newer",
        )


@contextmanager
def brokered(
    server: ProxyServer, calls: FileIO | None, places: Mapping[str, int], machine: str
) -> Iterator[None]:
    """Answer the command's calls until the block ends. Inside a running loop.

    `calls`: where they wait; None where none was asked for.
    """
    if calls is None:
        yield
        return
    import asyncio

    from sandbox.linux.broker import Broker
    from sandbox.linux.notify_filter import calls_of

    broker = Broker(
        calls,
        calls_of(machine),
        places,
        loop=asyncio.get_running_loop(),
        linked=partial(_lead, server),
        refused=refusals(server),
    )
    try:
        yield
    finally:
        broker.close()


def refusals(server: ProxyServer) -> Callable[[str], None]:
    """Return what records a path that was refused: each once."""
    from otel.events import UnixRefused

    seen: set[str] = set()

    def refused(path: str) -> None:
        if path not in seen and len(seen) < _MOST_REFUSALS:
            seen.add(path)
            server.note(UnixRefused(path=path, reason=Reason.UNIX_SOCKET_UNSUPPORTED.value))

    return refused


def _lead(server: ProxyServer, path: str, ours: socket.socket, far: socket.socket) -> None:
    from netproxy.transport.unix_link import UnixLink

    server.lead(ours, UnixLink(path=path, far=far))
