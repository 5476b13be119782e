"""Datagrams from inside a run: a DNS question by an association, and nothing without one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.datagrams import Peer, peer
from tests.support.runs import Netproxy
from tests.support.sites import named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

NAME = "dns.test"
# What dig would send: a question for a.test, and then what is behind the first answer's name.
QUESTION = (
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x04test\x00\x00\x01\x00\x01"
)  # fmt: skip
ANSWER = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"
CLIENT = """
import os, socket, sys
host, _, port = os.environ["NETPROXY_SOCKS"].rpartition(":")
name, number, question = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
def associate():
    control = socket.create_connection((host, int(port)), 20)
    control.sendall(b"\\x05\\x01\\x00\\x05\\x03\\x00\\x01" + bytes(6))
    reply = b""
    while len(reply) < 12:
        reply += control.recv(12 - len(reply))
    assert reply[2:4] == b"\\x05\\x00", reply
    return control, (socket.inet_ntoa(reply[6:10]), int.from_bytes(reply[10:], "big"))
def ask(to, host, seconds=20):
    taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taker.settimeout(seconds)
    head = b"\\x00\\x00\\x00\\x03" + bytes([len(host)]) + host.encode() + number.to_bytes(2, "big")
    taker.sendto(head + question, to)
    answer, source = taker.recvfrom(4096)
    assert source == to
    return answer[10:]
"""
BY_ASSOCIATION = """
held = [associate() for _ in range(3)]
print(*(ask(to, name).hex() for _, to in held))
"""
DIRECTLY = """
direct = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
direct.settimeout(0.2)
try:
    direct.sendto(question, ("127.0.0.1", number))
    print(direct.recv(4096).hex())
except OSError as nothing:
    print("nothing")
"""
DENIED = """
control, to = associate()
try:
    print(ask(to, "other.test", seconds=1))
except TimeoutError:
    print("silence")
"""


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def responder() -> Iterator[Peer]:
    with peer(lambda asked: asked[:2] + b"\x81\x80" + asked[4:] + ANSWER) as running:
        yield running


def client(script: str, responder: Peer) -> list[str]:
    words = [sys.executable, "-I", "-c", CLIENT + script]
    return [*words, NAME, str(responder.port), QUESTION.hex()]


@pytest.mark.parametrize("sandbox", [(), ("--no-sandbox",)], ids=["inside", "no-sandbox"])
def test_a_question_and_its_answer(
    netproxy: Netproxy, responder: Peer, sandbox: tuple[str, ...]
) -> None:
    done = netproxy.run(
        *sandbox,
        *named(NAME),
        *("--ask", "never", "--allow", f"socks5-udp://{NAME}:{responder.port}"),
        command=client(BY_ASSOCIATION, responder),
    )
    expected = (QUESTION[:2] + b"\x81\x80" + QUESTION[4:] + ANSWER).hex()
    assert (done.status, done.out.split()) == (0, [expected] * 3), done.err
    decisions = netproxy.decisions()
    assert [each["network.transport.protocol"] for each in decisions] == ["socks5-udp"] * 3
    assert len({each["client.address"] for each in decisions}) == 3
    closed = netproxy.events("netproxy.connection.closed")
    assert [each["netproxy.datagrams.received"] for each in closed] == [1] * 3
    assert [each["netproxy.bytes.sent"] for each in closed] == [len(QUESTION)] * 3
    assert len(netproxy.events("netproxy.association.closed")) == 3


def test_without_an_association_there_is_no_way_out(netproxy: Netproxy, responder: Peer) -> None:
    done = netproxy.run(
        *named(NAME),
        *("--ask", "never", "--allow", f"{NAME}:{responder.port}"),
        command=client(DIRECTLY, responder),
    )
    assert (done.status, done.out) == (0, "nothing\n")
    assert responder.received == []


@pytest.mark.parametrize(("on_denial", "status"), [("cancel", 77), ("block", 0)])
def test_a_destination_that_is_not_allowed(
    netproxy: Netproxy, responder: Peer, on_denial: str, status: int
) -> None:
    done = netproxy.run(
        *named("other.test"),
        *("--ask", "never", "--on-denial", on_denial),
        # A rule for tunnels says nothing of datagrams.
        *("--allow", f"socks5-tcp://other.test:{responder.port}"),
        command=client(DENIED, responder),
    )
    assert done.status == status, done.err
    assert responder.received == []
    (decision,) = netproxy.decisions()
    assert (decision["network.policy.decision"], decision["network.policy.reason"]) == (
        "deny", "not_allowed",
    )  # fmt: skip
