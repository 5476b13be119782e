"""A client of a shared gateway that wants what another one has, or what nobody gave it.

The defences: a token decides session, profile and record, once for each connection; nothing is
judged, looked up or told before one was shown; one that is taken away ends what it opened; no token
is repeated; health is told by address.
"""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.at_terminal import Terminal
from tests.support.origins import Recorder, echo, origin, read_all
from tests.support.runs import Netproxy
from tests.support.services import Service

if TYPE_CHECKING:
    from tests.support.people import Person

ANNA, BERT, CARL = "of-anna-0123456789", "of-bert-0123456789", "of-carl-0123456789"


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def tokens(netproxy: Netproxy) -> tuple[str, str]:
    path = netproxy.config / "tokens"
    path.write_text(f"anna:{ANNA}\nbert:{BERT}\n")
    path.chmod(0o600)
    return "--token-file", str(path)


def ask(where: tuple[str, int], host: str, *fields: str) -> bytes:
    with socket.create_connection(where, 20) as client:
        lines = [f"CONNECT {host} HTTP/1.1", f"Host: {host}", *fields, "\r\n"]
        client.sendall("\r\n".join(lines).encode())
        return client.recv(65536)


def bearer(token: str) -> str:
    return f"Proxy-Authorization: Bearer {token}"


def test_what_one_was_granted_the_other_has_to_ask_for(
    netproxy: Netproxy, tokens: tuple[str, str]
) -> None:
    """A person allows it for anna's session; bert asks for the same place."""
    words = ("serve", "--listen", "127.0.0.1:0", "--audit-dir", str(netproxy.audit), *tokens)
    with Terminal(
        netproxy.argv(*words), cwd=netproxy.workspace, environment=netproxy.environment()
    ) as terminal:
        found = terminal.see(r"listening on 127\.0\.0\.1:(\d+)")
        where = ("127.0.0.1", int(found[1]))

        def asks(token: str) -> socket.socket:
            client = socket.create_connection(where, 20)
            client.sendall(
                f"CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n{bearer(token)}\r\n\r\n".encode()
            )
            return client

        with asks(ANNA) as anna:
            terminal.see(r"anna.*left to answer")
            time.sleep(0.7)
            terminal.press("s")
            assert anna.recv(100).startswith(b"HTTP/1.1 502 ")
        with asks(ANNA) as anna:
            assert anna.recv(100).startswith(b"HTTP/1.1 502 "), "it is remembered"
        with asks(BERT) as bert:
            terminal.see(r"bert.*left to answer")
            time.sleep(0.7)
            terminal.press("d")
            assert bert.recv(100).startswith(b"HTTP/1.1 403 ")
        with asks(ANNA) as anna:
            assert anna.recv(100).startswith(b"HTTP/1.1 502 "), "and a no to bert is none to anna"
        terminal.press(b"\x03")
        assert terminal.wait() == 0
    reasons = [each["network.policy.reason"] for each in netproxy.decisions()]
    assert reasons == ["approved", "allowed_by_grant", "denied_by_reviewer", "allowed_by_grant"]


