"""Ways around the namespaces that are made of the kernel itself, not of packets.

The defences: /proc's host-wide files are mounted read-only, and the kernel filter knows sockets by
family, type and protocol, and has no key rings. Each test was seen to fail without its defence.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

_SETTINGS = """
import json, os
opened = []
for folder, folders, files in os.walk("/proc"):
    if folder == "/proc":
        folders[:] = [name for name in folders if not name.isdigit() and "self" not in name]
    for name in files:
        try:
            os.close(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            continue
        opened.append(os.path.join(folder, name))
print(json.dumps(opened))
"""


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def inside(netproxy: Netproxy, script: str) -> str:
    done = netproxy.run("--ask", "never", command=[sys.executable, "-I", "-c", script])
    assert done.status == 0, done.err
    return done.out.strip()


def attempt(netproxy: Netproxy, code: str) -> str:
    """The name of the error that `code` meets inside, or `out`."""
    return inside(
        netproxy,
        f"""
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
try:
    {code}
    print("out")
except OSError as error:
    print(errno.errorcode[error.errno])
""",
    )


def test_no_setting_of_the_kernel_can_be_written(netproxy: Netproxy) -> None:
    """As root, kernel.core_pattern names a program that runs outside, with every capability."""
    assert json.loads(inside(netproxy, _SETTINGS)) == []


@pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_RAW"])
def test_a_pair_of_datagram_sockets_reaches_no_socket_of_the_host(
    netproxy: Netproxy, base: Path, kind: str
) -> None:
    """One end of such a pair can be connected anew: to /run/systemd/journal/socket, for one."""
    path = base / "host.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as host:
        host.bind(str(path))
        host.setblocking(False)
        path.chmod(0o777)
        pair = f"socket.socketpair(socket.AF_UNIX, socket.{kind})[0]"
        assert attempt(netproxy, f"{pair}.sendto(b'x', '{path}')") == "EPERM"
        with pytest.raises(BlockingIOError):
            host.recv(1)


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET"])
def test_pairs_that_stay_what_they_are_still_work(me: Person, base: Path, kind: str) -> None:
    code = f"a, b = socket.socketpair(socket.AF_UNIX, socket.{kind}); a.send(b'x'); b.recv(1)"
    assert attempt(Netproxy(me, base), code) == "out"


_KEY_CALLS = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}


@pytest.mark.parametrize("index", range(3), ids=["add_key", "request_key", "keyctl"])
def test_no_key_ring_is_shared_with_the_host(netproxy: Netproxy, index: int) -> None:
    """The session's key ring holds the caller's tickets, and request_key(2) asks the host's root.

    A key of the type dns_resolver is looked up by a program outside: a way out for data.
    """
    number = _KEY_CALLS[os.uname().machine][index]
    code = f"check(libc.syscall({number}, b'user', b'netproxy-test', b'x', 1, -3))"
    assert attempt(netproxy, code) == "ENOSYS"


@pytest.mark.parametrize("protocol", [33, 132, 136, 256, 262])
def test_only_tcp_and_udp_exist(me: Person, base: Path, protocol: int) -> None:
    """DCCP, SCTP, UDP-Lite, SMC and MPTCP are of no use here; asking for one loads its module."""
    code = f"socket.socket(socket.AF_INET, socket.SOCK_STREAM, {protocol})"
    assert attempt(Netproxy(me, base), code) == "EPROTONOSUPPORT"
