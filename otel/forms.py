"""How the events of one class are spelled in one trail: all that never changes is spelled once.

Does what `redact.encode` does for an event and the attributes that a trail adds to it, in a third
of the time: there are three records for each connection.
"""

from __future__ import annotations

from json.encoder import encode_basestring as _spelled_text
from typing import TYPE_CHECKING

from otel.chain import canonical
from otel.redact import encode, has_nothing_to_clean

if TYPE_CHECKING:
    from otel.attributes import Attributes, Value
    from otel.event_fields import Declared
    from otel.events import Event


class Form:
    """The canonical JSON of a class of events, with a blank for each of its fields."""

    __slots__ = ("_common", "_fields", "_template")

    def __init__(self, kind: type[Declared], common: Attributes) -> None:
        """`common` is what the trail adds; an event's own value wins."""
        own = {attribute: field for field, attribute in kind.fields.items()}
        names = sorted({*own, *common})
        self._common = common
        self._fields = tuple(own[name] for name in names if name in own)
        blanks = (
            f"{_constant(name)}:{'%s' if name in own else _constant(common[name])}"
            for name in names
        )
        self._template = f"{{{','.join(blanks)}}}"

    def fill(self, event: Declared) -> str:
        """Spell one event. Text that is not plainly visible takes the long way."""
        values = event.given()
        text = self._template % tuple(
            [
                _spelled_text(value) if type(value) is str else _spelled(value)
                for value in map(values.__getitem__, self._fields)
            ]
        )
        if has_nothing_to_clean(text):
            return text
        return encode({**self._common, **event.attributes()})


class Filled:
    """An event and its form: a record to be. Fills `journal.Entry`."""

    __slots__ = ("_event", "_form", "name", "severity")

    def __init__(self, form: Form, event: Event) -> None:
        self._form = form
        self._event = event
        self.name = event.name
        self.severity: int = event.severity

    def encoded(self) -> str:
        """The form, filled in."""
        return self._form.fill(self._event)


def _spelled(value: Value) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value) if type(value) is int else canonical(value)


def _constant(value: Value) -> str:
    return canonical(value).replace("%", "%%")
