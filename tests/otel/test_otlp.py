from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel import AuditTrail, Journal, Record, read
from otel.answers import Answer, Delivered, TryLater, Unusable
from otel.events import RunStarted
from otel.otlp import export_request, log_record, read_answer, resource, retry_after
from otel.otlp_fields import SCHEMA_URL
from tests.support.journals import NOON_NS, SteppingClock, decision
from tests.support.otlp_receiver import attributes_of, partial


def recorded() -> list[Record]:
    with TemporaryDirectory() as name:
        journal = Journal.open(Path(name), clock=SteppingClock(NOON_NS - 1_000_000))
        trail = AuditTrail(journal, {"session.id": "s-1", "sandbox.enforced": True})
        trail.record(decision())
        run = RunStarted(
            executable="curl", directory="/w", user_id="1", backend="none", plan=("a", "b")
        )
        trail.record(run)
        journal.close()
        return list(read(Path(name), print))


def test_a_record_as_a_log_record() -> None:
    record = recorded()[0]
    log = log_record(record)
    assert log.event_name == "netproxy.policy_decision"
    assert log.time_unix_nano == log.observed_time_unix_nano == NOON_NS
    assert (log.severity_number, log.severity_text) == (13, "WARN")
    assert not log.HasField("body")
    attributes = attributes_of(log)
    assert attributes["log.record.uid"] == record.uid
    assert attributes["event.timestamp"] == "2026-01-02T03:04:05.678Z"
    assert attributes["server.port"] == 443
    assert attributes["sandbox.enforced"] is True
    assert attributes["network.policy.override"] is False
    assert "approval.id" not in attributes  # null: OTLP leaves that undefined
    assert "event.name" not in attributes  # deprecated in favour of EventName


def test_the_chain_is_exported_so_that_a_collector_can_anchor_it() -> None:
    first, second = recorded()
    attributes = attributes_of(log_record(second))
    assert attributes["netproxy.audit.chain"] == second.writer
    assert attributes["netproxy.audit.seq"] == 2
    assert attributes["netproxy.audit.hash"] == second.digest.hex()
    assert attributes["netproxy.audit.prev_hash"] == first.digest.hex()


def test_lists_stay_lists() -> None:
    assert attributes_of(log_record(recorded()[1]))["sandbox.plan"] == ["a", "b"]


def test_who_sends_it() -> None:
    sender = resource(version="1.2", writer="w-1", host="h")
    request = export_request(recorded(), sender, "1.2")
    (logs,) = request.resource_logs
    plain = {pair.key: pair.value.string_value for pair in logs.resource.attributes}
    assert plain == {
        "service.name": "netproxy",
        "service.version": "1.2",
        "service.instance.id": "w-1",
        "host.name": "h",
        "netproxy.audit.chain": "w-1",
    }
    (scope,) = logs.scope_logs
    assert (scope.scope.name, scope.scope.version) == ("netproxy.audit", "1.2")
    assert scope.schema_url == logs.schema_url == SCHEMA_URL
    assert len(scope.log_records) == 2


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return read_answer(status, named, body, now=0.0)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_success_delivers(status: int) -> None:
    assert answer(status) == Delivered(rejected=0, message="")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_is_tried_again_when_the_collector_says(status: int) -> None:
    assert answer(status, Retry_After="7") == TryLater(
        why=f"the collector answered {status}", after_seconds=7.0
    )


@pytest.mark.parametrize("status", [101, 204 + 96, 302, 304, 401, 403, 404, 500, 501, 999])
def test_whatever_is_no_success_delivers_nothing(status: int) -> None:
    """304 too; a stock exporter calls it a success. And a wrong token is no reason to drop."""
    assert isinstance(answer(status), TryLater)


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_body_is_not_sent_again_as_it_is(status: int) -> None:
    assert isinstance(answer(status), Unusable)


def test_partial_success_is_read() -> None:
    assert answer(200, partial(3, "too old").body) == Delivered(rejected=3, message="too old")


@pytest.mark.parametrize("body", [b"<html>please log in</html>", b"OK", b'{"a":1}', b"\xff" * 9])
def test_a_greeting_is_not_an_acknowledgement(body: bytes) -> None:
    assert isinstance(answer(200, body, Content_Type="text/html"), TryLater)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"{}", Delivered(rejected=0, message=""), id="empty-object"),
        pytest.param(b"", Delivered(rejected=0, message=""), id="empty"),
        pytest.param(
            json.dumps(
                {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "no"}}
            ).encode(),
            Delivered(rejected=2, message="no"),
            id="rejected",
        ),
        pytest.param(b"[]", TryLater(why="the answer is not OTLP"), id="other-json"),
        pytest.param(
            b'{"partialSuccess":{"rejectedLogRecords":1e999}}',
            TryLater(why="the answer is not OTLP"),
            id="endless",
        ),
        pytest.param(b"{", TryLater(why="the answer is not OTLP"), id="broken"),
    ],
)
def test_json_answers_are_understood(body: bytes, expected: Answer) -> None:
    assert answer(200, body, Content_Type="application/json; charset=utf-8") == expected


@given(st.integers(100, 599), st.binary(max_size=50), st.sampled_from(["application/json", "x"]))
def test_no_answer_crashes(status: int, body: bytes, kind: str) -> None:
    assert isinstance(answer(status, body, Content_Type=kind), Delivered | Unusable | TryLater)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("Thu, 01 Jan 1970 00:02:00 GMT", 20.0, id="date"),
        pytest.param("Thu, 01 Jan 1970 00:00:00 GMT", 0.0, id="past"),
        pytest.param("-1", None, id="negative"),
        pytest.param("soon", None, id="words"),
        pytest.param("\u0667", None, id="other-digits"),
        pytest.param("", None, id="empty"),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value, now=100.0) == seconds


@given(st.text())
def test_no_retry_after_crashes(value: str) -> None:
    wait = retry_after(value, now=0.0)
    assert wait is None or wait >= 0
