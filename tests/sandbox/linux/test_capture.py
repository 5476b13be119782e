"""What the kernel does for programs that know of no proxy: the rules in a real namespace."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import FenceUnavailable
from sandbox.host import find_bwrap
from sandbox.linux.capture import _ask, open_capture
from sandbox.linux.netlink import message
from sandbox.model import Exited
from tests.support.captured import Captured
from tests.support.people import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each line says its label, what came of it, and that it was not waited for: a SYN that nobody
# takes or refuses is sent again after a second.
PROGRAM = """
import socket, time

def says(label, attempt):
    began = time.monotonic()
    try:
        said = attempt()
    except OSError as error:
        said = error.errno
    assert time.monotonic() - began < 0.9, (label, time.monotonic() - began)
    assert said == EXPECTED[label], (label, said)

def talk(client, address):
    with client:
        client.settimeout(10)
        client.connect(address)
        return client.recv(100)

def ask(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(b"question", address)
        answer, sender = client.recvfrom(100)
        return answer, sender[:2]

def send(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return client.sendto(b"x", address)

def bound():
    client = socket.socket()
    client.bind(("10.1.2.3", 0))
    return talk(client, ("192.0.2.1", 82))

def own(family, address):
    with socket.create_server((address, 0), family=family) as server:
        client = socket.create_connection(server.getsockname()[:2])
        accepted, _ = server.accept()
        accepted.sendall(b"own")
        with accepted:
            return talk_on(client)

def talk_on(client):
    with client:
        return client.recv(100)

def again(address):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", 40000))
    return talk(client, address)

IN4, IN6 = socket.AF_INET, socket.AF_INET6
EXPECTED = {
    "ipv4": b"captured", "ipv6": b"captured", "mapped": b"captured", "bound": b"captured",
    "the proxy's port elsewhere": b"captured", "link-local": b"captured", "dot": b"captured",
    "dns": (b"answered", ("192.0.2.53", 53)), "dns6": (b"answered", ("2001:db8::53", 53)),
    "stub": (b"answered", ("127.0.0.53", 53)), "dns over tcp": b"captured",
    "one port": b"captured", "the same port to another place": b"captured",
    "udp": 1, "udp6": 1, "mdns": 1, "mdns6": 1, "broadcast": 1, "quic to a mapped one": 1,
    "own server": b"own", "own server6": b"own", "nobody": 111, "nobody6": 111, "raised": 13,
}
says("ipv4", lambda: talk(socket.socket(), ("192.0.2.1", 81)))
says("ipv6", lambda: talk(socket.socket(IN6), ("2001:db8::1", 81)))
says("mapped", lambda: talk(socket.socket(IN6), ("::ffff:192.0.2.9", 80)))
says("bound", bound)
says("the proxy's port elsewhere", lambda: talk(socket.socket(), ("192.0.2.1", 3128)))
says("link-local", lambda: talk(socket.socket(IN6), ("fe80::1", 443, 0, 1)))
says("dot", lambda: talk(socket.socket(), ("192.0.2.53", 853)))
says("dns", lambda: ask(IN4, ("192.0.2.53", 53)))
says("dns6", lambda: ask(IN6, ("2001:db8::53", 53)))
says("stub", lambda: ask(IN4, ("127.0.0.53", 53)))
says("dns over tcp", lambda: talk(socket.socket(), ("192.0.2.53", 53)))
says("one port", lambda: again(("192.0.2.4", 80)))
says("the same port to another place", lambda: again(("192.0.2.5", 80)))
says("udp", lambda: send(IN4, ("192.0.2.1", 443)))
says("udp6", lambda: send(IN6, ("2001:db8::1", 443)))
says("mdns", lambda: send(IN4, ("224.0.0.251", 5353)))
says("mdns6", lambda: send(IN6, ("ff02::fb", 5353)))
says("broadcast", lambda: send(IN4, ("255.255.255.255", 67)))
says("quic to a mapped one", lambda: send(IN6, ("::ffff:192.0.2.9", 443)))
says("own server", lambda: own(IN4, "127.0.0.1"))
says("own server6", lambda: own(IN6, "::1"))
says("nobody", lambda: talk(socket.socket(), ("127.0.0.1", 81)))
says("nobody6", lambda: talk(socket.socket(IN6), ("::1", 81)))
says("raised", lambda: socket.socket().bind(("127.0.0.2", 1023)))
"""


@pytest.fixture
def _bwrap() -> None:
    try:
        find_bwrap("")
    except FenceUnavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.usefixtures("_bwrap")
def test_every_connection_and_question_ends_at_us_and_the_rest_is_refused_at_once() -> None:
    with Captured(PROGRAM) as captured:
        assert captured.run() == Exited(code=0)

    assert captured.seen.connections == [
        ("192.0.2.1", 81),
        ("2001:db8::1", 81),
        ("192.0.2.9", 80),
        ("192.0.2.1", 82),
        ("192.0.2.1", 3128),
        ("fe80::1", 443),
        ("192.0.2.53", 853),
        ("192.0.2.53", 53),
        ("192.0.2.4", 80),
        ("192.0.2.5", 80),
    ]
    assert captured.seen.questions == [b"question"] * 3
    assert [(each.transport, each.address, each.port) for each in captured.seen.refused] == [
        ("udp", "192.0.2.1", 443),
        ("udp", "2001:db8::1", 443),
        ("udp", "224.0.0.251", 5353),
        ("udp", "ff02::fb", 5353),
        ("udp", "255.255.255.255", 67),
        ("udp", "192.0.2.9", 443),
    ]
    assert {each.uid for each in captured.seen.refused} == {os.getuid()}


@pytest.mark.usefixtures("_bwrap")
def test_the_kernel_holds_the_rules_as_they_are_documented() -> None:
    nft = shutil.which("nft", path=f"{os.defpath}:/usr/sbin:/sbin")
    if os.getuid() != 0 or nft is None:
        pytest.skip("listing a namespace's rules takes root and nft")
    with Captured("") as captured:
        network = f"--net=/proc/{captured.inner_pid}/ns/net"
        listed = subprocess.run(
            ["nsenter", network, nft, "list", "ruleset"], capture_output=True, text=True, check=True
        ).stdout
        captured.run()

    assert words(listed) == words(documented())


def documented() -> str:
    text = (ROOT / "docs" / "adr" / "0026-captured-by-the-kernel.md").read_text(encoding="utf-8")
    return text.split("```")[1]


def words(listing: str) -> list[str]:
    """Without comments; and priorities as numbers, which some nft spell and others don't."""
    lines = (line.partition("#")[0] for line in listing.splitlines())
    numbers = {"raw;": "-300;", "dstnat;": "-100;", "filter;": "0;"}
    return [numbers.get(word, word) for line in lines for word in line.split()]


@pytest.mark.parametrize("has_ipv6", [True, False])
def test_without_ipv6_there_is_nothing_of_it_to_capture(*, has_ipv6: bool) -> None:
    """In namespaces of a process's own, where it has every capability."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if families_without_a_sandbox(has_ipv6=has_ipv6) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def families_without_a_sandbox(*, has_ipv6: bool) -> bool:
    """Whether what is captured is of IPv4, and of IPv6 if there is any."""
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
    if not has_ipv6:
        Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6").write_text("1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        up = struct.pack("16sh14x", b"lo", 1)  # struct ifreq, IFF_UP
        fcntl.ioctl(asking, 0x8914, up)  # SIOCSIFFLAGS
    versions = {name[-1] for name in open_capture() if name != "capture-rejected"}
    return versions == ({"4", "6"} if has_ipv6 else {"4"})


@pytest.fixture
def kernel() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def told(number: int) -> bytes:
    return message(2, 0, struct.pack("=i", -number))


def test_what_the_kernel_can_not_do_is_said(kernel: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = kernel
    theirs.send(message(3, 0, b"") + told(errno.EOPNOTSUPP))

    with pytest.raises(OSError, match="the kernel can't redirect connections") as refused:
        _ask(ours, b"rules", "redirect connections")
    assert refused.value.errno == errno.EOPNOTSUPP


def test_what_the_kernel_has_done_is_waited_for(
    kernel: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = kernel

    def answer() -> None:
        assert theirs.recv(100) == b"rules"
        theirs.send(message(3, 0, b""))
        theirs.send(told(0))

    with_delay = threading.Thread(target=answer)
    with_delay.start()
    _ask(ours, b"rules", "redirect connections")
    with_delay.join()
