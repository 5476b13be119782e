"""What a run records reaches a collector, and a dead collector changes nothing for the command."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.otlp_receiver import OtlpReceiver, attributes_of
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
    assert time.monotonic() - began < 5


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
