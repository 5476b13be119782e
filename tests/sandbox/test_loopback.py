"""Only sockets of our own user get through."""

from __future__ import annotations

import os
import socket

import pytest

from sandbox.loopback import OwnListener


def test_our_own_client_is_accepted() -> None:
    with OwnListener(8) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, address = listener.accept()
        with accepted:
            assert address == client.getsockname()


def test_without_a_client_it_does_not_wait() -> None:
    with OwnListener(8) as listener, pytest.raises(BlockingIOError):
        listener.accept()


def test_a_client_that_nobody_holds_is_nobodys() -> None:
    """The kernel shows it as root's: a stranger would only have to leave at once."""
    with OwnListener(8) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"GET http://allowed.test/secret HTTP/1.1\r\n\r\n")
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_another_user_is_hung_up_on() -> None:
    if os.getuid() != 0:
        pytest.skip("being another user needs root")
    with OwnListener(8) as listener:
        address = listener.getsockname()
        stranger = os.fork()  # an interpreter under a closed home could not be executed
        if stranger == 0:
            os._exit(_as_nobody(address))
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
        assert os.waitstatus_to_exitcode(os.waitpid(stranger, 0)[1]) == 0


def _as_nobody(address: tuple[str, int]) -> int:
    """0 if the connection was closed without a word."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with socket.create_connection(address) as stranger:
        stranger.settimeout(5)
        return len(stranger.recv(1))
