"""Ways out of the sandbox that must not exist: each fails, and fails at once.

The defences: the network namespace without routes, the kernel filter, the mounts. Each test was
seen to fail with its defence removed.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.people import ROOT
from tests.support.runs import Netproxy
from tests.support.sites import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.people import Person

AT_ONCE_SECONDS = 1.0


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def attempt(netproxy: Netproxy, code: str) -> str:
    """Run Python inside; it prints the name of the error, or `out`, and how long it took."""
    script = f"""
import ctypes, errno, os, socket, time
began = time.monotonic()
try:
    {code}
    said = "out"
except OSError as error:
    said = errno.errorcode.get(error.errno, str(error))
print(said, time.monotonic() - began)
"""
    done = netproxy.run("--ask", "never", command=[sys.executable, "-I", "-c", script])
    assert done.status == 0, done.err
    said, seconds = done.out.split()
    assert float(seconds) < AT_ONCE_SECONDS, "it has to fail fast, not by a time-out"
    return said


@pytest.mark.parametrize(
    "code",
    [
        "socket.create_connection(('192.0.2.1', 80), 5)",
        "socket.create_connection(('2001:db8::1', 80), 5)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:db8::1', 53))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('255.255.255.255', 67))",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('ff02::1', 5353))",
        "socket.create_connection(('169.254.169.254', 80), 5)",
    ],
    ids=["ipv4", "ipv6", "udp", "udp6", "broadcast", "multicast6", "metadata"],
)
def test_nothing_leaves_without_the_proxy(netproxy: Netproxy, code: str) -> None:
    assert attempt(netproxy, code) in {"ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH", "EACCES"}


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_VSOCK)",
        "socket.socket(38, socket.SOCK_SEQPACKET)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    ],
    ids=["unix", "unix-dgram", "netlink", "packet", "vsock", "alg", "raw"],
)
def test_only_internet_sockets_exist(netproxy: Netproxy, code: str) -> None:
    assert attempt(netproxy, code) == "EPERM"


def test_io_uring_is_no_way_around_the_filter(me: Person, base: Path) -> None:
    code = "r = ctypes.CDLL(None, use_errno=True).syscall(425, 1, ctypes.create_string_buffer(120))"
    check = "\n    if r < 0: raise OSError(ctypes.get_errno(), '')"
    assert attempt(Netproxy(me, base), code + check) == "ENOSYS"


@pytest.fixture
def host_sockets(base: Path) -> Iterator[Path]:
    """A path socket and an abstract one outside the sandbox, both listening."""
    path = base / "host.sock"
    with socket.socket(socket.AF_UNIX) as by_path, socket.socket(socket.AF_UNIX) as abstract:
        by_path.bind(str(path))
        by_path.listen()
        path.chmod(0o777)
        abstract.bind(f"\0netproxy-test-{os.getpid()}")
        abstract.listen()
        yield path


def test_no_socket_of_the_host_can_be_reached(netproxy: Netproxy, host_sockets: Path) -> None:
    for address in (str(host_sockets), f"\\0netproxy-test-{os.getpid()}"):
        code = f"socket.socket(socket.AF_UNIX).connect('{address}')"
        assert attempt(netproxy, code) == "EPERM"


def test_a_service_on_the_hosts_loopback_is_not_ours(netproxy: Netproxy) -> None:
    with Site() as site:
        code = f"socket.create_connection(('127.0.0.1', {site.port}), 5)"
        assert attempt(netproxy, code) == "ECONNREFUSED"
        assert site.visits == []


@pytest.mark.parametrize(
    "command",
    [
        ["env", "-i", "curl", "-sS", "-m", "5", "http://192.0.2.1/"],
        ["curl", "-sS", "-m", "5", "--noproxy", "*", "http://192.0.2.1/"],
        ["env", "-i", "curl", "-sS", "-m", "5", "http://example.com/"],
        ["env", "NO_PROXY=*", "no_proxy=*", "curl", "-sS", "-m", "5", "http://[2001:db8::1]/"],
    ],
    ids=["no variables", "noproxy", "by name", "no_proxy"],
)
def test_clients_that_ignore_the_proxy_get_nowhere(netproxy: Netproxy, command: list[str]) -> None:
    began = time.monotonic()
    done = netproxy.run("--ask", "never", command=command)
    assert done.status in {6, 7}, done.err  # curl: could not resolve, could not connect
    assert time.monotonic() - began < 5


def test_no_descriptor_is_inherited(me: Person, base: Path) -> None:
    """What the caller has open, neither; it is closed by the launcher and again by the monitor."""
    netproxy = Netproxy(me, base)
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--")
    argv = netproxy.argv(*words, "ls", "/proc/self/fd")
    script = 'exec 5</etc/passwd 9>>"$0"; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, str(netproxy.workspace / "open"), *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=True,
    )
    assert done.stdout.split() == [b"0", b"1", b"2", b"3"], "3 is the listing's own"


def test_no_privilege_is_left(netproxy: Netproxy) -> None:
    done = netproxy.run(
        "--ask", "never", command=["grep", "-E", "^(Cap|NoNewPrivs)", "/proc/self/status"]
    )
    values = dict(line.split() for line in done.out.splitlines())
    assert values.pop("NoNewPrivs:") == "1"
    assert {int(value, 16) for value in values.values()} == {0}


@pytest.mark.parametrize(
    "command",
    ["unshare -Ur true", "unshare -n true", "ip link add x type dummy", "mount -t tmpfs x /mnt"],
)
def test_no_namespace_no_mount_no_interface(netproxy: Netproxy, command: str) -> None:
    done = netproxy.run("--ask", "never", command=["sh", "-c", command])
    assert done.status != 0


def test_processes_outside_are_invisible(netproxy: Netproxy) -> None:
    script = "for p in /proc/[0-9]*/comm; do cat $p; done | sort -u | tr '\\n' ' '"
    done = netproxy.run("--ask", "never", command=["sh", "-c", script])
    assert set(done.out.split()) <= {"bwrap", "cat", "sh", "sort", "tr"} | {
        word for word in done.out.split() if word.startswith("python")
    }


def test_only_the_working_directory_and_a_private_tmp_can_be_written(netproxy: Netproxy) -> None:
    outside = netproxy.person.owns(netproxy.workspace.parent / "outside")
    script = f"""
