"""`netproxy serve` as an operator uses it: every kind of listener, and an orderly end."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.origins import origin, read_head
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

ANNA, BERT = "of-anna-0123456789", "of-bert-0123456789"


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def curl(proxy: str, url: str, *options: str) -> tuple[int, str]:
    """curl's own status, and the status of the last answer."""
    words = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_connect}/%{http_code}", "-x", proxy]
    done = subprocess.run(
        [*words, *options, url], capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return done.returncode, done.stdout


def allowed(site: Site) -> tuple[str, ...]:
    return (*named("site.test"), "--allow", f"site.test:{site.port}", "--ask", "never")


def url(site: Site) -> str:
    return f"http://site.test:{site.port}/page"


def tokens(netproxy: Netproxy, *lines: str) -> tuple[str, str]:
    path = netproxy.config / "tokens"
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return "--token-file", str(path)


@pytest.mark.parametrize(
    ("scheme", "options", "answer", "protocol"),
    [
        ("http", (), "000/200", "http"),
        ("http", ("--proxytunnel",), "200/200", "https"),
        ("socks5h", (), "000/200", "socks5-tcp"),
    ],
)
def test_one_port_serves_every_kind_of_client(  # noqa: PLR0917  # fixtures and a table's columns
    netproxy: Netproxy,
    site: Site,
    scheme: str,
    options: tuple[str, ...],
    answer: str,
    protocol: str,
) -> None:
    with Service(netproxy, *allowed(site), "--session", "office") as service:
        proxy = f"{scheme}://{service.address}"
        assert curl(proxy, url(site), *options) == (0, answer)
        status, _ = curl(proxy, "http://other.test/", *options)
        assert status == (0 if protocol == "http" else 56 if options else 97)
        assert service.stop() == 0
        assert "warning: without --token-file every user" in service.err
    allow, deny = netproxy.decisions()
    assert allow["network.transport.protocol"] == protocol
    assert allow["sandbox.enforced"] is False
    assert (deny["network.policy.decision"], deny["network.policy.reason"]) == (
        "deny",
        "not_allowed",
    )
    assert allow["session.id"] == deny["session.id"]
    (started,), (ended,) = (
        netproxy.events(f"netproxy.session.{word}") for word in ("started", "ended")
    )
    assert started["netproxy.session.name"] == ended["netproxy.session.name"] == "office"
    assert netproxy.events()[0]["event.name"] == "netproxy.gateway.started"
    stopped, signed = netproxy.events()[-2:]
    assert stopped["event.name"] == "netproxy.gateway.stopped"
    assert signed["netproxy.checkpoint.cause"] == "shutdown"


def test_socks_on_a_port_of_its_own(netproxy: Netproxy, site: Site) -> None:
    listen = ("--listen", "127.0.0.1:0", "--socks", "[::1]:0")
    with Service(netproxy, *allowed(site), listen=listen) as service:
        http, socks = service.addresses
        assert curl(f"socks5h://{socks}", url(site)) == (0, "000/200")
        assert curl(f"http://{http}", url(site)) == (0, "000/200")
        assert curl(f"socks5h://{http}", url(site))[0] == 97
        assert curl(f"http://{socks}", url(site))[0] != 0
        assert "(HTTP)" in service.err
        assert "(SOCKS5)" in service.err


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_with_tokens_everybody_shows_one(netproxy: Netproxy, site: Site, scheme: str) -> None:
    file = tokens(netproxy, f"anna:{ANNA}")
    with Service(netproxy, *allowed(site), *file) as service:
        refused = (0, "000/407") if scheme == "http" else (97, "000/000")
        assert curl(f"{scheme}://{service.address}", url(site)) == refused
        assert curl(f"{scheme}://anna:wrong@{service.address}", url(site)) == refused
        assert curl(f"{scheme}://{ANNA}:anna@{service.address}", url(site)) == refused
        right = curl(f"{scheme}://whoever:{ANNA}@{service.address}", url(site))
        assert right == (0, "000/200")
        assert service.stop() == 0
        assert "warning" not in service.err
    (decision,) = netproxy.decisions()
    sessions = {event["session.id"]: event for event in netproxy.events("netproxy.session.started")}
    assert sessions[decision["session.id"]]["netproxy.session.name"] == "anna"
    (counted,) = netproxy.events("netproxy.clients.turned_away")
    assert (counted["netproxy.limit.name"], counted["netproxy.limit.refused"]) == ("credentials", 3)
    assert ANNA not in str(netproxy.events())


CONFIG = """
default_profile = "dev"

[profiles.dev.network]
default = "deny"
allow = ["site.test:{port}"]
allow_private = ["127.0.0.0/8"]

[profiles.ci.network]
default = "deny"

[resolver]
hosts = {{ "site.test" = "127.0.0.1" }}
"""


def settings(netproxy: Netproxy, site: Site) -> Path:
    path = netproxy.config / "netproxy" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(CONFIG.format(port=site.port))
    return path


def test_a_token_or_a_listener_chooses_the_profile(netproxy: Netproxy, site: Site) -> None:
    settings(netproxy, site)
    file = tokens(netproxy, f"anna:{ANNA}", f"bert@ci:{BERT}")
    with Service(netproxy, *file) as service:
        for token, status in ((ANNA, 200), (BERT, 403)):
            assert curl(f"http://x:{token}@{service.address}", url(site)) == (0, f"000/{status}")
        assert service.stop() == 0
    listen = ("--listen", "127.0.0.1:0", "--listen", "ci@127.0.0.1:0")
    with Service(netproxy, listen=listen) as service:
        for address, status in zip(service.addresses, (200, 403), strict=True):
            assert curl(f"http://{address}", url(site)) == (0, f"000/{status}")
        assert ", profile ci)" in service.err
    assert len({each["session.id"] for each in netproxy.decisions()}) == 4


def test_what_is_saved_holds_without_a_restart(netproxy: Netproxy, site: Site) -> None:
    path = settings(netproxy, site)
    with Service(netproxy) as service:
        assert curl(f"http://{service.address}", url(site)) == (0, "000/200")
        path.write_text(path.read_text().replace("allow = [", "deny = ["))
        service.signal(signal.SIGHUP)
        give_up = time.monotonic() + 30
        while curl(f"http://{service.address}", url(site)) != (0, "000/403"):
            assert time.monotonic() < give_up
        service.says("the rules changed (files), and hold from now on")
        path.write_text("no toml")
        service.signal(signal.SIGHUP)
        service.says("the settings were changed meanwhile, and can't be used: ")
        assert curl(f"http://{service.address}", url(site)) == (0, "000/403")
        assert service.stop() == 0


@contextmanager
def download(service: Service, port: int) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection(*service.where, timeout=60)) as client:
        client.request("GET", f"http://127.0.0.1:{port}/", headers={"Host": f"127.0.0.1:{port}"})
        with client.getresponse() as response:
            assert response.read(4) == b"half"
            yield response


