"""What a run records reaches a collector, and a dead collector changes nothing for the command."""

from __future__ import annotations

import json
import subprocess  # a service that has to refuse
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)

from bench.ports import free_port
from otel import statuses
from tests.support.fair_clock import share
from tests.support.otlp_grpc_receiver import GrpcReceiver
from tests.support.otlp_receiver import OtlpReceiver, attributes_of, uids_of
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

DENIED = ["sh", "-c", "curl -s http://x.test/; sleep 30"]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_every_event_of_a_run_reaches_the_collector(me: Person, base: Path, by: str) -> None:
    netproxy = Netproxy(me, base)
    with OtlpReceiver() as collector:
        option = ["--otlp", collector.url] if by == "option" else []
        variable = {} if by == "option" else {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        done = netproxy.run(*option, "--ask", "never", command=DENIED, environment=variable)
        assert done.status == 77
        expected = {event["log.record.uid"] for event in netproxy.events()}
        collector.wait_for(len(expected))
    arrived = [attributes_of(record) for record in collector.records]
    assert {attributes["log.record.uid"] for attributes in arrived} == expected
    names = [record.event_name for record in collector.records]
    assert names[-2:] == ["netproxy.gateway.stopped", "netproxy.audit.checkpoint"]
    decision = arrived[names.index("netproxy.policy_decision")]
    assert decision["network.policy.reason"] == "not_allowed"
    assert decision["sandbox.enforced"] is True


def test_a_dead_collector_costs_the_command_nothing(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    began = time.monotonic()
    done = netproxy.run("--otlp", "http://127.0.0.1:9", "--ask", "never", command=["true"])
    assert done.status == 0
    assert (time.monotonic() - began) * share() < 5


def test_a_collector_that_takes_nothing_is_named_at_the_end(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    done = netproxy.run("--otlp", "http://127.0.0.1:9", "--ask", "never", command=["sleep", "3.1"])
    assert done.status == 0
    assert "http://127.0.0.1:9/v1/logs has not taken any audit record" in done.err
    assert done.err.count("\n") == 1


def test_the_collectors_secrets_stay_out_of_arguments_and_of_the_command(
    me: Person, base: Path
) -> None:
    netproxy = Netproxy(me, base)
    with OtlpReceiver() as collector:
        done = netproxy.run(
            *("--otlp", collector.url, "--ask", "never"),
            command=["sh", "-c", "env; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"],
            environment={"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20S3CRET"},
        )
        collector.wait_for(1)
    assert done.status == 0
    assert "S3CRET" not in done.out
    assert collector.requests[0].headers["authorization"] == "Bearer S3CRET"


def sinks(netproxy: Netproxy, text: str) -> None:
    own = netproxy.person.owns(netproxy.config / "netproxy")
    (own / "config.toml").write_text(text)


def test_sinks_stand_side_by_side_and_a_dead_one_holds_nobody(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    file = netproxy.person.owns(netproxy.state / "netproxy") / "siem.jsonl"
    with GrpcReceiver() as collector:
        sinks(
            netproxy,
            f"""\
[[audit.sink]]
type = "otlp"
endpoint = "http://127.0.0.1:9"

[[audit.sink]]
type = "otlp"
protocol = "grpc"
endpoint = "{collector.url}"

[[audit.sink]]
type = "ocsf"
path = "{file}"
""",
        )
        done = netproxy.run("--ask", "never", command=DENIED)
        assert done.status == 77
        expected = {event["log.record.uid"] for event in netproxy.events()}
        collector.wait_for(len(expected))
    assert set(uids_of(collector.records)) == expected
    give_up = time.monotonic() + 30
    while len(lines := file.read_text().splitlines()) < len(expected):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    found = [json.loads(line) for line in lines]
    assert {event["metadata"]["uid"] for event in found} == expected
    assert found[-2]["metadata"]["event_code"] == "netproxy.gateway.stopped"


def test_a_file_that_the_command_could_forge_is_refused(me: Person, base: Path) -> None:
    netproxy = Netproxy(me, base)
    sinks(
        netproxy,
        f'[[audit.sink]]\ntype = "ocsf"\npath = "{netproxy.workspace}/siem.jsonl"\n',
    )
    done = netproxy.run("--ask", "never", command=["true"])
    assert done.status == 64
    assert "config.toml:1:1 audit.sink[0]: the command may write in" in done.err


@pytest.mark.parametrize("by", ["option", "file"])
def test_a_collector_that_is_the_gateway_itself_is_refused(me: Person, base: Path, by: str) -> None:
    """Its records would be requests that make records."""
    netproxy = Netproxy(me, base)
    port = free_port()
    if by == "file":
        sinks(netproxy, f'[[audit.sink]]\ntype = "otlp"\nendpoint = "http://localhost:{port}"\n')
    option = ["--otlp", f"http://localhost:{port}"] if by == "option" else []
    words = ["serve", "--listen", f"127.0.0.1:{port}", "--audit-dir", str(netproxy.audit), *option]
    done = subprocess.run(
        netproxy.argv(*words),
        cwd=netproxy.workspace,
        env=netproxy.environment({}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 78
    place = "config.toml:1:1 audit.sink[0]" if by == "file" else "--otlp"
    last = done.stderr.splitlines()[-1]
    assert f"{place}: http://localhost:{port}/v1/logs is where this gateway listens" in last


def test_what_a_sink_rejects_after_the_end_is_on_record_with_the_next_run(
    me: Person, base: Path
) -> None:
    """The exporter outlives the run, and may not write its chain."""
    netproxy = Netproxy(me, base)
    rejects = ExportLogsPartialSuccess(rejected_log_records=1, error_message="quota")
    with GrpcReceiver() as collector:
        collector.script.append(ExportLogsServiceResponse(partial_success=rejects))
        sinks(
            netproxy,
            f'[[audit.sink]]\ntype = "otlp"\nprotocol = "grpc"\nendpoint = "{collector.url}"\n',
        )
        assert netproxy.run("--ask", "never", command=["true"]).status == 0
        (writer,) = (path for path in netproxy.audit.iterdir() if path.name.startswith("w-"))
        give_up = time.monotonic() + 30
        while not any(each.status.rejected for each in statuses(writer, now_ns=0)):
            assert time.monotonic() < give_up
            time.sleep(0.02)
        assert netproxy.run("--ask", "never", command=["true"]).status == 0
    states = [
        (event["netproxy.export.state"], event["netproxy.export.rejected"], event["error.type"])
        for event in netproxy.events()
        if event["event.name"] == "netproxy.audit.export_state"
    ]
    assert states == [("rejected", 1, "quota")]
    assert list(writer.glob("rejected/ship-*/*.jsonl"))