touch here /tmp/there && echo ok
touch {outside}/x 2>/dev/null && echo OUTSIDE
touch /etc/x /usr/x "$HOME/x" 2>/dev/null && echo SYSTEM
true
"""
    done = netproxy.run("--ask", "never", command=["sh", "-c", script])
    assert done.out == "ok\n"
    assert (netproxy.workspace / "here").exists()
    assert not Path("/tmp/there").exists()


def test_a_signing_key_at_another_place_is_hidden(netproxy: Netproxy, base: Path) -> None:
    """Whoever reads it can sign a history of his own."""
    from otel import keys

    made = base / "made"
    keys.open_key(made, None)
    key = made / "keys" / "checkpoint.key"
    config = base / "signing.toml"
    config.write_text(f"[audit]\nkey = '{key}'\n")
    for path in (made, key.parent, key, config):
        os.chown(path, netproxy.person.uid, -1)
    script = f"cat {key} 2>&1; echo x 2>&1 > {key}; ls {key.parent} 2>&1"
    done = netproxy.run("--config", str(config), "--ask", "never", command=["sh", "-c", script])
    assert done.out.count("Permission denied") >= 2, done.out
    assert "PRIVATE KEY" not in done.out
    assert key.read_text().startswith("-----BEGIN PRIVATE KEY")


def test_our_own_folders_are_hidden(netproxy: Netproxy) -> None:
    ours = netproxy.person.owns(netproxy.config / "netproxy")
    (ours / "config.toml").write_text("")
    secret = netproxy.person.owns(netproxy.state / "netproxy")
    script = f"ls {ours} {secret} {netproxy.audit} 2>&1; touch {netproxy.audit}/x 2>&1"
    done = netproxy.run("--ask", "never", command=["sh", "-c", script])
    assert done.out.count("Permission denied") >= 3, done.out
    assert "config.toml" not in done.out


def test_our_program_cannot_be_changed_from_inside(me: Person, base: Path) -> None:
    """A run that edited the gateway would own the next one."""
    target = ROOT / "netproxy" / "planted.py"
    try:
        done = Netproxy(me, base).run(
            "--ask", "never", command=["sh", "-c", f"echo > {target}"], cwd=ROOT
        )
        assert done.status != 0
        assert not target.exists()
    finally:
        target.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize", "simplejson"])
def test_nothing_planted_in_the_checkout_is_imported_outside(
    me: Person, base: Path, name: str
) -> None:
    """The checkout itself is the user's to work in, so it must not be in sys.path."""
    netproxy = Netproxy(me, base)
    target, mark = ROOT / f"{name}.py", base / "imported"
    script = f'echo \'open("{mark}", "w")\' > {target}'
    try:
        done = netproxy.run("--ask", "never", command=["sh", "-c", script], cwd=ROOT)
        assert (done.status, done.err) == (0, "")
        netproxy.run("--ask", "never", command=["true"], cwd=ROOT)
        subprocess.run(
            [sys.executable, "-I", "-c", f"import netproxy, {name}"],
            check=False,
            capture_output=True,
        )
        assert not mark.exists()
    finally:
        target.unlink(missing_ok=True)


def test_a_config_planted_by_one_run_is_no_policy_for_the_next(me: Person, base: Path) -> None:
    """The configuration folder does not exist yet and lies where the command may write."""
    netproxy = Netproxy(me, base)
    planted = netproxy.workspace / "netproxy" / "config.toml"
    environment = {"XDG_CONFIG_HOME": str(netproxy.workspace)}
    script = f"mkdir -p {planted.parent}; echo 'default_profile = \"x\"' > {planted}"
    netproxy.run("--ask", "never", command=["sh", "-c", script], environment=environment)
    assert not planted.exists()


def test_a_bwrap_planted_in_the_workspace_is_not_started(me: Person, base: Path) -> None:
    """PATH often has a folder of the project, which an earlier run could write."""
    netproxy = Netproxy(me, base)
    planted = netproxy.workspace / "bin" / "bwrap"
    planted.parent.mkdir()
    planted.write_text(f"#!/bin/sh\ntouch {base}/escaped\n")
    planted.chmod(0o755)
    for path in (f"{planted.parent}:{os.environ['PATH']}", f"bin:{os.environ['PATH']}"):
        done = netproxy.run("--ask", "never", command=["true"], environment={"PATH": path})
        assert done.status == 0
    assert not (base / "escaped").exists()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_not_taken_by_a_descriptor_of_ours(
    me: Person, base: Path, closed: str
) -> None:
    netproxy = Netproxy(me, base)
    words = ("run", "--audit-dir", str(netproxy.audit), "--ask", "never", "--", "sh", "-c")
    script = "for n in 0 1 2; do readlink /proc/self/fd/$n; done > streams"
    outer = f'exec "$@" {closed}'
    subprocess.run(
        ["sh", "-c", outer, "sh", *netproxy.argv(*words, script)],
        cwd=netproxy.workspace,
        env=netproxy.environment(),
        check=True,
        capture_output=True,
    )
    assert "socket:" not in (netproxy.workspace / "streams").read_text()
    assert "memfd" not in (netproxy.workspace / "streams").read_text()