def test_a_token_is_never_repeated(netproxy: Netproxy, tokens: tuple[str, str]) -> None:
    recorder = Recorder(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    with origin(recorder) as far:
        rules = ("--allow", f"127.0.0.1:{far.port}", "--ask", "never")
        with Service(netproxy, *rules, *tokens) as service:
            url = f"http://127.0.0.1:{far.port}/"
            for spelled in ("Proxy-Authorization", "PROXY-authorization", "proxy-Authorization"):
                with socket.create_connection(service.where, 10) as client:
                    fields = f"{spelled}: Bearer {ANNA}\r\nConnection: close\r\n\r\n"
                    head = f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1:{far.port}\r\n{fields}"
                    client.sendall(head.encode())
                    assert b"hi" in read_all(client)
            assert ANNA.encode() not in ask(service.where, "a.test:443", bearer(ANNA))
            assert b"wrong" not in ask(service.where, "a.test:443", bearer(f"wrong-{ANNA}"))
            command_line = Path(f"/proc/{service.process.pid}/cmdline").read_bytes()
            assert ANNA.encode() not in command_line
            assert service.stop() == 0
    assert len(recorder.heads) == 3
    assert all(b"authorization" not in head.lower() for head in recorder.heads)
    journal = b"".join(path.read_bytes() for path in netproxy.audit.rglob("*") if path.is_file())
    for text in (journal, service.err.encode()):
        assert ANNA.encode() not in text
        assert BERT.encode() not in text


def test_without_a_token_nothing_can_be_learned(
    netproxy: Netproxy, tokens: tuple[str, str]
) -> None:
    """Allowed, denied, asked about, or not even a name: the answer is the same to the byte."""
    rules = ("--allow", "allowed.test", "--deny", "denied.test", "--ask", "never")
    with Service(netproxy, *rules, *tokens) as service:
        hosts = ("allowed.test:443", "denied.test:443", "asked.test:443", "127.0.0.1:443", "bad_:0")
        answers = set()
        for host in hosts:
            head, _, body = ask(service.where, host).partition(b"\r\n\r\n")
            answers.add((head, json.dumps({**json.loads(body), "request_id": ""})))
        assert len(answers) == 1
        assert service.stop() == 0
    assert netproxy.decisions() == []


_NEARLY = (
    (bearer(BERT), bearer(ANNA)),
    (f"Proxy-Authorization: Bearer {BERT}, Bearer {ANNA}",),
    (f"Authorization: Bearer {ANNA}",),
    (f"Proxy-Authorization: Bearer {ANNA[:-1]}",),
    (f"Proxy-Authorization: Bearer {ANNA}{ANNA}",),
    ("Proxy-Authorization: Bearer",),
    ("Proxy-Authorization: Basic Og==",),
    (f"X: y\r\nProxy-Authorization : Bearer {ANNA}",),
    (f"X: y\r\n Proxy-Authorization: Bearer {ANNA}",),
)


def test_what_is_nearly_a_token_is_none(netproxy: Netproxy, tokens: tuple[str, str]) -> None:
    with Service(netproxy, "--ask", "never", "--allow", "a.test", *tokens) as service:
        answers = {fields: ask(service.where, "a.test:443", *fields) for fields in _NEARLY}
        assert service.stop() == 0
    refusals = {b"HTTP/1.1 407", b"HTTP/1.1 400"}
    assert {fields: said for fields, said in answers.items() if said[:12] not in refusals} == {}
    assert netproxy.decisions() == []


def test_a_page_that_was_rebound_to_the_gateway_learns_nothing(
    netproxy: Netproxy, tokens: tuple[str, str]
) -> None:
    """Its requests carry its own name as Host, to the proxy's port as to the health's."""
    with Service(netproxy, "--health", "127.0.0.1:0", "--ask", "never", *tokens) as service:
        health = int(service.err.rpartition("health on http://127.0.0.1:")[2].split("/")[0])
        for port, path in ((health, "/health"), (service.where[1], "/health"), (health, "/")):
            with socket.create_connection(("127.0.0.1", port), 10) as page:
                page.sendall(
                    f"GET {path} HTTP/1.1\r\nHost: attacker.test:{port}\r\n"
                    "Origin: http://attacker.test\r\nConnection: close\r\n\r\n".encode()
                )
                answered = read_all(page)
            assert answered[:12] in {b"HTTP/1.1 421", b"HTTP/1.1 400"}
            for word in (b"ok\n", b"draining", b"anna", b"Access-Control"):
                assert word not in answered


def test_a_token_that_was_taken_away_is_worth_nothing(
    netproxy: Netproxy, tokens: tuple[str, str]
) -> None:
    """Neither for what it opened before nor for anything new; who keeps one notices nothing."""
    path = Path(tokens[1])
    with origin(echo) as far:
        where = f"127.0.0.1:{far.port}"
        with Service(netproxy, *tokens, "--allow", where, "--ask", "never") as service:
            anna, bert = (tunnel(service, where, token) for token in (ANNA, BERT))
            with anna, bert:
                path.write_text("anna")
                service.signal(signal.SIGHUP)
                service.says(f"the tokens stay as they were: {path}:1: is not NAME:TOKEN\n")
                assert echoed(anna)
                path.write_text(f"bert:{BERT}\ncarl:{CARL}\n")
                service.signal(signal.SIGHUP)
                service.says("tokens read again: 1 new, 1 gone\n")
                assert echoed(bert)
                assert not echoed(anna)
            answers = [ask(service.where, where, bearer(token)) for token in (ANNA, BERT, CARL)]
            assert [answer.split()[1] for answer in answers] == [b"407", b"200", b"200"]
            assert service.stop() == 0
    assert not any(token in service.err for token in (ANNA, BERT, CARL))
    ended = netproxy.events("netproxy.connection.closed")
    reasons = [each["netproxy.close.reason"] for each in ended]
    assert reasons.count("policy_changed") == 1


def tunnel(service: Service, where: str, token: str) -> socket.socket:
    client = socket.create_connection(service.where, 20)
    client.sendall(f"CONNECT {where} HTTP/1.1\r\nHost: a\r\n{bearer(token)}\r\n\r\n".encode())
    assert client.recv(65536).startswith(b"HTTP/1.1 200")
    return client


def echoed(client: socket.socket) -> bool:
    try:
        client.sendall(b"hello")
        return client.recv(5) == b"hello"
    except OSError:
        return False
