"""Only sockets of our own user get through."""

from __future__ import annotations

import os
import socket

import pytest

from sandbox.loopback import OwnDatagrams, OwnListener


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


def taker() -> OwnDatagrams:
    sock = OwnDatagrams(socket.AF_INET)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(0.2)
    return sock


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, ""), (socket.AF_INET6, "")],
    ids=["bound", "wildcard", "ipv6"],
)
def test_our_own_datagrams_are_taken(family: socket.AddressFamily, address: str) -> None:
    buffer = memoryview(bytearray(16))
    with taker() as sock, socket.socket(family, socket.SOCK_DGRAM) as client:
        client.bind((address, 0))
        mapped = "::ffff:127.0.0.1" if family == socket.AF_INET6 else "127.0.0.1"
        for data in (b"one", b"two"):
            client.sendto(data, (mapped, sock.getsockname()[1]))
            count, source = sock.recvfrom_into(buffer)
            assert (bytes(buffer[:count]), source[1]) == (data, client.getsockname()[1])


def test_a_datagram_of_a_socket_that_is_gone_is_nobodys() -> None:
    with taker() as sock:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", sock.getsockname())
        with pytest.raises(TimeoutError):
            sock.recvfrom_into(memoryview(bytearray(16)))


def test_another_users_datagrams_are_dropped() -> None:
    if os.getuid() != 0:
        pytest.skip("being another user needs root")
    with taker() as sock:
        asked, told = os.pipe()
        stranger = os.fork()  # an interpreter under a closed home could not be executed
        if stranger == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
                theirs.sendto(b"x", sock.getsockname())
                os.read(asked, 1)
            os._exit(0)
        with pytest.raises(TimeoutError):
            sock.recvfrom_into(memoryview(bytearray(16)))
        os.write(told, b"+")
        os.waitpid(stranger, 0)
        os.close(asked)
        os.close(told)


def _as_nobody(address: tuple[str, int]) -> int:
    """0 if the connection was closed without a word."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with socket.create_connection(address) as stranger:
        stranger.settimeout(5)
        return len(stranger.recv(1))
