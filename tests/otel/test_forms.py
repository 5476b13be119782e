from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.events import EVENTS, Event, Severity
from otel.forms import Filled, Form
from otel.redact import encode
from tests.support.journals import decision

if TYPE_CHECKING:
    from otel import Value

TEXTS = st.text() | st.sampled_from(
    ["100 %s", "%", "https://u:p@h/?q", "\x7f", '"', "\\", "x" * 3000]
)
VALUES = (
    TEXTS
    | st.integers(-(2**60), 2**60)
    | st.booleans()
    | st.none()
    | st.lists(TEXTS, max_size=3).map(tuple)
    | st.sampled_from([Severity.WARN, HTTPStatus.OK])
)


@given(st.data())
def test_it_says_what_the_long_way_says(data: st.DataObject) -> None:
    """Whatever the values are: the types of fields are no promise of what is in them."""
    kind = data.draw(st.sampled_from(EVENTS))
    event = kind(**{name: data.draw(VALUES) for name in kind.fields})
    own = st.sampled_from([*kind.fields.values(), "session.id", "execution.id", "odd %s name"])
    common: dict[str, Value] = data.draw(st.dictionaries(own, VALUES))
    assert Form(kind, common).fill(event) == encode({**common, **event.attributes()})


def test_the_events_own_value_wins() -> None:
    event = decision("own.example")
    assert '"server.address":"own.example"' in Form(type(event), {"server.address": "x"}).fill(
        event
    )


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
def test_an_entry_has_its_events_name_and_severity(kind: type[Event]) -> None:
    event = kind(**dict.fromkeys(kind.fields, ""))
    form = Form(kind, {})
    entry = Filled(form, event)
    assert (entry.name, entry.severity) == (kind.name, event.severity)
    assert entry.encoded() == form.fill(event)
