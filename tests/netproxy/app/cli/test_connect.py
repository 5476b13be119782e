"""`netproxy connect` as ssh runs it: a process whose standard streams become the tunnel."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.connect import main
from netproxy.model import CloseReason, Verdict
from tests.support.fakes import FakePolicy, FakeResolver
from tests.support.origins import echo, origin, read_all, reset
from tests.support.proxies import LOOPBACK, Setting, eventually, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.proxies import Proxy

CONNECT = (sys.executable, "-I", "-m", "netproxy", "connect")
PATIENCE_SECONDS = 20.0
# More than every buffer on the way together, so that a held-up direction would show.
MUCH = random.Random(1).randbytes(16 << 20)


def address(gateway: Proxy) -> str:
    return f"127.0.0.1:{gateway._socks_port}"


def environment(socks: str | None) -> dict[str, str]:
    kept = {"PATH": os.environ.get("PATH", os.defpath)}
    return kept if socks is None else {**kept, "NETPROXY_SOCKS": socks}


def connect(
    socks: str | None, host: str, port: int | str, *, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*CONNECT, host, str(port)],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        env=environment(socks),
        check=False,
    )


def started(socks: str, host: str, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*CONNECT, host, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(socks),
        bufsize=0,
    )


@pytest.fixture
def gateway() -> Iterator[Proxy]:
    """A real data plane that allows everything; site.test is on loopback."""
    with proxy(Setting(resolver=FakeResolver(site__test=[("127.0.0.1",)]))) as running:
        yield running


def listen(connection: socket.socket) -> None:
    read_all(connection)


def test_it_carries_both_directions(gateway: Proxy) -> None:
    with origin(echo) as site:
        done = connect(address(gateway), "site.test", site.port, stdin=b"ping\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ping\n", b"")


def test_it_asks_for_the_name_and_resolves_nothing(gateway: Proxy) -> None:
    with origin(echo) as site:
        connect(address(gateway), "site.test", site.port)
    ((destination, _),) = gateway.setting.policy.judged
    assert (destination.host, destination.port) == ("site.test", site.port)


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
)
def test_it_asks_for_literals_too(gateway: Proxy, host: str, family: socket.AddressFamily) -> None:
    with origin(echo, family=family) as site:
        done = connect(address(gateway), host, site.port, stdin=b"ping\n")
    assert (done.returncode, done.stdout) == (0, b"ping\n")


def test_an_international_name_is_asked_for_in_its_ascii_form(gateway: Proxy) -> None:
    connect(address(gateway), "bücher.test", 22)
    ((destination, _),) = gateway.setting.policy.judged
    assert destination.host == "xn--bcher-kva.test"


def test_much_both_ways_at_once(gateway: Proxy) -> None:
    """Neither side reads before it has written: a single loop would stand still."""
    with origin(_blast) as site:
        done = connect(address(gateway), "site.test", site.port, stdin=MUCH)
    assert done.returncode == 0
    assert done.stdout[: len(MUCH)] == MUCH
    assert done.stdout[len(MUCH) :] == hashlib.sha256(MUCH).hexdigest().encode()


def _blast(connection: socket.socket) -> None:
    sender = threading.Thread(target=connection.sendall, args=(MUCH,))
    sender.start()
    received = read_all(connection)
    sender.join()
    connection.sendall(hashlib.sha256(received).hexdigest().encode())


def test_the_answer_still_comes_after_our_end(gateway: Proxy) -> None:
    def late(connection: socket.socket) -> None:
        connection.sendall(b"after: " + read_all(connection))

    with origin(late) as site:
        done = connect(address(gateway), "site.test", site.port, stdin=b"question")
    assert done.stdout == b"after: question"


def test_our_side_still_goes_on_after_their_end(gateway: Proxy) -> None:
    heard: list[bytes] = []

    def early(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_WR)
        heard.append(read_all(connection))

    with origin(early) as site:
        process = started(address(gateway), "site.test", site.port)
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            assert process.stdout.read() == b"", "their end is told at once"
            process.stdin.write(MUCH)
            process.stdin.close()
            assert process.wait(PATIENCE_SECONDS) == 0
        eventually(lambda: bool(heard))
    assert heard == [MUCH]


def test_a_reset_ends_it_though_standard_input_stays_open(gateway: Proxy) -> None:
    def break_off(connection: socket.socket) -> None:
        connection.recv(1)
        reset(connection)

    with origin(break_off) as site:
        process = started(address(gateway), "site.test", site.port)
        assert process.stdin is not None
        with process:
            process.stdin.write(b"x")
            assert process.wait(PATIENCE_SECONDS) == 0


def test_a_cancelled_run_ends_it_though_standard_input_stays_open(gateway: Proxy) -> None:
    with origin(listen) as site:
        process = started(address(gateway), "site.test", site.port)
        with process:
            eventually(lambda: site.accepted == 1)
            gateway.close_all(CloseReason.RUN_CANCELLED)
            assert process.wait(PATIENCE_SECONDS) == 0


def test_a_reader_that_goes_away_ends_it(gateway: Proxy) -> None:
    def endless(connection: socket.socket) -> None:
        while True:
            connection.sendall(bytes(65536))

    with origin(endless) as site:
        process = started(address(gateway), "site.test", site.port)
        assert process.stdout is not None
        with process:
            process.stdout.read(1)
            process.stdout.close()
            assert process.wait(PATIENCE_SECONDS) == 0


def test_a_refusal_is_77_and_says_so() -> None:
    with proxy(Setting(policy=FakePolicy(Verdict.DENY, dialable=LOOPBACK))) as gateway:
        done = connect(address(gateway), "site.test", 22)
    assert done.returncode == 77
    assert done.stdout == b""
    assert done.stderr == b"netproxy connect: site.test:22: refused by policy\n"


def test_a_name_that_nobody_knows_is_69(gateway: Proxy) -> None:
    done = connect(address(gateway), "other.test", 22)
    assert done.returncode == 69
    assert done.stderr == (
        b"netproxy connect: other.test:22: host unreachable, or its name is unknown\n"
    )


def test_a_port_where_nobody_listens_is_69(gateway: Proxy) -> None:
    done = connect(address(gateway), "site.test", closed_port())
    assert done.returncode == 69
    assert done.stderr.endswith(b": connection refused\n")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_outside_a_run_it_says_what_it_is_for() -> None:
    done = connect(None, "site.test", 22)
    assert done.returncode == 69
    assert done.stderr == (
        b"netproxy connect: NETPROXY_SOCKS is not set: this works inside `netproxy run` only\n"
    )


@pytest.mark.parametrize("socks", ["127.0.0.1", "127.0.0.1:many", "127.0.0.1:99999", "[::1]:0"])
def test_an_odd_address_of_the_proxy_is_one_line(socks: str) -> None:
    done = connect(socks, "site.test", 22)
    assert done.returncode == 69
    assert done.stderr.startswith(f"netproxy connect: the proxy at {socks}: ".encode())
    assert done.stderr.count(b"\n") == 1


def test_a_proxy_that_is_gone_is_one_line() -> None:
    socks = f"127.0.0.1:{closed_port()}"
    done = connect(socks, "site.test", 22)
    assert done.returncode == 69
    expected = f"netproxy connect: the proxy at {socks}: Connection refused\n"
    assert done.stderr == expected.encode()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"", b"the proxy closed the connection"),
        (b"\x05", b"the proxy closed the connection"),
        (b"\x05\xff", b"does not speak SOCKS5"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"does not speak SOCKS5"),
        (b"\x05\x00\x05\x00\x00", b"the proxy closed the connection"),
        (b"\x05\x00\x05\x63\x00\x01" + bytes(6), b"reply 99"),
    ],
    ids=["nothing", "half a greeting", "password", "http", "half a reply", "unknown reply"],
)
def test_what_is_no_proxy_is_one_line(reply: bytes, said: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_WR)
        listen(connection)

    with origin(serve) as server:
        done = connect(f"127.0.0.1:{server.port}", "site.test", 22)
    assert done.returncode == 69
    assert said in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "bound",
    [b"\x01" + bytes(6), b"\x04" + bytes(18), b"\x03\x04name" + bytes(2)],
    ids=["ipv4", "ipv6", "name"],
)
def test_the_tunnel_begins_right_after_the_reply(bound: bytes) -> None:
    """However long the bound address is, no byte of the tunnel is lost with it."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x05\x00\x05\x00\x00" + bound + b"SSH-2.0\r\n")
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)

    with origin(serve) as server:
        done = connect(f"127.0.0.1:{server.port}", "site.test", 22)
    assert (done.returncode, done.stdout) == (0, b"SSH-2.0\r\n")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["site.test"],
        ["site.test", "0"],
        ["site.test", "65536"],
        ["site.test", "-1"],
        ["site.test", "ssh"],
        ["", "22"],
        ["a" * 256, "22"],
        ["\xfc" * 64, "22"],
        ["\udcff.test", "22"],
        ["site.test", "22", "23"],
    ],
    ids=["nothing", "no port", "0", "65536", "-1", "ssh", "empty", "long", "idna", "bytes", "more"],
)
def test_bad_usage_is_64_and_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 64
    said = capsys.readouterr().err
    assert said.startswith("netproxy connect: ")
    assert said.count("\n") == 1
