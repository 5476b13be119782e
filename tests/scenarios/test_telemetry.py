"""Spans and metrics of real runs and gateways reach a real collector, and go nowhere else."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from bench.ports import free_port
from tests.support.fair_clock import share
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.signal_receiver import SignalReceiver, plain
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.people import Person

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.fixture
def collector() -> Iterator[SignalReceiver]:
    with SignalReceiver() as running:
        yield running


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def configure(netproxy: Netproxy, *lines: str) -> Path:
    path = netproxy.config / "netproxy" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("[telemetry]\n" + "".join(f"{line}\n" for line in lines))
    return path


def rules(site: Site) -> tuple[str, ...]:
    return (*named("site.test"), "--allow", f"site.test:{site.port}", "--ask", "never")


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_run_is_one_trace_below_its_caller(
    netproxy: Netproxy, collector: SignalReceiver, site: Site, protocol: str
) -> None:
    url = collector.grpc_url if protocol == "grpc" else collector.url
    configure(
        netproxy, f'traces = "{url}"', f'metrics = "{url}"', f'protocol = "{protocol}"',
        'span_attributes = { team = "blue" }', 'tracestate = { netproxy = { team = "blue" } }',
    )  # fmt: skip
    command = (
        f"curl -s http://site.test:{site.port}/ >&2; curl -s http://other.test/ >&2; "
        "echo $TRACEPARENT $TRACESTATE $OTEL_EXPORTER_OTLP_HEADERS"
    )
    done = netproxy.run(
        *rules(site), "--on-denial", "block", command=["sh", "-c", command],
        environment={
            "TRACEPARENT": f"00-{TRACE}-{CALLER}-01",
            "TRACESTATE": "vendor=1,netproxy=a:b",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-secret=of-ours",
            # This gateway itself, for all that the exporter knows.
            "http_proxy": "http://127.0.0.1:9", "grpc_proxy": "http://127.0.0.1:9",
        },
    )  # fmt: skip
    assert done.status == 0, done.err
    collector.wait_for("netproxy run")
    collector.wait_for("netproxy.decisions")
    (run,) = collector.named("netproxy run")
    assert (run.trace_id.hex(), run.parent_span_id.hex()) == (TRACE, CALLER)
    assert run.trace_state == "netproxy=a:b;team:blue,vendor=1"
    allowed, denied = collector.named("netproxy connection")
    assert {allowed.parent_span_id, denied.parent_span_id} == {run.span_id}
    assert [event.name for event in allowed.events] == ["netproxy.connection.opened"]
    assert denied.status.message == "not_allowed"
    # The command's own spans would be below the run's, and it learns no secret of ours.
    inside, state = done.out.split()
    assert inside == f"00-{TRACE}-{run.span_id.hex()}-01"
    assert state == "netproxy=a:b;team:blue,vendor=1"
    assert collector.headers[0]["x-secret"] == "of-ours"
    # Every record of the run leads to the span, and the span to its records.
    events = [event for event in netproxy.events() if "execution.id" in event]
    assert {event["trace_id"] for event in events} == {TRACE}
    assert {event["span_id"] for event in events} == {run.span_id.hex()}
    ids = [event["connection.id"] for event in netproxy.decisions()]
    assert [plain(span.attributes)["connection.id"] for span in (allowed, denied)] == ids
    for span in (run, allowed, denied):
        said = plain(span.attributes)
        assert said["team"] == "blue"
        assert said["execution.id"] == events[0]["execution.id"]
    # Nothing of it goes to an origin.
    assert site.visits == ["/"]


def test_a_command_that_ends_at_once_has_its_span(
    netproxy: Netproxy, collector: SignalReceiver
) -> None:
    configure(netproxy, f'traces = "{collector.url}"')
    assert netproxy.run("--ask", "never", command=["true"]).status == 0
    collector.wait_for("netproxy run")
    (run,) = collector.named("netproxy run")
    assert plain(run.attributes)["process.exit.code"] == 0
    assert 0 < run.end_time_unix_nano - run.start_time_unix_nano < 20e9


def test_a_caller_that_is_not_sampled_is_no_trace(
    netproxy: Netproxy, collector: SignalReceiver
) -> None:
    configure(netproxy, f'traces = "{collector.url}"', "sample_ratio = 1")
    parent = {"TRACEPARENT": f"00-{TRACE}-{CALLER}-00"}
    command = ["sh", "-c", "echo $TRACEPARENT"]
    done = netproxy.run("--ask", "never", command=command, environment=parent)
    assert done.out.startswith(f"00-{TRACE}-")
    assert done.out.endswith("-00\n")
    assert collector.spans == []


def test_an_origin_is_told_nothing_of_it(netproxy: Netproxy, collector: SignalReceiver) -> None:
    configure(netproxy, f'traces = "{collector.url}"')
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        options = (*named("site.test"), "--allow", f"site.test:{port}", "--ask", "never")
        with Service(netproxy, *options) as service:
            client = subprocess.Popen(
                ["curl", "-s", "-x", f"http://{service.address}", f"http://site.test:{port}/"],
                stdout=subprocess.DEVNULL,
            )
            accepted, _ = listener.accept()
            with accepted:
                heads.append(accepted.recv(65536))
                accepted.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            assert client.wait(30) == 0
            assert service.stop() == 0
    collector.wait_for("netproxy connection")
    (head,) = heads
    assert b"trace" not in head.lower()
    assert b"baggage" not in head.lower()
    (span,) = collector.named("netproxy connection")
    (decision,) = netproxy.decisions()
    assert plain(span.attributes)["session.id"] == decision["session.id"]


@pytest.mark.parametrize(("protocol", "kind"), [("http/protobuf", "hangs"), ("grpc", "refuses")])
def test_a_dead_collector_costs_half_a_second_at_the_end(
    netproxy: Netproxy, protocol: str, kind: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if kind == "refuses":
            listener.close()
        url = f"http://127.0.0.1:{port}"
        configure(netproxy, f'traces = "{url}"', f'metrics = "{url}"', f'protocol = "{protocol}"')
        began = time.monotonic()
        done = netproxy.run("--ask", "never", command=["sh", "-c", "sleep 0.3; echo done"])
    assert (done.status, done.out, done.err) == (0, "done\n", "")
    assert (time.monotonic() - began) * share() < 6


def test_what_can_not_be_used_starts_nothing(netproxy: Netproxy) -> None:
    path = configure(netproxy, 'metrics = "ftp://x"', 'tracestate = { V = "1" }')
    done = netproxy.run("--ask", "never", command=["true"])
    first, second = done.err.splitlines()
    assert done.status == 78
    assert f"{path}:2:1 telemetry.metrics: expected a URL" in first
    assert f"{path}:3:1 telemetry.tracestate: 'V' is not a tracestate key" in second


def test_a_gateway_never_sends_through_itself(netproxy: Netproxy) -> None:
    port = free_port()
    path = configure(netproxy, f'traces = "http://localhost:{port}"')
    here = ("serve", "--listen", f"127.0.0.1:{port}", "--audit-dir", str(netproxy.audit))
    done = netproxy(*here)
    assert done.status == 78
    last = done.err.splitlines()[-1]
    assert f"{path}:2:1 " in last
    assert last.endswith(f"http://localhost:{port}/v1/traces is where this gateway listens itself")
    path.unlink()
    variable = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
    done = netproxy(*here, environment={variable: f"http://127.0.0.1:{port}/v1/metrics"})
    assert done.status == 78
    assert variable in done.err.splitlines()[-1]
