"""Spans follow from events; what is configured is on each of them; nothing grows without end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from otel import events
from otel import tracing as subject
from otel.telemetry_resource import resource
from otel.trace_context import RunTrace, begin, read_parent
from otel.tracing import Tracing
from tests.support.journals import decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from otel.events import Event

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONNECTION = "c-01JD2QABCDEFGHJKMNPQRSTVWX"  # of the sample decision


def run_trace(flags: str = "01") -> RunTrace:
    parent = read_parent(f"00-{TRACE}-{CALLER}-{flags}", "vendor=1")
    return begin(parent, ratio=1.0, upserts={"netproxy": "a:b"}, chance=bytes(range(24)))


class Story:
    """Shows events to a tracing, and then has its spans."""

    def __init__(self, **given: object) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(self.exporter, resource("w-1"), **given)  # type: ignore[arg-type]  # a test's own words

    def shows(self, *happened: Event) -> None:
        watchers: dict[type[Event], Callable[[Event], None]]
        watchers = self.tracing.watchers({"session.id": "s-1"})
        for event in happened:
            watchers[type(event)](event)

    def spans(self) -> list[ReadableSpan]:
        self.tracing.shutdown()
        return list(self.exporter.get_finished_spans())


def allowed(connection: str) -> events.PolicyDecision:
    return events.PolicyDecision(
        connection_id=connection, client_address="127.0.0.1:1", server_address="a.test",
        server_port=443, protocol="https", method="CONNECT", scope="domain", decision="allow",
        source="baseline_policy", reason="allowed_by_rule", override=False,
    )  # fmt: skip


def opened() -> events.ConnectionOpened:
    return events.ConnectionOpened(
        connection_id=CONNECTION, server_address="a.test", server_port=443,
        peer_address="192.0.2.1:443",
    )  # fmt: skip


def closed() -> events.ConnectionClosed:
    return events.ConnectionClosed(
        connection_id=CONNECTION, server_address="a.test", server_port=443, bytes_sent=1,
        bytes_received=2, duration_ms=3, close_reason="finished",
    )  # fmt: skip


def test_a_connection_from_its_decision_to_its_end() -> None:
    story = Story()
    story.shows(decision(decision="allow"), opened(), closed())
    (span,) = story.spans()
    assert (span.name, span.kind) == ("netproxy connection", SpanKind.CLIENT)
    assert span.attributes is not None
    assert span.attributes["connection.id"] == CONNECTION
    assert span.attributes["session.id"] == "s-1"
    assert span.attributes["network.policy.reason"] == "allowed_by_rule"
    assert span.attributes["netproxy.bytes.received"] == 2
    assert "client.address" not in span.attributes
    assert [event.name for event in span.events] == ["netproxy.connection.opened"]
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("happened", "word"),
    [
        ([decision(decision="deny")], "not_allowed"),
        ([decision(decision="allow"), decision(decision="deny")], "not_allowed"),
        (
            [
                decision(decision="allow"),
                events.DialRefused(
                    connection_id=CONNECTION, server_address="a.test", server_port=443,
                    reason="not_allowed_local",
                ),
            ],
            "not_allowed_local",
        ),
        (
            [
                decision(decision="allow"),
                events.ConnectionFailed(
                    connection_id=CONNECTION, server_address="a.test", server_port=443,
                    error_type="dns_error",
                ),
            ],
            "dns_error",
        ),
    ],
    ids=["denied", "overruled", "dial-refused", "failed"],
)  # fmt: skip
def test_a_connection_that_never_was(happened: list[Event], word: str) -> None:
    story = Story()
    story.shows(*happened)
    (span,) = story.spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, word)


def test_a_question_is_a_span_of_its_own() -> None:
    story = Story()
    story.shows(
        events.ApprovalRequested(
            approval_id="a-1", server_address="a.test", server_port=443, protocol="https",
            expires_at="2026-01-01T00:00:00.000Z",
        ),
        events.ApprovalResolved(approval_id="a-1", state="granted", waiters=1, duration_ms=1),
    )  # fmt: skip
    (span,) = story.spans()
    assert span.name == "netproxy approval"
    assert span.attributes is not None
    assert span.attributes["approval.id"] == "a-1"
    assert span.attributes["netproxy.approval.state"] == "granted"


def test_a_run_is_above_all_of_them_and_below_its_caller() -> None:
    run = run_trace()
    story = Story(
        run=run, span_attributes={"team": "blue"}, tracestate={"netproxy": "a:b"}, ratio=0.0
    )
    story.tracing.begin_run({"execution.id": "r-1"}, time.time_ns())
    cancelled = events.RunCancelled(phase="requested", cause="c-1", reason="not_allowed")
    story.shows(decision(decision="allow"), opened(), closed(), cancelled)
    story.tracing.end_run({"process.exit.code": 77, "netproxy.cancel.cause": None})
    connection, top = story.spans()
    assert top.context is not None
    assert connection.parent is not None
    assert top.parent is not None
    assert f"{top.context.trace_id:032x}" == run.trace_id == TRACE
    assert f"{top.context.span_id:016x}" == run.span_id
    assert f"{top.parent.span_id:016x}" == CALLER
    assert connection.parent.span_id == top.context.span_id
    assert [event.name for event in top.events] == ["netproxy.run.cancelled"]
    assert top.attributes is not None
    assert top.attributes["process.exit.code"] == 77
    for span in (connection, top):
        assert span.context is not None
        assert span.context.trace_state.to_header() == "netproxy=a:b,vendor=1"
        assert span.attributes is not None
        assert span.attributes["team"] == "blue"


def test_ids_after_the_first_are_drawn() -> None:
    story = Story(run=run_trace())
    story.tracing.begin_run({}, time.time_ns())
    story.shows(decision(decision="deny"), decision(decision="deny"))
    story.tracing.end_run({})
    ids = {span.context.span_id for span in story.spans() if span.context}
    assert len(ids) == 3


@pytest.mark.parametrize(("ratio", "count"), [(0.0, 0), (1.0, 50)])
def test_connections_of_a_service_are_drawn_one_by_one(ratio: float, count: int) -> None:
    story = Story(ratio=ratio)
    story.shows(*[decision(decision="deny")] * 50)
    assert len(story.spans()) == count


def test_what_stays_open_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand tunnels may be open; the spans that came first end before memory does."""
    monkeypatch.setattr(subject, "_OPEN", 3)
    story = Story()
    for number in range(5):
        story.shows(allowed(f"c-{number}"))
    assert len(story.tracing._open) == 3
    assert len(story.spans()) == 5


def test_events_of_nobodys_connection_make_no_span() -> None:
    story = Story()
    story.shows(opened(), closed(), events.RunCancelled(phase="killed", cause="c-1", reason="x"))
    story.tracing.end_run({})
    assert story.spans() == []


def test_hostile_text_is_visible_on_a_span() -> None:
    story = Story()
    story.shows(decision("a\x1b[2J\u202e\udcff.test"))
    (span,) = story.spans()
    assert span.attributes is not None
    assert str(span.attributes["server.address"]).isprintable()