class Slow:
    """An origin that sends the second half of its answer when it is told to."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def __call__(self, connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        os.read(self.read, 1)
        connection.sendall(b"half")

    def go_on(self) -> None:
        os.write(self.write, b"x")


def test_a_running_download_is_finished_and_nobody_new_is_let_in(netproxy: Netproxy) -> None:
    slow = Slow()
    with origin(slow) as far:
        rules = ("--allow", f"127.0.0.1:{far.port}", "--ask", "never", "--drain", "20")
        with (
            Service(netproxy, *rules, "--health", "127.0.0.1:0") as service,
            socket.create_connection(service.where, 10) as idle,
            download(service, far.port) as response,
        ):
            idle.sendall(b"GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n")
            assert idle.recv(65536).startswith(b"HTTP/1.1 403 ")
            service.signal()
            assert idle.recv(10) == b"", "between two requests there is nothing to wait for"
            give_up = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(service.where, 1).close()
                except ConnectionRefusedError:
                    break
                assert time.monotonic() < give_up
            health = service.err.rpartition("health on ")[2].split()[0]
            assert subprocess.run(
                ["curl", "-s", "--noproxy", "*", health], capture_output=True, check=True
            ).stdout == b"draining\n"  # fmt: skip
            slow.go_on()
            assert response.read() == b"half"
            assert service.ends() == 0
            assert "were cut" not in service.err
    stopped, signed = netproxy.events()[-2:]
    assert stopped["event.name"] == "netproxy.gateway.stopped"
    assert signed["netproxy.checkpoint.cause"] == "shutdown"


@pytest.mark.parametrize("hurried", [False, True], ids=["at-the-limit", "second-signal"])
def test_what_does_not_finish_is_cut_and_recorded(netproxy: Netproxy, hurried: bool) -> None:
    slow = Slow()
    with origin(slow) as far:
        rules = ("--allow", f"127.0.0.1:{far.port}", "--ask", "never")
        with (
            Service(netproxy, *rules, "--drain", "30" if hurried else "0.2") as service,
            download(service, far.port) as response,
        ):
            service.signal()
            if hurried:
                time.sleep(0.2)
                service.signal(signal.SIGINT)
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                response.read()
            assert service.ends() == 0
            assert "stopped; 1 connections were cut" in service.err
        slow.go_on()
    (closed,) = netproxy.events("netproxy.connection.closed")
    assert closed["netproxy.close.reason"] == "run_ended"
    assert netproxy("audit", "verify", "--audit-dir", str(netproxy.audit)).status == 0


def test_it_never_dials_itself(netproxy: Netproxy) -> None:
    options = ("--ask", "never", "--allow", "127.0.0.1:*", "--health", "127.0.0.1:0")
    with Service(netproxy, *options) as service:
        host, port = service.where
        health = int(service.err.rpartition(":")[2].split("/")[0])
        for each in (port, health):
            assert curl(f"http://{service.address}", f"http://{host}:{each}/") == (0, "000/403")


def test_the_service_manager_is_told(netproxy: Netproxy, base: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(base / "notify"))
        manager.settimeout(10)
        with Service(netproxy, environment={"NOTIFY_SOCKET": str(base / "notify")}) as service:
            assert manager.recv(100) == b"READY=1"
            service.signal()
            assert manager.recv(100) == b"STOPPING=1"
            assert service.ends() == 0


def test_what_can_not_be_had_is_one_line(netproxy: Netproxy) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = netproxy(
            "serve", "--listen", f"127.0.0.1:{port}", "--audit-dir", str(netproxy.audit)
        )
    assert done.status == 125
    last = done.err.splitlines()[-1]
    assert last == f"netproxy serve: can't listen on 127.0.0.1:{port}: address already in use"
    assert not list(netproxy.audit.iterdir()), "nothing is on record of what never was"
    file = tokens(netproxy, f"anna@nowhere:{ANNA}")
    done = netproxy("serve", "--listen", "127.0.0.1:0", *file)
    assert (done.status, done.err.count("\n")) == (78, 1)
    assert "nowhere" in done.err
    assert ANNA not in done.err


def test_limits_of_the_users_file_hold(netproxy: Netproxy, site: Site) -> None:
    path = settings(netproxy, site)
    path.write_text(path.read_text() + "\n[limits]\nconnections_per_second = 0.01\n")
    with Service(netproxy) as service:
        assert curl(f"http://{service.address}", url(site)) == (0, "000/200")
        assert curl(f"http://{service.address}", url(site)) == (0, "000/429")
        assert service.stop() == 0
    (event,) = netproxy.events("netproxy.clients.turned_away")
    assert event["netproxy.limit.name"] == "connections_per_second"
    path.write_text(path.read_text() + "connections_per_run = -1\n")
    done = netproxy("serve", "--listen", "127.0.0.1:0")
    assert done.status == 78
    assert f"{path}:17:1 " in done.err
    assert "limits.connections_per_run" in done.err
