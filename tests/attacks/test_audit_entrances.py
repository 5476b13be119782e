"""Hostile text and secrets through every entrance of a running gateway: none of it comes out raw.

The attack: whoever reads the trail (at a terminal, in a spreadsheet, in a browser, by a parser) is
to be misled or taken over by what a command asked for, or to find a secret that it used.
Defence: `otel.redact` is the only way into the journal, and events have no place for the rest.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli import audit
from netproxy.connection.credentials import Credentials, Identity
from netproxy.model import OnDenial, Verdict
from tests.support.datagrams import Associated, header
from tests.support.fakes import FakePolicy
from tests.support.hellos import extension, hello, names, records
from tests.support.origins import echo, origin, read_all
from tests.support.pages import assert_inert
from tests.support.proxies import LOOPBACK, Proxy, Setting, proxy
from tests.support.recorded import RecordedAudit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "S3CRET-0123456789"
HOSTILE = {
    "nul": b"a\x00b",
    "escape": b"\x1b]0;owned\x07\x1b[2J",
    "c1": b"\x9b31m",
    "bidi": "\u202egpj.\u2066x".encode(),
    "surrogate": b"\xed\xa0\x80",
    "not-utf-8": b"\xff\xfe",
    "lines": "a\u2028b\u0085c".encode(),
    "quotes": b'x"},"seq":1}',
    "formula": b"=cmd|'/c calc'!A0",
    "markup": b"<script>document.title='owned'</script>",
    "endless": b"x" * 10_000,
    "pieces": b".".join([b"y" * 60] * 160),
    "zero-width": "a\u200b\u2060b\ufe0f".encode(),
}
BAD = set("\x00\x1b\x07\x9b\u202e\u2066\u2028\u0085\u200b\u2060\ufe0f\ufeff")


def http(near: Proxy, data: bytes) -> None:
    with near.http() as client, suppress(OSError):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        read_all(client)


def socks(near: Proxy, data: bytes) -> None:
    with near.socks() as client, suppress(OSError):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        read_all(client)


def attack(near: Proxy, text: bytes) -> None:
    """Every place of every protocol that a client fills, with the text in it."""
    for head in (
        b"CONNECT %b:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"CONNECT a.test:%b HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET http://%b/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET http://a.test/%b HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
        b"GET http://a.test/ HTTP/1.1\r\nHost: %b\r\n\r\n",
        b"%b http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
        b"GET http://a.test/ HTTP/%b\r\nHost: a.test\r\n\r\n",
        b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n%b: 1\r\nConnection: close\r\n\r\n",
        b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: %b\r\n\r\n",
        b"%b",
    ):
        http(near, head % text)
    name = text[:255]
    greeting = b"\x05\x01\x00"
    socks(near, greeting + b"\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x01\xbb")
    socks(near, greeting + text)
    socks(near, text)
    with Associated(near.socks()) as client:
        client.send_raw(b"\0\0\0\x03" + bytes([len(name)]) + name + b"\0\x35" + b"data")
        client.send_raw(text[:1000])
        client.send_raw(header("a.test", 53) + text[:1000])


def in_a_handshake(near: Proxy, text: bytes) -> None:
    """What TLS shows before it is encrypted: a name, and protocols."""
    protocol = text[:200]
    listed = bytes([len(protocol)]) + protocol
    alpn = extension(16, struct.pack("!H", len(listed)) + listed)
    with origin(echo) as far:
        client, _ = near.connect(f"127.0.0.1:{far.port}")
        with client, suppress(OSError):
            client.sendall(records(hello(names(text[:2000]), alpn)))
            client.shutdown(socket.SHUT_WR)
            read_all(client)


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[RecordedAudit]:
    made = RecordedAudit(tmp_path / "audit")
    yield made
    made.close()


def running(made: RecordedAudit, *, asks_secret: bool = False) -> Setting:
    policy = FakePolicy(Verdict.ALLOW, dialable=LOOPBACK, on_denial=OnDenial.BLOCK)
    credentials = Credentials.of({Identity("me"): b"another-0123456789"}) if asks_secret else None
    return Setting(policy=policy, audit=made, credentials=credentials)


def everything_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """All ways in which the trail is read."""
    shown = {}
    for words in (
        ["tail", "-n", "1000"],
        ["query"],
        ["query", "--json"],
        ["query", "--csv"],
        ["stats"],
        ["stats", "--json"],
        ["report", "--output", "-"],
    ):
        assert audit.main([*words, "--audit-dir", str(folder)]) == 0
        shown[" ".join(words)] = capsys.readouterr().out
    return shown


def assert_harmless(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.glob("w-*/*.jsonl"):
        for text in path.read_bytes().decode("utf-8", "strict").split("\n"):
            assert not BAD & set(text)
            assert len(text) < 10_000
            assert text == "" or json.loads(text)
    shown = everything_shown(folder, capsys)
    for how, text in shown.items():
        text.encode("utf-8", "strict")
        assert not BAD & set(text), how
        assert SECRET not in text, how
    for line in shown["query --json"].splitlines():
        json.loads(line)
    for row in csv.reader(io.StringIO(shown["query --csv"]), strict=True):
        assert not any(
            cell.startswith(("=", "+", "-", "@")) and not cell[1:].isdigit() for cell in row
        )
    assert_inert(shown["report --output -"])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_text_comes_out_as_text(
    audited: RecordedAudit, capsys: pytest.CaptureFixture[str], text: bytes
) -> None:
    with proxy(running(audited)) as near:
        attack(near, text)
        in_a_handshake(near, text)
        near.settle()
    assert len(audited.decisions) > 10
    audited.flat()  # each as its schema says
    assert_harmless(audited.folder, capsys)


def test_no_secret_is_kept_whatever_carries_it(
    audited: RecordedAudit, capsys: pytest.CaptureFixture[str]
) -> None:
    basic = base64.b64encode(f"me:{SECRET}".encode())
    secret = SECRET.encode()
    with proxy(running(audited)) as near:
        for head in (
            b"GET http://me:%b@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n" % secret,
            b"CONNECT me:%b@a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n" % secret,
            b"GET http://a.test/?token=%b HTTP/1.1\r\nHost: a.test\r\n\r\n" % secret,
            b"GET http://a.test/#%b HTTP/1.1\r\nHost: a.test\r\n\r\n" % secret,
            b"GET http://a.test/p/%b HTTP/1.1\r\nHost: a.test\r\n\r\n" % secret,
            b"GET /?token=%b HTTP/1.1\r\nHost: a.test\r\n\r\n" % secret,
            b"GET http://a.test/ HTTP/1.1\r\nHost: me:%b@a.test\r\n\r\n" % secret,
            *(
                b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n%b\r\nConnection: close\r\n\r\n"
                % each
                for each in (
                    b"Authorization: Bearer " + secret,
                    b"Proxy-Authorization: Basic " + basic,
                    b"Cookie: id=" + secret,
                    b"X-Api-Key: " + secret,
                    b"Referer: http://b.test/?" + secret,
                )
            ),
            b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 17\r\n\r\n" + secret,
        ):
            http(near, head)
        near.settle()
    with proxy(running(audited, asks_secret=True)) as near:
        http(
            near, b"CONNECT a.test:1 HTTP/1.1\r\nProxy-Authorization: Basic " + basic + b"\r\n\r\n"
        )
        password = bytes([len(secret)]) + secret
        socks(near, b"\x05\x01\x02" + b"\x01\x02me" + password)
        near.settle()
    assert len(audited.decisions) >= 12
    content = b"".join(path.read_bytes() for path in audited.folder.glob("w-*/*.jsonl"))
    assert secret not in content
    assert basic not in content
    assert_harmless(audited.folder, capsys)
