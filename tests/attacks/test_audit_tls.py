"""Records go to the collector that was meant, over TLS, and to nobody who only says to be it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import grpc
import pytest

from otel.answers import Delivered, TryLater
from otel.config import ShipLimits
from otel.grpc_sink import GrpcSink
from otel.http_sink import HttpSink
from otel.sinks import OtlpSettings, Protocol
from tests.support.otlp_grpc_receiver import GrpcReceiver
from tests.support.otlp_receiver import OtlpReceiver
from tests.support.tls import Authority, make_authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel.answers import Sink

LIMITS = ShipLimits()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ours"), "localhost")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("theirs"), "localhost")


@pytest.fixture(params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return Protocol.GRPC if request.param == "grpc" else Protocol.HTTP


@pytest.fixture
def collector(protocol: Protocol, ours: Authority) -> Iterator[str]:
    """One that wants a certificate of its clients, signed by the same authority."""
    if protocol is Protocol.GRPC:
        pair = (ours.key.read_bytes(), ours.chain.read_bytes())
        credentials = grpc.ssl_server_credentials(
            [pair], ours.bundle.read_bytes(), require_client_auth=True
        )
        with GrpcReceiver(tls=credentials) as receiver:
            yield f"https://localhost:{receiver.port}"
        return
    context = ours.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ours.bundle)
    with OtlpReceiver(tls=context) as http:
        yield f"https://localhost:{http.port}/v1/logs"


def sink(
    protocol: Protocol,
    url: str,
    *,
    trusts: Path | None = None,
    shows: Authority | None = None,
) -> Sink:
    settings = OtlpSettings(
        endpoint=url,
        headers={},
        protocol=protocol,
        certificate=None if trusts is None else str(trusts),
        client_certificate=None if shows is None else str(shows.chain),
        client_key=None if shows is None else str(shows.key),
    )
    return GrpcSink(settings, LIMITS) if protocol is Protocol.GRPC else HttpSink(settings, LIMITS)


def test_both_sides_know_each_other(protocol: Protocol, collector: str, ours: Authority) -> None:
    answer = sink(protocol, collector, trusts=ours.bundle, shows=ours).send(b"", 5.0)
    assert isinstance(answer, Delivered)


def test_a_collector_of_another_authority_gets_nothing(
    protocol: Protocol, collector: str, ours: Authority, theirs: Authority
) -> None:
    for trusts in (None, theirs.bundle):
        answer = sink(protocol, collector, trusts=trusts, shows=ours).send(b"", 5.0)
        assert isinstance(answer, TryLater)


def test_a_certificate_for_another_name_counts_for_nothing(
    protocol: Protocol, collector: str, ours: Authority
) -> None:
    url = collector.replace("localhost", "127.0.0.1")
    answer = sink(protocol, url, trusts=ours.bundle, shows=ours).send(b"", 5.0)
    assert isinstance(answer, TryLater)


def test_without_our_certificate_there_is_no_delivery(
    protocol: Protocol, collector: str, ours: Authority
) -> None:
    answer = sink(protocol, collector, trusts=ours.bundle).send(b"", 5.0)
    assert isinstance(answer, TryLater)
