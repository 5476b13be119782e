from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.event_fields import Severity
from otel.events import EVENTS, Event, PolicyDecision
from otel.forms import Form
from otel.redact import encode
from tests.support.journals import decision

if TYPE_CHECKING:
    from otel import Value

TEXTS = st.text() | st.sampled_from(
    ["allow", "a", "100 %s", "%", "https://u:p@h/?q", "\x7f", '"', "\\", "x" * 3000]
)
VALUES = (
    TEXTS
    | st.integers(-(2**60), 2**60)
    | st.booleans()
    | st.none()
    | st.lists(TEXTS, max_size=3).map(tuple)
    | st.sampled_from([Severity.WARN, HTTPStatus.OK])
)


def long_way(event: Event, common: dict[str, Value]) -> tuple[str, int, str]:
    return event.name, event.severity, encode({**common, **event.attributes()})


@given(st.data())
def test_it_says_what_the_long_way_says(data: st.DataObject) -> None:
    """Whatever the values are, and were before: types are no promise of what is in a field."""
    kind = data.draw(st.sampled_from(EVENTS))
    own = st.sampled_from([*kind.fields.values(), "session.id", "execution.id", "odd %s name"])
    common: dict[str, Value] = data.draw(st.dictionaries(own, VALUES))
    form = Form(kind, common)
    # Few values, so that they come together again and again, or nearly so.
    values = st.sampled_from(data.draw(st.lists(VALUES, min_size=1, max_size=3)))
    for _ in range(4):
        event = kind(**{name: data.draw(values) for name in kind.fields})
        assert form.fill(event) == long_way(event, common)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(1, True, id="a-number-and-a-flag"),
        pytest.param("1", 1, id="a-text-and-a-number"),
        pytest.param("null", None, id="a-text-and-nothing"),
        pytest.param("allow", "deny", id="two-texts"),
        pytest.param("%s", "\x1b[2J", id="a-blank-and-an-escape"),
        pytest.param("x", "https://user:secret@h/?q=1", id="a-secret"),
        pytest.param("x", "x" * 5000, id="a-long-text"),
        pytest.param("x", "\ud800", id="half-a-character"),
    ],
)
def test_what_was_spelled_before_is_no_part_of_it(
    kind: type[Event], first: Value, second: Value
) -> None:
    form = Form(kind, {})
    for value in (first, second, first, second):
        event = kind(**dict.fromkeys(kind.fields, value))
        assert form.fill(event) == long_way(event, {})


@pytest.mark.parametrize("decided", ["allow", "deny"])
def test_a_severity_is_the_events_own(decided: str) -> None:
    form = Form(PolicyDecision, {})
    for said in ("allow", "deny", decided):
        event = decision(decision=said)
        assert form.fill(event)[:2] == (event.name, event.severity)


def test_the_events_own_value_wins() -> None:
    event = decision("own.example")
    _, _, text = Form(type(event), {"server.address": "x"}).fill(event)
    assert '"server.address":"own.example"' in text


def test_what_is_kept_of_hosts_is_bounded() -> None:
    """A client names as many as it likes, and each as long as it likes."""
    form = Form(PolicyDecision, {})
    for number in range(1000):
        form.fill(decision(f"h{number}.example"))
        form.fill(decision("x" * 3000 + str(number)))
    assert len(form._blanks) <= 256
    assert form.fill(decision("h1.example")) == long_way(decision("h1.example"), {})
