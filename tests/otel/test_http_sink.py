from __future__ import annotations

import gzip
import socket
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from otel.answers import Answer, Delivered, TryLater, Unusable
from otel.config import ShipLimits
from otel.http_sink import HttpSink
from otel.sinks import OtlpSettings
from tests.support.loops import PATIENCE_SECONDS
from tests.support.otlp_receiver import OtlpReceiver, Reply, partial, refuse

LIMITS = ShipLimits()


def sink_for(url: str, *, limits: ShipLimits = LIMITS, **headers: str) -> HttpSink:
    settings = OtlpSettings(endpoint=f"{url}/v1/logs", headers=headers, certificate=None)
    return HttpSink(settings, limits)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(Reply(), Delivered(rejected=0, message=""), id="ok"),
        pytest.param(partial(2, "old"), Delivered(rejected=2, message="old"), id="partial"),
        pytest.param(refuse(400), Unusable(why="the collector answered 400"), id="unusable"),
        pytest.param(
            refuse(503, Retry_After="3"),
            TryLater(why="the collector answered 503", after_seconds=3.0),
            id="busy",
        ),
        pytest.param(refuse(304), TryLater(why="the collector answered 304"), id="not-modified"),
    ],
)
def test_answers(reply: Reply, expected: Answer) -> None:
    with OtlpReceiver() as collector:
        collector.script.append(reply)
        assert sink_for(collector.url).send(b"", PATIENCE_SECONDS) == expected


def test_what_is_sent() -> None:
    with OtlpReceiver() as collector:
        sink_for(collector.url, authorization="Bearer x").send(b"", PATIENCE_SECONDS)
        (request,) = collector.requests
    assert request.path == "/v1/logs"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["authorization"] == "Bearer x"


def test_redirects_are_not_followed() -> None:
    """Else the records and the token would go wherever an answer points."""
    with OtlpReceiver() as other, OtlpReceiver() as collector:
        collector.script.append(refuse(307, Location=f"{other.url}/v1/logs"))
        assert isinstance(sink_for(collector.url).send(b"", PATIENCE_SECONDS), TryLater)
        assert other.requests == []


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the gateway itself."""
    with OtlpReceiver() as proxy, OtlpReceiver() as collector:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert isinstance(sink_for(collector.url).send(b"", PATIENCE_SECONDS), Delivered)
        assert proxy.requests == []


def test_a_dead_collector_is_an_answer() -> None:
    with OtlpReceiver() as collector:
        url = collector.url
    assert sink_for(url).send(b"", PATIENCE_SECONDS) == TryLater(why="can't connect")


def test_a_silent_collector_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = sink_for(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert sink.send(b"", 0.05) == TryLater(why="no answer in time")


def hang_up(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_collector_that_hangs_up_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=hang_up, args=(server,))
        thread.start()
        answer = sink_for(f"http://127.0.0.1:{server.getsockname()[1]}").send(b"", PATIENCE_SECONDS)
        thread.join()
    assert answer == TryLater(why="can't connect")


def test_an_endless_answer_is_cut_off() -> None:
    with OtlpReceiver() as collector:
        collector.script.append(Reply(body=b"x" * 5000))
        limits = replace(LIMITS, answer_bytes=1000)
        answer = sink_for(collector.url, limits=limits).send(b"", PATIENCE_SECONDS)
    assert answer == TryLater(why="broken answer")


def test_a_certificate_that_nobody_signed_is_refused() -> None:
    with OtlpReceiver() as collector:
        answer = sink_for(f"https://127.0.0.1:{collector.port}").send(b"", PATIENCE_SECONDS)
    assert answer == TryLater(why="TLS failed")


def drip(server: socket.socket, stop: threading.Event, begin: bytes) -> None:
    connection, _ = server.accept()
    with connection, suppress(OSError):  # it may hang up before we are told to stop
        connection.sendall(begin)
        while not stop.wait(0.01):
            connection.sendall(b"x")


@pytest.mark.parametrize(
    ("scheme", "begin"),
    [
        pytest.param("http", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", id="body"),
        pytest.param("http", b"HTTP/1.1 200 OK\r\nX: ", id="head"),
        pytest.param("http", b"HTTP/1.1 200 O", id="status"),
        # A handshake record of 16 kB, of which a byte comes now and then.
        pytest.param("https", b"\x16\x03\x03\x40\x00", id="handshake"),
    ],
)
def test_an_answer_that_comes_byte_by_byte_ends_in_time(scheme: str, begin: bytes) -> None:
    """Each byte comes in time, the whole would take for ever; half of it is no delivery."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server, stop, begin))
        thread.start()
        answer = sink_for(f"{scheme}://127.0.0.1:{server.getsockname()[1]}").send(b"", 0.2)
        stop.set()
        thread.join()
    assert answer == TryLater(why="no answer in time")


def test_what_is_packed_is_not_unpacked() -> None:
    """A few kilobytes could become gigabytes."""
    with OtlpReceiver() as collector:
        body = gzip.compress(bytes(1_000_000))
        collector.script.append(Reply(body=body, headers={"Content-Encoding": "gzip"}))
        assert sink_for(collector.url).send(b"", PATIENCE_SECONDS) == TryLater(
            why="the answer is not OTLP"
        )
        assert collector.requests[0].headers["accept-encoding"] == "identity"


def test_a_certificate_that_is_not_there_is_told() -> None:
    settings = OtlpSettings(endpoint="https://127.0.0.1:9/", headers={}, certificate="/no/ca.pem")
    answer = HttpSink(settings, LIMITS).send(b"", 1.0)
    assert isinstance(answer, TryLater)
    assert "/no/ca.pem" in answer.why
