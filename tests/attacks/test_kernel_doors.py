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


def attempts(netproxy: Netproxy, *codes: str) -> dict[str, str]:
    """The name of the error that each meets inside, or `out`; all in one sandbox."""
    said = inside(
        netproxy,
        f"""
import ctypes, errno, json, socket
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
def attempt(code):
    try:
        exec(code)
        return "out"
    except OSError as error:
        return errno.errorcode[error.errno]
print(json.dumps([attempt(code) for code in {codes!r}]))
""",
    )
    return dict(zip(codes, json.loads(said), strict=True))


def test_no_setting_of_the_kernel_can_be_written(netproxy: Netproxy) -> None:
    """As root, kernel.core_pattern names a program that runs outside, with every capability."""
    assert json.loads(inside(netproxy, _SETTINGS)) == []


def test_a_pair_of_datagram_sockets_reaches_no_socket_of_the_host(
    netproxy: Netproxy, base: Path
) -> None:
    """One end of such a pair can be connected anew: to /run/systemd/journal/socket, for one."""
    path = base / "host.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as host:
        host.bind(str(path))
        host.setblocking(False)
        path.chmod(0o777)
        codes = [
            f"socket.socketpair(socket.AF_UNIX, socket.{kind})[0].sendto(b'x', '{path}')"
            for kind in ("SOCK_DGRAM", "SOCK_RAW")
        ]
        assert attempts(netproxy, *codes) == dict.fromkeys(codes, "EPERM")
        with pytest.raises(BlockingIOError):
            host.recv(1)


def test_pairs_that_stay_what_they_are_still_work(me: Person, base: Path) -> None:
    codes = [
        f"a, b = socket.socketpair(socket.AF_UNIX, socket.{kind}); a.send(b'x'); b.recv(1)"
        for kind in ("SOCK_STREAM", "SOCK_SEQPACKET")
    ]
    assert attempts(Netproxy(me, base), *codes) == dict.fromkeys(codes, "out")


# add_key, request_key, keyctl
_KEY_CALLS = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}


def test_no_key_ring_is_shared_with_the_host(netproxy: Netproxy) -> None:
    """The session's key ring holds the caller's tickets, and request_key(2) asks the host's root.

    A key of the type dns_resolver is looked up by a program outside: a way out for data.
    """
    codes = [
        f"check(libc.syscall({number}, b'user', b'netproxy-test', b'x', 1, -3))"
        for number in _KEY_CALLS[os.uname().machine]
    ]
    assert attempts(netproxy, *codes) == dict.fromkeys(codes, "ENOSYS")


def test_only_tcp_and_udp_exist(me: Person, base: Path) -> None:
    """DCCP, SCTP, UDP-Lite, SMC and MPTCP are of no use here; asking for one loads its module."""
    codes = [
        f"socket.socket(socket.AF_INET, socket.SOCK_STREAM, {protocol})"
        for protocol in (33, 132, 136, 256, 262)
    ]
    assert attempts(Netproxy(me, base), *codes) == dict.fromkeys(codes, "EPROTONOSUPPORT")
