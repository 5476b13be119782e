"""The short-lived helper that enters the sandbox's network namespace and makes the listeners.

Theory: a socket belongs to the network namespace in which it was created, whoever holds it. So a
forked child of ours enters the sandbox's namespace from outside, listens on its loopback, passes
the descriptors back (SCM_RIGHTS) and ends; the gateway then accepts connections that could have
come from nowhere else. Entering needs the user namespace that *owns* the network namespace
(NS_GET_USERNS, ioctl_ns(2)), which is not always the one the command runs in.
setns(2) into a user namespace needs a single-threaded process: hence a fork, and hence early.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from contextlib import suppress

from sandbox.config import BUILD_SECONDS, LISTEN_BACKLOG
from sandbox.errors import LaunchFailed

_NS_GET_USERNS = 0xB701  # linux/nsfs.h: _IO(0xb7, 0x1)
_RETRY_SECONDS = 0.0005
_MAX_MESSAGE = 4096


def listen_inside(pid: int, ports: tuple[int, ...]) -> tuple[socket.socket, ...]:
    """Listening TCP sockets on 127.0.0.1 of the network namespace of `pid`, one for each port.

    Blocks for about 2 ms. Raises LaunchFailed with the helper's own words.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        helper = os.fork()
        if helper == 0:
            _help(theirs, pid, ports)
        theirs.close()
        try:
            message, descriptors, _, _ = socket.recv_fds(ours, _MAX_MESSAGE, len(ports))
        finally:
            os.waitpid(helper, 0)
    if len(descriptors) != len(ports):
        for descriptor in descriptors:
            os.close(descriptor)
        said = message.decode(errors="replace") or "it ended without a word"
        raise LaunchFailed(f"the helper could not listen inside the sandbox: {said}")
    return tuple(_adopt(descriptor) for descriptor in descriptors)


def _adopt(descriptor: int) -> socket.socket:
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener


def _help(channel: socket.socket, pid: int, ports: tuple[int, ...]) -> None:
    """Run in the forked child; never returns, never runs the parent's clean-up."""
    try:
        _enter(pid)
        listeners = [_listen(port) for port in ports]
        socket.send_fds(channel, [b"+"], [listener.fileno() for listener in listeners])
    except OSError as error:
        with suppress(OSError):
            channel.send(str(error).encode(errors="replace")[:_MAX_MESSAGE])
    finally:
        os._exit(0)


def _enter(pid: int) -> None:
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    owner = fcntl.ioctl(network, _NS_GET_USERNS)
    os.setns(owner, os.CLONE_NEWUSER)
    os.setns(network, os.CLONE_NEWNET)


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
