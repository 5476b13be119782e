"""OTLP/JSON is what the protobuf classes read, and means what the protobuf says."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel import otlp, otlp_json
from tests.support.event_samples import all_records, record_of
from tests.support.journals import decision

if TYPE_CHECKING:
    from otel import Record, Value

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def read_back(record: Record) -> ExportLogsServiceRequest:
    document = json.loads(otlp_json.line(record, version="1.2", host="h"))
    for log in document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
        # OTLP writes ids in hexadecimal, where the protobuf mapping has base64.
        for key in ("traceId", "spanId"):
            if key in log:
                log[key] = base64.b64encode(bytes.fromhex(log[key])).decode()
    return ParseDict(document, ExportLogsServiceRequest())


def encoded(record: Record) -> ExportLogsServiceRequest:
    sender = otlp.resource(version="1.2", writer=record.writer, host="h")
    return otlp.export_request([record], sender, "1.2")


@pytest.mark.parametrize("record", all_records(), ids=lambda record: record.name)
def test_every_event_means_the_same_in_both(record: Record) -> None:
    assert read_back(record) == encoded(record)


@given(
    values=st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.one_of(st.booleans(), st.integers(), st.text(), st.lists(st.text()).map(tuple)),
        max_size=4,
    )
)
def test_any_values_mean_the_same_in_both(values: dict[str, Value]) -> None:
    record = replace(record_of(decision()), attributes=values)
    assert read_back(record) == encoded(record)


def test_trace_ids_have_fields_of_their_own() -> None:
    record = record_of(decision(), trace_id=TRACE, span_id=SPAN)
    (log,) = encoded(record).resource_logs[0].scope_logs[0].log_records
    assert (log.trace_id.hex(), log.span_id.hex()) == (TRACE, SPAN)
    assert not {"trace_id", "span_id"} & {pair.key for pair in log.attributes}
    assert read_back(record) == encoded(record)


@pytest.mark.parametrize("bad", ["", "0" * 32, TRACE.upper(), f"{TRACE}0", 7, True])
def test_what_is_no_trace_id_stays_an_attribute(bad: str | int) -> None:
    """A collector would refuse the whole record."""
    record = record_of(decision(), trace_id=bad)
    (log,) = encoded(record).resource_logs[0].scope_logs[0].log_records
    assert log.trace_id == b""
    assert "trace_id" in {pair.key for pair in log.attributes}
