"""HTTP and SOCKS on one port: the first byte decides, however late it comes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import replace
from functools import partial

import pytest

from netproxy.model import ApprovalId, CloseReason, Reason, Verdict
from netproxy.protocol.socks5 import SOCKS4_REFUSED
from otel.events import ConnectionClosed, PolicyDecision
from tests.support.fakes import FakeApprover, FakePolicy, FakeResolver, answer
from tests.support.late_loops import JumpingLoop, jump
from tests.support.origins import echo, origin, read_all
from tests.support.proxies import LIMITS, Proxy, Setting, eventually, proxy

SOCKS = b"\x05\x01\x00\x05\x01\x00\x03\x06a.test"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"


def setting() -> Setting:
    return Setting(resolver=FakeResolver(a__test=[("127.0.0.1",)]))


def opening(kind: str, port: int) -> bytes:
    if kind == "socks":
        return SOCKS + port.to_bytes(2)
    return f"CONNECT a.test:{port} HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n".encode()


def slowly(near: Proxy, data: bytes) -> socket.socket:
    """A client that is silent for longer than the kernel waits with handing it over."""
    client = near.mixed()
    eventually(lambda: bool(near.server.connections))
    for byte in data:
        client.sendall(bytes([byte]))
    return client


@pytest.mark.parametrize("is_slow", [False, True], ids=["at-once", "late"])
@pytest.mark.parametrize("kind", ["socks", "http"])
def test_a_tunnel(kind: str, is_slow: bool) -> None:
    with origin(echo) as far, proxy(setting()) as near:
        data = opening(kind, far.port) + b"early"
        client = slowly(near, data) if is_slow else near.mixed()
        with client:
            if not is_slow:
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert read_all(client).endswith(b"early")
        near.settle()
    assert [event.protocol for event in near.audit.of(PolicyDecision)] == [
        "socks5-tcp" if kind == "socks" else "https"
    ]
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["finished"]


@pytest.mark.parametrize("cut", ["all", "revoked", "policy"])
@pytest.mark.parametrize("kind", ["socks", "http"])
def test_a_late_one_is_cut_like_any_other(kind: str, cut: str) -> None:
    policy = FakePolicy(Verdict.ASK, dialable=frozenset({"127.0.0.1"}))
    approver = FakeApprover(answer(Reason.APPROVED))
    with (
        origin(echo) as far,
        proxy(replace(setting(), policy=policy, approver=approver)) as near,
        slowly(near, opening(kind, far.port)),
    ):
        eventually(lambda: far.accepted == 1)
        if cut == "revoked":
            near.call(lambda: near.server.close_approved(ApprovalId("a-1")))
        elif cut == "policy":
            policy.default = FakePolicy(Verdict.DENY).default
            near.call(near.server.judge_again)
        else:
            near.close_all(CloseReason.RUN_CANCELLED)
        near.settle()
    reasons = {"all": "run_cancelled", "revoked": "revoked", "policy": "policy_changed"}
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == [reasons[cut]]


@pytest.mark.parametrize("end", ["leaves", "stalls", "is-cut", "revoked", "policy"])
def test_a_client_that_says_nothing(end: str) -> None:
    limits = replace(LIMITS, head_seconds=0.05 if end == "stalls" else 5.0)
    with proxy(Setting(limits=limits)) as near, near.mixed() as client:
        eventually(lambda: bool(near.server.connections))
        if end == "leaves":
            client.close()
        elif end == "is-cut":
            near.close_all(CloseReason.RUN_ENDED)
        elif end in {"revoked", "policy"}:
            near.call(lambda: near.server.close_approved(ApprovalId("a-1")))
            near.call(near.server.judge_again)
            time.sleep(0.02)
            assert near.server.connections
            client.close()
        near.settle()
    assert near.audit.events == []


@pytest.mark.parametrize(
    ("byte", "answer"), [(b"G", b"HTTP/1.1 408 "), (b"\x05", b"")], ids=["http", "socks"]
)
def test_the_first_byte_gives_no_more_time_for_the_head(byte: bytes, answer: bytes) -> None:
    """It is counted from accept, as where it is known before which protocol a client speaks."""
    limits = replace(LIMITS, head_seconds=100.0)
    setting = Setting(limits=limits, loop_factory=JumpingLoop)
    with proxy(setting) as near, near.mixed() as client:
        eventually(lambda: idle(near) == [True])
        near.call(partial(jump, 60.0))
        client.sendall(byte)
        eventually(lambda: idle(near) == [False])
        near.call(partial(jump, 60.0))
        assert read_all(client)[: len(answer) or None] == answer
        near.settle()


def test_socks4_and_tls_are_refused_in_their_own_way() -> None:
    with proxy() as near:
        with near.mixed() as client:
            client.sendall(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00")
            assert read_all(client) == SOCKS4_REFUSED
        with near.mixed() as client:
            client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")
            assert read_all(client).startswith(b"HTTP/1.1 400 ")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "options",
    [
        ("--proxy", "http://PROXY"),
        ("--proxytunnel", "--proxy", "http://PROXY"),
        ("--socks5-hostname", "PROXY"),
        ("--proxy", "socks5h://PROXY"),
        ("--proxy", "socks5://PROXY", "--resolve", "a.test:PORT:127.0.0.1"),
        ("--socks5", "PROXY", "--resolve", "a.test:PORT:127.0.0.1"),
    ],
    ids=" ".join,
)
def test_curl_in_every_mode(options: tuple[str, ...]) -> None:
    def page(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(PAGE)

    with origin(page) as far, proxy(setting()) as near:
        words = [
            word.replace("PROXY", f"127.0.0.1:{near.mixed_port}").replace("PORT", str(far.port))
            for word in options
        ]
        url = f"http://a.test:{far.port}/"
        done = subprocess.run(
            ["curl", "-sS", "--fail", "--max-time", "5", *words, url],
            capture_output=True,
            env={"PATH": "/usr/bin:/bin"},
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, b"page"), done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("socks", ["socks4", "socks4a"])
def test_curl_is_told_that_socks4_is_not_served(socks: str) -> None:
    with proxy() as near:
        proxy_url = f"{socks}://127.0.0.1:{near.mixed_port}"
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "5", "--proxy", proxy_url, "http://127.0.0.1:9/"],
            capture_output=True,
            env={"PATH": "/usr/bin:/bin"},
            check=False,
        )
    assert done.returncode == 97  # CURLE_PROXY
    assert b"91" in done.stderr


@pytest.mark.parametrize("kind", ["http", "mixed"])
def test_a_client_that_asked_for_nothing_holds_up_no_end(kind: str) -> None:
    """One that has begun to ask is served, and then no more."""
    with origin(lambda far: far.sendall(PAGE)) as far, proxy(setting()) as near:
        with getattr(near, kind)() as silent, getattr(near, kind)() as begun:
            asked = request(far.port)
            begun.sendall(asked[:1])
            eventually(lambda: idle(near) == [False, True])
            near.call(near.server.retire)
            assert read_all(silent) == b""
            begun.sendall(asked[1:])
            assert read_all(begun).endswith(b"\r\n\r\npage")
        near.settle()


def request(port: int) -> bytes:
    return f"GET http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n".encode()


def idle(near: Proxy) -> list[bool]:
    """For each client whether it is known to have asked for nothing."""
    return near.call(lambda: sorted(each._is_idle for each in near.server.connections))


def test_what_is_on_its_way_when_all_are_to_end_is_served() -> None:
    with origin(lambda far: far.sendall(PAGE)) as far, proxy(setting()) as near:
        with near.mixed() as client:
            eventually(lambda: bool(near.server.connections))

            def asks_and_retires() -> None:
                client.sendall(request(far.port))
                near.server.retire()

            near.call(asks_and_retires)
            assert read_all(client).endswith(b"\r\n\r\npage")
        near.settle()
