from __future__ import annotations

import pytest

from otel import Value, events
from otel.chain import End, genesis, parse, seal
from otel.event_fields import Severity
from otel.events import EVENTS, Event
from otel.redact import encode
from tests.support.journals import decision

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
SAMPLES: dict[str, Value] = {
    "str": "text",
    "int": 7,
    "bool": True,
    "str | None": None,
    "int | None": None,
    "tuple[str, ...]": ("a", "b"),
}


def sample(kind: type[Event]) -> Event:
    return kind(**{name: SAMPLES[kind.__annotations__[name]] for name in kind.fields})


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
def test_every_event_is_recorded_as_it_is(kind: type[Event]) -> None:
    event = sample(kind)
    spelled = event.name, int(event.severity), encode(event.attributes())
    line, _ = seal(WRITER, "e-1", End(0, genesis(WRITER)), [(spelled, 0, 1)])
    record = parse(line[:-1].encode())
    assert record.name == kind.name
    assert record.attributes == event.attributes()
    assert Severity(record.severity) == event.severity


def test_names_are_ours_and_different() -> None:
    names = [kind.name for kind in EVENTS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("netproxy.") for name in names)


def test_every_event_is_listed() -> None:
    found = {kind for kind in vars(events).values() if isinstance(kind, type)}
    assert {kind for kind in found if issubclass(kind, Event)} - {Event} == set(EVENTS)


def test_a_refusal_is_a_warning() -> None:
    assert decision(decision="allow").severity == Severity.INFO
    assert decision(decision="deny").severity == Severity.WARN
