"""What another program may rely on: names that never change, and a schema of each record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel import attributes as a
from otel import events
from otel.events import EVENTS, Event
from otel.schema import catalogue_schema, event_schema
from tests.support.json_schema import faults

FROZEN = Path(__file__).with_name("frozen_names.txt")
NO_WORDS: dict[str | tuple[str, str], tuple[str, ...]] = {}


def names(kind: type[Event]) -> set[str]:
    """`event attribute type`, one line for each field; a `?` where it may be missing."""
    return {
        f"{kind.name} {attribute} {kind.__annotations__[field]}{'?' * (field in kind.optional)}"
        for field, attribute in kind.fields.items()
    } or {kind.name}


def test_no_name_that_was_ever_recorded_changes() -> None:
    """Add new lines to the file. A line that is in the way of a change says: take another name."""
    frozen = set(FROZEN.read_text().splitlines())
    assert sorted(frozen - set().union(*map(names, EVENTS))) == []


def test_the_list_is_whole() -> None:
    """Add what is printed here, and make the file of `netproxy audit schema` again, too."""
    every = sorted(set().union(*map(names, EVENTS)))
    assert sorted(set(every) - set(FROZEN.read_text().splitlines())) == []


def test_a_field_that_is_not_optional_is_required() -> None:
    made = event_schema(events.ConnectionClosed, NO_WORDS)
    assert {a.EVENT_NAME, a.EVENT_TIMESTAMP, a.RECORD_UID, a.BYTES_SENT} <= set(made["required"])
    assert a.RESPONSE_STATUS not in made["required"]
    assert made["properties"][a.RESPONSE_STATUS] == {"type": ["integer", "null"]}


@pytest.mark.parametrize(
    ("closed", "found"),
    [
        pytest.param({a.POLICY_RULE: ("x",)}, {"enum": ["x", None]}, id="optional"),
        pytest.param(
            {(events.PolicyDecision.name, a.POLICY_RULE): ("y",), a.POLICY_RULE: ("x",)},
            {"enum": ["y", None]},
            id="of-one-event",
        ),
    ],
)
def test_words_of_a_closed_set(
    closed: dict[str | tuple[str, str], tuple[str, ...]], found: dict[str, object]
) -> None:
    made = event_schema(events.PolicyDecision, closed)
    assert made["properties"][a.POLICY_RULE] == found


def test_a_record_is_one_of_the_events() -> None:
    made = catalogue_schema(NO_WORDS)
    record = {
        a.EVENT_NAME: "netproxy.clock.jump",
        a.EVENT_TIMESTAMP: "2026-01-02T03:04:05.678Z",
        a.RECORD_UID: "01JD2Q-1",
        a.CLOCK_DELTA: -3_600_000,
    }
    assert faults(record, made) == []
    for changed in (
        {a.EVENT_NAME: "netproxy.clock.leap"},
        {a.CLOCK_DELTA: "-3600000"},
        {a.EVENT_TIMESTAMP: "yesterday"},
    ):
        assert faults({**record, **changed}, made) == ["$: anyOf"]
    del record[a.CLOCK_DELTA]
    assert faults(record, made) == ["$: anyOf"]


def test_it_is_json() -> None:
    made = catalogue_schema(NO_WORDS)
    assert json.loads(json.dumps(made)) == made
    assert set(made["$defs"]) == {kind.name for kind in EVENTS}
