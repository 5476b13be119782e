"""Ways around the namespaces that are made of the kernel itself, not of packets.

The defences: /proc's host-wide files are mounted read-only, and the kernel filter knows sockets by
family, type and protocol, and has no key rings. Each row was seen to fail without its defence (and
without the probe, which would end the run before). Some have more than one, and all had to go:

    the monitor's control socket, what two processes share   filter, Landlock, stay_unreadable
    a mount, and of the new kind; another's namespace        filter, capabilities, --disable-userns
    (a mount: Landlock, too); the routes                     capabilities, --disable-userns

To an ordinary user's bwrap the kernel gives no capability that could be left to the command: there
the last two lines can't fail.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox.linux import syscalls
from sandbox.linux.syscalls import number_of
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


_REFUSED = {
    "tracing a child": "traced(libc.ptrace(16, child(), 0, 0))",
    "asking to be traced": "check(libc.ptrace(0, 0, 0, 0))",
    "the monitor's memory": "check(libc.process_vm_readv(monitor, None, 0, None, 0, 0))",
    "the monitor's control socket": "check(libc.syscall(438, os.pidfd_open(monitor), 3, 0))",
    "what two processes share": "check(call('kcmp', os.getpid(), monitor, 0, 0, 0))",
    "a program in the kernel": "check(call('bpf', 0, None, 0))",
    "a fault handler": "check(call('userfaultfd', 1))",
    "performance counters": "check(call('perf_event_open', None, 0, -1, -1, 0))",
    "a mount": "check(libc.mount(b'x', b'/tmp', b'tmpfs', 0, None))",
    "a mount of the new kind": "check(call('fsopen', b'tmpfs', 0))",
    "a copy of a mount": "check(call('open_tree', -100, b'/', 1))",
    "a user namespace": "os.unshare(os.CLONE_NEWUSER)",
    "another's namespace": "os.setns(os.open('/proc/self/ns/net', 0))",
    "a child in a user namespace": "forked(call('clone', 0x10000000 | 17, None, 0, 0, 0))",
    "a file by its number": "check(call('open_by_handle_at', -100, None, 0))",
    "typing a key": "import fcntl; fcntl.ioctl(1, 0x5412, b'x')",
    "typing a key, spelled wider": "check(libc.ioctl(1, ctypes.c_ulong(1 << 32 | 0x5412), b'x'))",
    "pasting into a console": "import fcntl; fcntl.ioctl(1, 0x541C, bytes(2))",
}
_ABSENT = {
    "such a child, asked for in memory": "words = (ctypes.c_uint64 * 8)(0x10000000, 0, 0, 0, 17);"
    " forked(call('clone3', words, 64))",
}
_EACH_IN_A_PROCESS_OF_ITS_OWN = """
import ctypes, errno, json, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
monitor = os.getppid()
rows, numbers = json.loads(sys.argv[1])
call = lambda name, *words: libc.syscall(numbers[name], *words)
children = []
def child():
    pid = os.fork()
    if not pid:
        signal.pause()
    children.append(pid)
    return pid
def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
def forked(result):
    if result == 0:
        os._exit(0)
    check(result)
def traced(result):
    os.kill(children[-1], signal.SIGKILL)
    check(result)
def answer(code):
    reads, writes = os.pipe()
    if os.fork():
        os.close(writes)
        return os.read(reads, 100).decode()
    try:
        exec(code)
        said = "out"
    except OSError as error:
        said = errno.errorcode[error.errno]
    os.write(writes, said.encode())
    os._exit(0)
print(json.dumps({name: answer(code) for name, code in rows.items()}))
"""


def test_what_a_build_needs_not_is_refused(person: Person, base: Path) -> None:
    """One sandbox for the table, and a process for each row: one that gets through may hang."""
    numbers = {
        name: number_of(name, os.uname().machine)
        for name in (*syscalls.REFUSED, *syscalls.ABSENT, *syscalls.EXAMINED)
    }
    told = json.dumps(({**_REFUSED, **_ABSENT}, numbers))
    command = [sys.executable, "-I", "-c", _EACH_IN_A_PROCESS_OF_ITS_OWN, told]
    done = Netproxy(person, base).run("--ask", "never", command=command)
    assert done.status == 0, done.err
    expected = {**dict.fromkeys(_REFUSED, "EPERM"), **dict.fromkeys(_ABSENT, "ENOSYS")}
    assert json.loads(done.out) == expected


def test_a_thread_and_a_child_start_as_ever(me: Person, base: Path) -> None:
    """clone3(2) is answered as by an old kernel, and libc takes clone(2)."""
    code = (
        "import subprocess, threading; t = threading.Thread(target=print); t.start(); t.join();"
        " subprocess.run(['true'], check=True)"
    )
    assert attempts(Netproxy(me, base), code) == {code: "out"}


def test_the_routes_can_be_read_and_not_written(netproxy: Netproxy) -> None:
    """Node's os.networkInterfaces and getifaddrs(3) ask for them; there is only a loopback."""
    script = """
ip -o addr | cut -d' ' -f2 | sort -u
ip link set lo mtu 1500 || echo refused
ip addr add 10.0.0.1/8 dev lo || echo refused
ip route add 192.0.2.0/24 dev lo || echo refused
"""
    done = netproxy.run("--ask", "never", command=["sh", "-c", script])
    assert done.out == "lo\n" + "refused\n" * 3
    assert done.err.count("Operation not permitted") == 3


def test_no_other_netlink_is_there(me: Person, base: Path) -> None:
    """Sockets of everybody, the audit system, the firewall, events of devices."""
    codes = [
        f"socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, {protocol})"
        for protocol in (4, 9, 12, 15)
    ]
    assert attempts(Netproxy(me, base), *codes) == dict.fromkeys(codes, "EPROTONOSUPPORT")


def test_only_tcp_and_udp_exist(me: Person, base: Path) -> None:
    """SCTP, UDP-Lite, SMC and MPTCP are of no use here; asking for one loads its module.

    A kernel that lacks one says the same itself: that row fails on others only, without a filter.
    """
    codes = [
        f"socket.socket(socket.AF_INET, socket.{kind}, {protocol})"
        for kind, protocol in (
            ("SOCK_STREAM", 132),
            ("SOCK_DGRAM", 136),
            ("SOCK_STREAM", 256),
            ("SOCK_STREAM", 262),
        )
    ]
    assert attempts(Netproxy(me, base), *codes) == dict.fromkeys(codes, "EPROTONOSUPPORT")
