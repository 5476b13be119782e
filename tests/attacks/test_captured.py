"""Programs that go around the proxy are captured, decided like all others, and can't undo it.

The defences: routes and rules of the sandbox's network namespace, the capabilities that the command
does not have, and the namespace itself. Each test was seen to fail with its defence removed.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, override

import pytest

from sandbox.errors import FenceBroken
from sandbox.linux.capture import _ask, _kernel
from sandbox.linux.namespace import _enter
from sandbox.linux.netlink import ACK, NETLINK_NETFILTER, REQUEST, attribute, message
from sandbox.model import Exited
from sandbox.process import Fence
from tests.support.captured import Captured, inner_pid
from tests.support.fair_clock import share
from tests.support.runs import Netproxy
from tests.support.sites import Site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# The least that a time-out takes: the kernel tries a connection again after a second (RFC 6298).
# What others of the machine take is taken off (`share`).
AT_ONCE_SECONDS = 0.9


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


ATTEMPTS = """
import errno, json, socket, sys, time
IN4, IN6, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM
def fetch(address, port, family=IN4):
    with socket.socket(family) as client:
        client.settimeout(5)
        client.connect((address, port))
        client.sendall(b"GET /%d HTTP/1.0\\r\\n\\r\\n" % port)
        return client.recv(100).decode()[:15]
def send(address, port, family=IN4):
    with socket.socket(family, UDP) as client:
        client.sendto(b"x", (address, port))
        return "sent"
def attempt(code):
    began = time.monotonic()
    try:
        said = eval(code)
    except OSError as error:
        said = errno.errorcode.get(error.errno, str(error))
    return said, time.monotonic() - began
print(json.dumps([attempt(code) for code in json.loads(sys.argv[1])]))
"""


def attempts(netproxy: Netproxy, *codes: str, options: tuple[str, ...] = ()) -> dict[str, str]:
    """What came of each, tried in one sandbox by a program that reads no variable."""
    command = [sys.executable, "-I", "-c", ATTEMPTS, json.dumps(codes)]
    done = netproxy.run(
        "--ask", "never", "--on-denial", "block", *options, command=["env", "-i", *command]
    )
    assert done.status == 0, done.err
    said = dict(zip(codes, json.loads(done.out), strict=True))
    # The first one may have to wait for the gateway, which opens with its first client.
    slow = {
        code: seconds for code, (_, seconds) in said.items() if seconds * share() >= AT_ONCE_SECONDS
    }
    assert list(slow) in ([], [codes[0]]), "a refusal is an error at once, not a time-out"
    return {code: outcome for code, (outcome, _) in said.items()}


def test_connections_are_decided_by_their_own_destination(netproxy: Netproxy) -> None:
    """Any address, both families, any port: the proxies' own and the captures', too."""
    refused = (
        "fetch('192.0.2.1', 80)",
        "fetch('192.0.2.1', 3128)",
        "fetch('192.0.2.1', 1080)",
        "fetch('192.0.2.1', 1023)",
        "fetch('169.254.169.254', 80)",
        "fetch('2001:db8::1', 443, IN6)",
        "fetch('::ffff:192.0.2.2', 80, IN6)",
        "fetch('192.0.2.53', 853)",
        "fetch('127.0.0.1', 1023)",
    )
    with Site("127.0.0.9") as site, Site() as other:
        # The host's own loopback: inside, 127.0.0.9 is the command's own. Captured, it has a name.
        allowed = f"fetch('site.example', {site.port})"
        own = f"fetch('127.0.0.1', {other.port})"
        rules = ("--allow", f"tcp://site.example:{site.port}", "--allow-private", "127.0.0.0/8")
        said = attempts(
            netproxy,
            allowed,
            own,
            *refused,
            options=(*rules, "--resolve", "site.example=127.0.0.9"),
        )
        assert said.pop(allowed) == "HTTP/1.1 200 OK"
        assert said.pop(own) == "ECONNREFUSED"
        assert said == dict.fromkeys(refused, "ECONNRESET")
        assert (site.visits, other.visits) == ([f"/{site.port}"], [])

    denied = {
        (each["server.address"], each["server.port"])
        for each in netproxy.decisions()
        if each["network.policy.decision"] == "deny"
    }
    assert denied >= {
        ("192.0.2.1", 80), ("192.0.2.1", 3128), ("192.0.2.1", 1080), ("192.0.2.1", 1023),
        ("169.254.169.254", 80), ("2001:db8::1", 443), ("192.0.2.2", 80), ("192.0.2.53", 853),
    }  # fmt: skip


def test_datagrams_are_refused_at_once_and_on_record(netproxy: Netproxy) -> None:
    """QUIC, mDNS, time, broadcasts: all but questions for names."""
    said = attempts(
        netproxy,
        "send('192.0.2.1', 443)",
        "send('2001:db8::1', 443, IN6)",
        "send('::ffff:192.0.2.2', 443, IN6)",
        "send('224.0.0.251', 5353)",
        "send('ff02::fb', 5353, IN6)",
        "send('192.0.2.1', 123)",
    )
    assert set(said.values()) == {"EPERM"}
    assert {
        (each["network.transport.protocol"], each["server.address"], each["server.port"])
        for each in netproxy.events("netproxy.egress.rejected")
    } == {
        ("udp", "192.0.2.1", 443), ("udp", "2001:db8::1", 443), ("udp", "192.0.2.2", 443),
        ("udp", "224.0.0.251", 5353), ("udp", "ff02::fb", 5353), ("udp", "192.0.2.1", 123),
    }  # fmt: skip


def test_a_refused_connection_ends_the_command(netproxy: Netproxy) -> None:
    command = ["env", "-i", "curl", "-sS", "-m", "20", "http://192.0.2.1/"]
    done = netproxy.run("--ask", "never", command=command)
    assert done.status == 77
    assert "tcp://192.0.2.1:80" in done.err


def test_the_command_can_not_change_the_rules(netproxy: Netproxy) -> None:
    """Not with the programs for it, nor by netlink, nor by sitting where the rules lead."""
    script = """
