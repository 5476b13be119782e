from __future__ import annotations

import errno
import socket
from contextlib import closing

import pytest

from netproxy.transport.sockets import Socket, accept, is_gone, tcp_socket


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_is_taken_with_its_address_and_does_not_block(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
    ):
        accepted, address = accept(listener, int(listener.family))
        with closing(accepted):
            assert address == client.getsockname()
            assert accepted.getsockname() == client.getpeername()
            with pytest.raises(BlockingIOError):
                accepted.recv(1)
            client.sendall(b"x")
            accepted.setblocking(True)
            assert accepted.recv(1) == b"x"


def test_nobody_there_is_an_error_and_no_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            accept(listener, int(listener.family))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_new_one_fits_its_peer_and_does_not_block(host: str) -> None:
    with closing(tcp_socket(host)) as made, closing(socket.socket(made.family)) as nobody:
        nobody.bind((host, 0))
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert made.gettimeout() == 0
        result = made.connect_ex(nobody.getsockname()[:2])
        assert result in {errno.EINPROGRESS, errno.ECONNREFUSED}


def test_what_the_standard_library_makes_is_one_too() -> None:
    with socket.socket() as one:
        assert isinstance(one, Socket)


@pytest.mark.parametrize(
    ("problem", "gone"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), True),
        (ConnectionError("left"), True),
        (TimeoutError(), True),
        (OSError(errno.EHOSTUNREACH, "its host is off"), True),
        (OSError(errno.ENETDOWN, "our interface is down"), True),
        (OSError(errno.EMFILE, "no descriptor"), False),
        (OSError(errno.EBADF, "a flaw of ours"), False),
        (OSError("of no call"), False),
        (ValueError(), False),
    ],
    ids=str,
)
def test_who_is_gone(problem: Exception, gone: bool) -> None:
    assert is_gone(problem) is gone
