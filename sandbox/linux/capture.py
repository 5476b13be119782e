"""Makes connections and questions of programs that know of no proxy end at us.

Runs in the helper that entered the sandbox's network namespace (`sandbox.linux.namespace`) and has
every capability there. What the kernel is told: `rtnetlink`, `nftables`, `nflog`.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path

from sandbox.config import BUILD_SECONDS, CAPTURE_PORT, DNS_PORT, LISTEN_BACKLOG, NETLINK_SECONDS
from sandbox.linux import nflog
from sandbox.linux.netlink import NETLINK_NETFILTER, NETLINK_ROUTE, messages
from sandbox.linux.nftables import capture_rules
from sandbox.linux.rtnetlink import (
    all_is_local4,
    all_is_local6,
    beyond_loopback4,
    beyond_loopback6,
)

_ANSWER_BYTES = 1 << 16
_RETRY_SECONDS = 0.0005
_NO_IPV6 = "/proc/sys/net/ipv6/conf/lo/disable_ipv6"


def open_capture() -> dict[str, socket.socket]:
    """Return the sockets, named as `sandbox.launch.CaptureSockets.of` reads them.

    Takes about 2 ms. Raises OSError with what the kernel can't do; then nothing is captured: the
    routes, which are last, are what leads packets to the rules.
    """
    has_ipv6 = _has_ipv6()
    made = _sockets(socket.AF_INET, "127.0.0.1")
    if has_ipv6:
        made |= _sockets(socket.AF_INET6, "::1")
    rejected = made["capture-rejected"] = _kernel(NETLINK_NETFILTER)
    _ask(rejected, nflog.binding(), "log packets")
    with _kernel(NETLINK_NETFILTER) as rules:
        _ask(rules, capture_rules(), "redirect connections")
    loopback = socket.if_nametoindex("lo")
    with _kernel(NETLINK_ROUTE) as routes:
        _ask(routes, beyond_loopback4(loopback), "have an address")
        if has_ipv6:
            _ask(routes, beyond_loopback6(loopback), "have an address")
        _ask(routes, all_is_local4(loopback), "route to itself")
        if has_ipv6:
            _ask(routes, all_is_local6(loopback), "route to itself")
    return made


def _has_ipv6() -> bool:
    """Whether this namespace has it: not with the module missing, nor when it is switched off."""
    try:
        return Path(_NO_IPV6).read_bytes().strip() == b"0"
    except OSError:
        return False


def _sockets(family: socket.AddressFamily, own: str) -> dict[str, socket.socket]:
    version = 4 if family == socket.AF_INET else 6
    made = {
        f"capture-tcp{version}": _bound(family, socket.SOCK_STREAM, own, CAPTURE_PORT),
        f"capture-dns-tcp{version}": _bound(family, socket.SOCK_STREAM, own, DNS_PORT),
        f"capture-dns-udp{version}": _bound(family, socket.SOCK_DGRAM, own, DNS_PORT),
    }
    for each in made.values():
        if each.type == socket.SOCK_STREAM:
            each.listen(LISTEN_BACKLOG)
    return made


def _bound(
    family: socket.AddressFamily, kind: socket.SocketKind, own: str, port: int
) -> socket.socket:
    made = socket.socket(family, kind)
    deadline = time.monotonic() + BUILD_SECONDS
    while True:
        try:
            made.bind((own, port))
        except OSError as error:
            # The loopback has its IPv4 address; ::1 comes in the same step, and may be next.
            if error.errno != errno.EADDRNOTAVAIL or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return made


def _kernel(protocol: int) -> socket.socket:
    try:
        asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    except OSError as error:
        raise OSError(error.errno, f"the kernel has no netlink for it: {error.strerror}") from error
    asking.connect((0, 0))  # only the kernel is heard
    asking.settimeout(NETLINK_SECONDS)
    return asking


def _ask(asking: socket.socket, question: bytes, what: str) -> None:
    """Send it and wait until it is done."""
    asking.send(question)
    while True:
        for answer in messages(asking.recv(_ANSWER_BYTES)):
            failure = answer.failure()
            if failure:
                raise OSError(failure, f"the kernel can't {what}: {os.strerror(failure)}")
            if failure == 0:
                return