nft flush ruleset; ip route flush table local; ip link set lo down; unshare -Urn nft list ruleset
python3 -c 'import socket; socket.socket(16, 3, 12)' # NETLINK_NETFILTER
python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 53))'
python3 -c 'import socket; socket.socket().bind(("0.0.0.0", 1023))'
echo 1 > /proc/sys/net/ipv4/ip_unprivileged_port_start
curl -sS -m 20 http://192.0.2.1/
"""
    command = ["env", "-i", f"PATH={os.defpath}:/usr/sbin:/sbin", "sh", "-c", f"({script})"]
    done = netproxy.run("--ask", "never", "--on-denial", "block", command=command)
    assert "[Errno 93] Protocol not supported" in done.err
    assert done.err.count("PermissionError") == 2
    # curl was reset, perhaps before it knew that it was connected: captured still.
    assert done.status in {7, 56}, done.err
    (refused,) = netproxy.events("netproxy.policy_decision")
    assert (refused["server.address"], refused["network.policy.decision"]) == ("192.0.2.1", "deny")


FLUSHED = """
import socket
with open("/proc/net/dev") as devices:
    names = [line.split(":")[0].strip() for line in devices.readlines()[2:]]
assert names == ["lo"], names
IN4, IN6, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM
for family, kind, address in (
    (IN4, socket.SOCK_STREAM, ("192.0.2.1", 80)),
    (IN6, socket.SOCK_STREAM, ("2001:db8::1", 80)),
    (IN4, UDP, ("192.0.2.1", 53)),
    (IN6, UDP, ("2001:db8::1", 53)),
):
    with socket.socket(family, kind) as client:
        client.settimeout(2)
        try:
            client.connect(address)
            client.send(b"x")
            client.recv(1)
        except ConnectionRefusedError:
            continue
        raise AssertionError(address)
"""


def test_without_any_rule_there_is_still_no_way_out() -> None:
    """Somebody with every capability in the namespace flushes them: all ends inside."""
    with Captured(FLUSHED) as captured:
        assert captured.run(lambda: flush(captured.inner_pid)) == Exited(code=0)
    assert captured.seen.connections == []
    assert captured.seen.questions == []


class Flushing(Fence):
    """The rules are gone by the time that the probe begins, which is when it is told to."""

    @override
    def _order(self, *, is_captured: bool = False) -> None:
        flush(inner_pid(self))
        super()._order(is_captured=is_captured)


def test_rules_that_are_gone_before_the_command_are_missed() -> None:
    with (
        Captured(FLUSHED, Flushing) as captured,
        pytest.raises(FenceBroken, match="direct IPv4"),
    ):
        captured.run()


def flush(pid: int) -> None:
    """As `nft delete table inet netproxy`, in the network namespace of that process."""
    child = os.fork()
    if child == 0:
        try:
            _enter(pid)
            inside = attribute(1, b"netproxy\0")
            delete = message(10 << 8 | 2, REQUEST | ACK, b"\x01\0\0\0" + inside, sequence=1)
            batch = [message(kind, REQUEST, b"\0\0\0\x0a") for kind in (16, 17)]
            with _kernel(NETLINK_NETFILTER) as rules:
                _ask(rules, batch[0] + delete + batch[1], "delete the table")
        except OSError:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
