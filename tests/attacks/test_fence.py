"""Ways out of the sandbox that must not exist: each fails, and fails at once.

The defences: the network namespace without routes, the kernel filter, the mounts. Each test was
seen to fail with its defence removed. Where there are more than one, all had to go:

    packet and raw sockets          filter, capabilities
    namespaces, mounts, interfaces  filter, Landlock, capabilities, --disable-userns

As an ordinary user the kernel holds what needs a capability, whatever we do.
"""

from __future__ import annotations

import json
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

# A time-out of theirs takes five.
AT_ONCE_SECONDS = 4.0
# The fence alone: what is captured on top of it has its own tests (`test_captured`).
BARE = ("--ask", "never", "--capture", "off")


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def attempts(netproxy: Netproxy, *codes: str) -> dict[str, str]:
    """Run each as Python inside, all in one sandbox: the error that it meets, or `out`."""
    script = f"""
import ctypes, errno, json, os, socket, time
def call(number, *words):
    if ctypes.CDLL(None, use_errno=True).syscall(number, *words) < 0:
        raise OSError(ctypes.get_errno(), "")
def attempt(code):
    began = time.monotonic()
    try:
        exec(code)
        said = "out"
    except OSError as error:
        said = errno.errorcode.get(error.errno, str(error))
    return said, time.monotonic() - began
print(json.dumps([attempt(code) for code in {codes!r}]))
"""
    done = netproxy.run(*BARE, command=[sys.executable, "-I", "-c", script])
    assert done.status == 0, done.err
    said = dict(zip(codes, json.loads(done.out), strict=True))
    slow = {code: seconds for code, (_, seconds) in said.items() if seconds >= AT_ONCE_SECONDS}
    assert slow == {}, "it has to fail fast, not by a time-out"
    return {code: error for code, (error, _) in said.items()}


def test_nothing_leaves_without_the_proxy(netproxy: Netproxy) -> None:
    """IPv4, IPv6, UDP, broadcast, multicast, a cloud's metadata."""
    said = attempts(
        netproxy,
        "socket.create_connection(('192.0.2.1', 80), 5)",
        "socket.create_connection(('2001:db8::1', 80), 5)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:db8::1', 53))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('255.255.255.255', 67))",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('ff02::1', 5353))",
        "socket.create_connection(('169.254.169.254', 80), 5)",
    )
    refusals = {"ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH", "EACCES"}
    assert {code: error for code, error in said.items() if error not in refusals} == {}


def test_only_internet_sockets_exist(netproxy: Netproxy) -> None:
    said = attempts(
        netproxy,
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_VSOCK)",
        "socket.socket(38, socket.SOCK_SEQPACKET)",  # AF_ALG
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    )
    assert {code: error for code, error in said.items() if error != "EPERM"} == {}


def test_io_uring_is_no_way_around_the_filter(me: Person, base: Path) -> None:
    code = "call(425, 1, ctypes.create_string_buffer(120))"
    assert attempts(Netproxy(me, base), code) == {code: "ENOSYS"}


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
    addresses = (str(host_sockets), f"\\0netproxy-test-{os.getpid()}")
    codes = [f"socket.socket(socket.AF_UNIX).connect('{address}')" for address in addresses]
    assert attempts(netproxy, *codes) == dict.fromkeys(codes, "EPERM")


def test_a_service_on_the_hosts_loopback_is_not_ours(netproxy: Netproxy) -> None:
    with Site() as site:
        code = f"socket.create_connection(('127.0.0.1', {site.port}), 5)"
        assert attempts(netproxy, code) == {code: "ECONNREFUSED"}
        assert site.visits == []


def statuses(netproxy: Netproxy, *commands: str) -> dict[str, int]:
    """Of each, run by a shell inside, one after the other in one sandbox."""
    script = "\n".join(f"({command}) >&2; echo $?" for command in commands)
    done = netproxy.run(*BARE, command=["sh", "-c", script])
    assert done.status == 0, done.err
    return dict(zip(commands, map(int, done.out.split()), strict=True))


def test_clients_that_ignore_the_proxy_get_nowhere(netproxy: Netproxy) -> None:
    began = time.monotonic()
    said = statuses(
        netproxy,
        "env -i curl -sS -m 20 http://192.0.2.1/",
        "curl -sS -m 20 --noproxy '*' http://192.0.2.1/",
        "env -i curl -sS -m 20 http://example.com/",
        "env NO_PROXY='*' no_proxy='*' curl -sS -m 20 'http://[2001:db8::1]/'",
    )
    assert set(said.values()) <= {6, 7}, said  # curl: could not resolve, could not connect
    assert time.monotonic() - began < 20, "none of them waited for its own limit"


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


def test_no_namespace_no_mount_no_interface(netproxy: Netproxy) -> None:
    said = statuses(
        netproxy,
        "unshare -Ur true",
        "unshare -n true",
        "ip link set lo mtu 1500",
        "mount -t tmpfs x /mnt",
    )
    assert 0 not in said.values(), said


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


@pytest.mark.parametrize(
    "planted", ["netproxy/planted.py", "sandbox/linux/__pycache__/planted.pyc"]
)
def test_our_program_cannot_be_changed_from_inside(me: Person, base: Path, planted: str) -> None:
    """A run that edited the gateway, or what is compiled of the monitor, would own the next one."""
    target = ROOT / planted
    target.parent.mkdir(exist_ok=True)  # who has compiled nothing has no such folder
    try:
        done = Netproxy(me, base).run(
            "--ask", "never", command=["sh", "-c", f"echo > {target}"], cwd=ROOT
        )
        assert done.status != 0
        assert not target.exists()
    finally:
        target.unlink(missing_ok=True)


def test_nothing_planted_in_the_checkout_is_imported_outside(me: Person, base: Path) -> None:
    """The checkout itself is the user's to work in, so it must not be in sys.path."""
    netproxy, mark = Netproxy(me, base), base / "imported"
    names = ("sitecustomize", "usercustomize", "simplejson")
    targets = [ROOT / f"{name}.py" for name in names]
    script = f'for name; do echo \'open("{mark}", "w")\' > "$name" || exit; done'
    try:
        done = netproxy.run(
            "--ask", "never", command=["sh", "-c", script, "sh", *map(str, targets)], cwd=ROOT
        )
        assert (done.status, done.err) == (0, "")
        assert all(target.exists() for target in targets)
        netproxy.run("--ask", "never", command=["true"], cwd=ROOT)
        for name in names:
            subprocess.run(
                [sys.executable, "-I", "-c", f"import netproxy, {name}"],
                check=False,
                capture_output=True,
            )
        assert not mark.exists()
    finally:
        for target in targets:
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
