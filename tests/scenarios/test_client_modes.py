"""Every way in which real clients use a proxy, through a running data plane.

Which environment variable leads a client here is `test_clients.py`; here it is told on its command
line, and what counts is that bytes come back whole and that the right thing was decided about.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import ssl
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.sync.client import connect
from websockets.sync.server import serve
from websockets.uri import parse_uri

from netproxy.config import Limits
from netproxy.connection.credentials import Credentials, Identity
from otel.events import PolicyDecision
from tests.support.exchanges import BODY, Exchanges, Http2Site
from tests.support.fakes import FakeResolver
from tests.support.origins import PATIENCE_SECONDS, Keeper, origin
from tests.support.proxies import Proxy, Setting, proxy
from tests.support.tls import Pages

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from websockets.sync.server import ServerConnection

    from tests.support.tls import Authority

HOST = "origin.test"
# A browser's start on a busy machine.
BROWSER_SECONDS = 60
# Where nothing can be read or made: a browser makes its home if it is missing.
NO_HOME = Path("/dev/null")


def setting(credentials: Credentials | None = None) -> Setting:
    """Names as an operator would have pinned them."""
    resolver = FakeResolver(origin__test=[("127.0.0.1",)])
    return Setting(resolver=resolver, limits=Limits(), credentials=credentials)


@pytest.fixture
def near() -> Iterator[Proxy]:
    with proxy(setting()) as running:
        yield running


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def typed(
    *words: str, given: bytes = b"", seconds: float = PATIENCE_SECONDS, home: Path = NO_HOME
) -> bytes:
    """What a command printed. It has nothing of the machine's own proxies and files."""
    needs(words[0])
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    done = subprocess.run(
        words, input=given, capture_output=True, timeout=seconds, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def curl(*words: str, given: bytes = b"") -> bytes:
    return typed("curl", "-q", "-sS", "--fail", *words, given=given)


def asked(near: Proxy) -> list[tuple[str, str, str, int]]:
    return [
        (event.protocol, event.method, event.server_address, event.server_port)
        for event in near.audit.of(PolicyDecision)
    ]


HTTP, SOCKS, MIXED = 0, 1, 2
# How curl is told, which listener it is sent to, and what the proxy decides about.
MODES = [
    ("http", "-x http://127.0.0.1:{port}", HTTP, "http", "GET", HOST),
    ("http-1.0", "-x http://127.0.0.1:{port} --http1.0", HTTP, "http", "GET", HOST),
    ("proxy-1.0", "--proxy1.0 127.0.0.1:{port}", HTTP, "http", "GET", HOST),
    ("tunnel", "-x http://127.0.0.1:{port} --proxytunnel", HTTP, "https", "CONNECT", HOST),
    ("tunnel-1.0", "--proxy1.0 127.0.0.1:{port} --proxytunnel", HTTP, "https", "CONNECT", HOST),
    ("socks5h", "-x socks5h://127.0.0.1:{port}", SOCKS, "socks5-tcp", "none", HOST),
    ("mixed-http", "-x http://127.0.0.1:{port}", MIXED, "http", "GET", HOST),
    ("mixed-socks", "-x socks5h://127.0.0.1:{port}", MIXED, "socks5-tcp", "none", HOST),
    # curl looks the name up itself, and the proxy decides about an address.
    (
        "socks5",
        "-x socks5://127.0.0.1:{port} --resolve origin.test:{site}:127.0.0.1",
        SOCKS,
        "socks5-tcp",
        "none",
        "127.0.0.1",
    ),
]


@pytest.mark.parametrize(
    ("told", "listener", "decided"),
    [pytest.param(*row[1:3], row[3:], id=row[0]) for row in MODES],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_in_every_mode(
    near: Proxy,
    authority: Authority,
    *,
    scheme: str,
    told: str,
    listener: int,
    decided: tuple[str, str, str],
) -> None:
    secure = scheme == "https"
    with Exchanges(authority if secure else None) as site:
        words = told.format(port=near._ports[listener], site=site.port).split()
        got = curl(*words, "--cacert", str(authority.bundle), f"{scheme}://{HOST}:{site.port}/")
    assert got == BODY
    if secure and decided[0] == "http":
        decided = ("https", "CONNECT", HOST)
    assert asked(near) == [(*decided, site.port)]


def plain(near: Proxy) -> tuple[str, str]:
    return "-x", f"http://127.0.0.1:{near._http_port}"


def test_several_urls_on_one_connection_are_each_decided(near: Proxy) -> None:
    with Exchanges() as site:
        url = f"http://{HOST}:{site.port}/"
        words = [word for _ in range(3) for word in ("--next", *plain(near), "-sS", "-v", url)][1:]
        needs("curl")
        done = subprocess.run(["curl", "-q", *words], capture_output=True, check=True)
    assert done.stdout == BODY * 3
    assert done.stderr.count(b"Re-using existing ") + done.stderr.count(b"Reusing existing ") == 2
    assert len(asked(near)) == 3


def test_several_urls_of_several_curls_reach_the_origin_on_one_connection(near: Proxy) -> None:
    site = Keeper(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    with origin(site) as far:
        urls = [f"http://{HOST}:{far.port}/{number}" for number in range(3)]
        for _ in range(2):
            assert curl(*plain(near), *urls) == b"hi" * 3
        near.call(near.server._services.pool.clear)  # the origin waits for its clients to go
    assert len(site.heads) == len(asked(near)) == 6
    assert len(site.connections) == 1


@pytest.mark.parametrize(
    ("field", "arrives"),
    [
        ("Expect: 100-continue", {"content-length": str(len(BODY)), "expect": "100-continue"}),
        ("Expect:", {"content-length": str(len(BODY))}),
        ("Transfer-Encoding: chunked", {"transfer-encoding": "chunked"}),
    ],
)
def test_an_upload_arrives_whole(near: Proxy, field: str, arrives: dict[str, str]) -> None:
    with Exchanges() as site:
        words = ["-T", "-", "-H", field]
        if "chunked" not in field:
            words += ["-H", f"Content-Length: {len(BODY)}", "-H", "Transfer-Encoding:"]
        got = curl(*plain(near), *words, f"http://{HOST}:{site.port}/up", given=BODY)
    assert got == BODY
    ((method, fields),) = site.seen
    framing = ("content-length", "transfer-encoding", "expect")
    assert method == "PUT"
    expect = {} if "Expect" in field else {"expect": fields.get("expect", "")}
    assert {k: v for k, v in fields.items() if k in framing} == {
        key: value for key, value in (arrives | expect).items() if value
    }


def test_a_range_of_a_download(near: Proxy) -> None:
    with Exchanges() as site:
        got = curl(*plain(near), "-r", "1000-1999", f"http://{HOST}:{site.port}/")
    assert got == BODY[1000:2000]


def test_curl_speaks_http_2_inside_connect(near: Proxy, authority: Authority) -> None:
    with Http2Site(authority) as site:
        url = f"https://{HOST}:{site.port}/"
        trust = ("--http2", "--cacert", str(authority.bundle), "-w", "%{http_version}")
        assert curl(*plain(near), *trust, url + "a") == b"/a2"
    assert asked(near) == [("https", "CONNECT", HOST, site.port)]


def test_httpx_speaks_http_2_inside_connect(near: Proxy, authority: Authority) -> None:
    where = f"http://127.0.0.1:{near._http_port}"
    trust = ssl.create_default_context(cafile=str(authority.bundle))
    with (
        Http2Site(authority) as site,
        httpx.Client(proxy=where, http2=True, verify=trust, trust_env=False) as client,
    ):
        for path in ("/a", "/b"):
            answer = client.get(f"https://{HOST}:{site.port}{path}")
            assert (answer.text, answer.http_version) == (path, "HTTP/2")
    assert asked(near) == [("https", "CONNECT", HOST, site.port)], "two streams of one tunnel"


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_curl_shows_a_token(scheme: str) -> None:
    credentials = Credentials.of({Identity("me"): b"sesame"})
    with proxy(setting(credentials)) as near, Exchanges() as site:
        where = f"{scheme}://x:sesame@127.0.0.1:{near.mixed_port}"
        assert curl("-x", where, f"http://{HOST}:{site.port}/") == BODY
    ((_, fields),) = site.seen
    assert "proxy-authorization" not in fields


def test_wget(near: Proxy, authority: Authority) -> None:
    proxies = [
        word
        for scheme in ("http", "https")
        for word in ("-e", f"{scheme}_proxy=http://127.0.0.1:{near._http_port}/")
    ]
    trust = f"--ca-certificate={authority.bundle}"
    with Exchanges() as open_site, Exchanges(authority) as secure:
        urls = [f"http://{HOST}:{open_site.port}/", f"https://{HOST}:{secure.port}/"]
        assert typed("wget", "--no-config", "-qO-", *proxies, trust, *urls) == BODY * 2


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_websocket_inside_a_tunnel(near: Proxy, scheme: str) -> None:
    def echo(socket: ServerConnection) -> None:
        for message in socket:
            socket.send(message)

    port = near._http_port if scheme == "http" else near._socks_port
    with serve(echo, "127.0.0.1", 0) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        at = site.socket.getsockname()[1]
        with connect(f"ws://{HOST}:{at}/", proxy=f"{scheme}://127.0.0.1:{port}") as client:
            for message in ("hello", BODY):
                client.send(message)
                assert client.recv(timeout=PATIENCE_SECONDS) == message
        site.shutdown()
        thread.join()
    assert [row[2:] for row in asked(near)] == [(HOST, at)]


def test_a_websocket_by_upgrade(near: Proxy) -> None:
    """A real client's and a real server's frames, with the request in absolute form."""

    def echo(socket: ServerConnection) -> None:
        for message in socket:
            socket.send(message)

    with serve(echo, "127.0.0.1", 0) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        at = site.socket.getsockname()[1]
        with near.http() as client:
            protocol = ClientProtocol(parse_uri(f"ws://{HOST}:{at}/chat"))
            request = protocol.connect()
            request.path = f"http://{HOST}:{at}{request.path}"
            protocol.send_request(request)
            got = _messages(client, protocol, [b"hello", BODY])
        site.shutdown()
        thread.join()
    assert got == [b"hello", BODY]
    assert asked(near) == [("http", "UPGRADE", HOST, at)]


def _messages(client: socket.socket, protocol: ClientProtocol, sent: list[bytes]) -> list[bytes]:
    """What comes back for each message, once the handshake is over."""
    got: list[bytes] = []
    while len(got) < len(sent):
        for data in protocol.data_to_send():
            client.sendall(data)
        protocol.receive_data(client.recv(65536))
        for event in protocol.events_received():
            if isinstance(event, Frame):
                got.append(bytes(event.data))
            if len(got) < len(sent):
                protocol.send_binary(sent[len(got)])
    return got


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_chromium_loads_a_page(near: Proxy, authority: Authority, base: Path, scheme: str) -> None:
    needs("chromium")
    page = b"<!doctype html><p id=x>no</p><script>x.textContent = 'load' + 'ed'</script>"
    pages = {"/page/": page}
    with Pages(pages, authority if scheme == "https" else None) as site:
        shown = typed(
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--disable-background-networking", "--disable-component-update", "--no-first-run"),
            f"--proxy-server=http://127.0.0.1:{near._http_port}",
            f"--ignore-certificate-errors-spki-list={_spki(authority)}",
            f"--user-data-dir={base / 'profile'}",
            "--dump-dom",
            f"{scheme}://{HOST}:{site.port}/page/",
            seconds=BROWSER_SECONDS,
            home=base,
        )
    assert b">loaded<" in shown
    wanted = ("https", "CONNECT") if scheme == "https" else ("http", "GET")
    assert (*wanted, HOST, site.port) in asked(near)


def _spki(authority: Authority) -> str:
    """The hash of the site's public key, by which Chromium lets its certificate pass."""
    words = ("openssl", "x509", "-in", str(authority.chain), "-pubkey", "-noout")
    pem = subprocess.run(words, capture_output=True, check=True).stdout
    lines = [line for line in pem.splitlines() if not line.startswith(b"-")]
    return base64.b64encode(hashlib.sha256(base64.b64decode(b"".join(lines))).digest()).decode()
