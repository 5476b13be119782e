"""The sockets that a run starts with."""

from __future__ import annotations

from sandbox.launch import listen_on_host


def test_without_a_sandbox_they_are_two_of_this_hosts_loopback() -> None:
    listeners = listen_on_host()

    addresses = listeners.addresses()

    assert addresses.http == f"127.0.0.1:{listeners.http.getsockname()[1]}"
    assert addresses.socks == f"127.0.0.1:{listeners.socks.getsockname()[1]}"
    assert listeners.datagrams is None
    listeners.close()
    assert (listeners.http.fileno(), listeners.socks.fileno()) == (-1, -1)
