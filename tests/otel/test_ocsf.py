"""Every event has its class, nothing is lost on the way, and the golden file says what comes out.

After a change that is meant: .venv/bin/python -m tests.otel.golden
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel import attributes as a
from otel.events import EVENTS, AuditSpace, ExportState, PolicyDecision, SandboxProbed
from otel.ocsf import event, line
from otel.ocsf_classes import MAPPED
from tests.support.event_samples import all_records, record_of, sample
from tests.support.ocsf_excerpt import check

if TYPE_CHECKING:
    from otel import Record, Value

GOLDEN = Path(__file__).parent / "golden" / "ocsf.jsonl"
RECORDS = all_records()


def names(record: Record) -> str:
    return record.name


def test_every_event_of_the_catalogue_has_a_class() -> None:
    assert set(MAPPED) == {kind.name for kind in EVENTS}


def test_the_golden_file() -> None:
    expected = GOLDEN.read_text().splitlines()
    assert [line(record) for record in RECORDS] == expected


@pytest.mark.parametrize("record", RECORDS, ids=names)
def test_ocsf_has_a_place_for_it(record: Record) -> None:
    assert check(event(record)) == []


@pytest.mark.parametrize("record", RECORDS, ids=names)
def test_what_is_required_is_there_even_if_the_record_has_nothing(record: Record) -> None:
    """A journal may be damaged, or of another version."""
    assert check(event(replace(record, attributes={}))) == []


@pytest.mark.parametrize("record", RECORDS, ids=names)
def test_nothing_is_lost(record: Record) -> None:
    """Each value is in its place or unmapped; only what its place says already is left out."""
    found = line(record)
    implied = {a.POLICY_DECISION, a.CLIENT_ADDRESS, a.PARENT_TARGET}
    for key, value in record.attributes.items():
        if key not in implied and value is not None:
            values = value if isinstance(value, tuple) else (value,)
            assert all(json.dumps(item).strip('"') in found for item in values), key


def test_an_event_of_another_version_is_a_base_event() -> None:
    made = event(replace(RECORDS[0], name="netproxy.new.thing"))
    assert (made["class_uid"], made["activity_id"]) == (0, 99)
    assert made["unmapped"][a.SERVICE_VERSION] == "version"
    assert check(made) == []


def decided(**changes: Value) -> Record:
    return record_of(sample(PolicyDecision), **changes)


@pytest.mark.parametrize(
    ("verdict", "reason", "expected"),
    [
        ("allow", "allowed_by_rule", (1, 1, 1)),
        ("allow", "approved", (1, 1, 8)),
        ("allow", "allowed_by_grant", (1, 1, 8)),
        ("deny", "not_allowed", (5, 2, 2)),
        ("deny", "denied_by_reviewer", (5, 2, 25)),
        ("deny", "audit_unavailable", (5, 2, 27)),
        ("no such thing", "x", (5, 2, 2)),
    ],
)
def test_decisions(verdict: str, reason: str, expected: tuple[int, int, int]) -> None:
    made = event(decided(**{a.POLICY_DECISION: verdict, a.POLICY_REASON: reason}))
    assert (made["activity_id"], made["action_id"], made["disposition_id"]) == expected


@pytest.mark.parametrize(
    ("method", "activity"), [("GET", 3), ("CONNECT", 1), ("PROPFIND", 99), ("get", 99), ("", 99)]
)
def test_plain_requests_are_http_activity(method: str, activity: int) -> None:
    made = event(decided(**{a.TRANSPORT_PROTOCOL: "http", a.REQUEST_METHOD: method}))
    assert (made["class_uid"], made["activity_id"]) == (4002, activity)
    assert made["http_request"]["url"] == {"hostname": "example.com", "port": 443, "scheme": "http"}
    assert check(made) == []


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("127.0.0.1:40312", {"ip": "127.0.0.1", "port": 40312}),
        ("[::1]:5", {"ip": "::1", "port": 5}),
        ("unknown", {"hostname": "unknown"}),
        ("a:b", {"hostname": "a:b"}),
        ("a:1234567", {"hostname": "a:1234567"}),
    ],
)
def test_client_addresses(address: str, endpoint: dict[str, object]) -> None:
    assert event(decided(**{a.CLIENT_ADDRESS: address}))["src_endpoint"] == endpoint


def test_what_has_recovered_closes_a_finding() -> None:
    for kind, key, state in (
        (ExportState, a.EXPORT_STATE, "recovered"),
        (AuditSpace, a.SPACE_STATE, "ok"),
    ):
        assert event(record_of(sample(kind)))["activity_id"] == 1
        made = event(record_of(sample(kind), **{key: state}))
        assert (made["activity_id"], made["is_alert"]) == (3, False)


def test_a_sandbox_that_does_not_hold_is_a_finding() -> None:
    held = event(record_of(sample(SandboxProbed)))
    assert (held["class_uid"], held["activity_name"]) == (6002, "Probe")
    broken = event(record_of(sample(SandboxProbed), **{a.PROBE_HELD: False}))
    assert (broken["class_uid"], broken["is_alert"]) == (2004, True)
    assert check(held) == check(broken) == []


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text()).map(tuple)
)


@given(
    record=st.sampled_from(RECORDS),
    attributes=st.dictionaries(
        st.sampled_from(sorted({key for each in RECORDS for key in each.attributes})), VALUES
    ),
)
def test_whatever_a_record_holds_it_is_mapped(
    record: Record, attributes: dict[str, str | int | bool | tuple[str, ...] | None]
) -> None:
    made = event(replace(record, attributes=attributes))
    assert [problem for problem in check(made) if "is no" not in problem] == []
