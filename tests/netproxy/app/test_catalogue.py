"""The closed sets of the catalogue: every one is about an attribute that some event has."""

from __future__ import annotations

import pytest

from netproxy.app.catalogue import CLOSED, schema
from otel.events import EVENTS

ATTRIBUTES = {kind.name: set(kind.fields.values()) for kind in EVENTS}


@pytest.mark.parametrize("key", CLOSED, ids=str)
def test_a_closed_set_is_about_an_attribute(key: str | tuple[str, str]) -> None:
    if isinstance(key, tuple):
        assert key[1] in ATTRIBUTES[key[0]]
    else:
        assert any(key in attributes for attributes in ATTRIBUTES.values())
    assert len(CLOSED[key]) == len(set(CLOSED[key])) > 1


def test_an_unknown_event_has_none() -> None:
    with pytest.raises(KeyError):
        schema("netproxy.nothing")
