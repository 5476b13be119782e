"""The sockets that a run starts with."""

from __future__ import annotations

import socket
from dataclasses import replace

from sandbox.launch import CaptureSockets, Launch, Listeners, listen_on_host
from sandbox.limits import Limit
from sandbox.linux.notify_filter import notify_order
from sandbox.streams import Streams


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


def test_the_monitor_is_told_each_limit() -> None:
    launch = Launch(
        command=("true",),
        environment={},
        directory="/",
        streams=Streams(terminals=(), path=None),
        plan=None,
        machine="x86_64",
        limits=(Limit(name="memory", amount=4096), Limit(name="cpu-seconds", amount=5)),
    )

    assert launch.orders() == b"limit=9 4096 4096\0limit=0 5 6\0"
    judged = replace(launch, unix_by_path=True).orders("root=").split(b"\0")
    assert judged[2:] == [notify_order("x86_64").encode(), b"root=", b""]


def test_they_are_found_by_the_helpers_names() -> None:
    names = ("http", "capture-tcp4", "capture-dns-udp4", "capture-dns-tcp4", "capture-tcp6")
    made = {name: socket.socket() for name in names}

    capture = CaptureSockets.of(made)

    assert capture.tcp == (made["capture-tcp4"], made["capture-tcp6"])
    assert capture.dns_udp == (made["capture-dns-udp4"],)
    assert capture.dns_tcp == (made["capture-dns-tcp4"],)
    assert capture.rejected is None
    for each in made.values():
        each.close()


def test_the_command_and_its_environment_are_strings_that_end() -> None:
    """As they are, bytes that are no text too; a variable without a name can't be passed on."""
    launch = Launch(
        command=("echo", "a b", "", "\udcff"),
        environment={"A": "b=c", "": "x", "E": ""},
        directory="/",
        streams=Streams(terminals=(), path=None),
        plan=None,
        machine="x86_64",
    )

    assert launch.words_and_environment() == b"4\0echo\0a b\0\0\xff\0A=b=c\0E=\0"
