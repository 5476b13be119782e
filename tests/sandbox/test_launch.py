"""The sockets that a run starts with."""

from __future__ import annotations

import socket

from sandbox.launch import CaptureSockets, Listeners, listen_on_host


def test_without_a_sandbox_they_are_two_of_this_hosts_loopback() -> None:
    listeners = listen_on_host()

    addresses = listeners.addresses()

    assert addresses.http == f"127.0.0.1:{listeners.http.getsockname()[1]}"
    assert addresses.socks == f"127.0.0.1:{listeners.socks.getsockname()[1]}"
    assert listeners.datagrams is None
    assert listeners.capture is None
    listeners.close()
    assert (listeners.http.fileno(), listeners.socks.fileno()) == (-1, -1)


def test_all_of_them_are_closed() -> None:
    http, socks, datagrams, tcp, udp, dns, rejected = (socket.socket() for _ in range(7))
    capture = CaptureSockets(tcp=(tcp,), dns_udp=(udp,), dns_tcp=(dns,), rejected=rejected)

    Listeners(http=http, socks=socks, datagrams=datagrams, capture=capture).close()

    made = (http, socks, datagrams, *capture.all())
    assert [each.fileno() for each in made] == [-1] * 7


def test_nothing_may_tell_of_rejected_packets() -> None:
    with socket.socket() as tcp:
        assert CaptureSockets(tcp=(tcp,), dns_udp=(), dns_tcp=()).all() == (tcp,)
