"""How the events of one class are spelled in one trail: what recurs is spelled once.

Does what `redact.encode` does for an event and the attributes that a trail adds to it, in a
quarter of the time: there are three records for each connection. All that never changes is spelled
when the form is made; texts that many events share (the host, the rule, why it is allowed) when
they first come together. Only numbers and what is fresh in each event remain.
"""

from __future__ import annotations

from json.encoder import encode_basestring as _spelled_text
from typing import TYPE_CHECKING, Final, NamedTuple

from otel.chain import canonical
from otel.event_fields import picker
from otel.redact import encode, has_nothing_to_clean

if TYPE_CHECKING:
    from otel.attributes import Attributes, Value
    from otel.chain import Spelled
    from otel.events import Event

# So many texts that came together are kept for each class of events: more hosts than most runs
# ask for, and 2 KB each at most.
_KEPT: Final = 256


class _Blank(NamedTuple):
    """What remains to be filled in for events that share their recurring texts."""

    pieces: list[str]  # of the attributes; every other one is empty, for what is fresh
    severity: int  # which recurring texts alone decide


class Form:
    """The canonical JSON of a class of events, with a blank for each of its fields."""

    __slots__ = ("_blanks", "_common", "_fresh", "_name", "_pick_fresh", "_pick_recurring")

    def __init__(self, kind: type[Event], common: Attributes) -> None:
        """`common` is what the trail adds; an event's own value wins."""
        self._common = common
        self._name = kind.name
        own = [
            (attribute, place, name in kind.recurring)
            for place, (name, attribute) in enumerate(kind.fields.items())
        ]
        own.sort()
        self._fresh = frozenset(attribute for attribute, _, recurs in own if not recurs)
        self._pick_fresh = picker(*(place for _, place, recurs in own if not recurs))
        self._pick_recurring = picker(*(place for _, place, recurs in own if recurs))
        self._blanks: dict[tuple[Value, ...], _Blank] = {}

    def fill(self, event: Event) -> Spelled:
        """Spell one event. Text that is not plainly visible takes the long way."""
        values = event[:]
        blank = self._blanks.get(self._pick_recurring(values)) or self._blank(event)
        if blank is not None:
            pieces, severity = blank
            pieces = pieces.copy()  # to join them takes half of what `%` would
            pieces[1::2] = [
                _spelled_text(value)
                if type(value) is str
                else str(value)
                if type(value) is int
                else "null"
                if value is None
                else _spelled(value)
                for value in self._pick_fresh(values)
            ]
            text = "".join(pieces)
            if has_nothing_to_clean(text):
                return self._name, severity, text
        return self._name, int(event.severity), encode(self._attributes(event))

    def _blank(self, event: Event) -> _Blank | None:
        """Make one and keep it; None where an event takes the long way whatever is fresh in it."""
        shared = self._pick_recurring(event)
        if not all(text is None or type(text) is str for text in shared):
            return None  # 1 and True are the same key, but not the same JSON
        pieces = self._pieces(self._attributes(event))
        if not has_nothing_to_clean("".join(pieces)):
            return None
        if len(self._blanks) == _KEPT:
            self._blanks.clear()
        made = self._blanks[shared] = _Blank(pieces, int(event.severity))
        return made

    def _pieces(self, attributes: Attributes) -> list[str]:
        pieces = ["{"]
        for name in sorted(attributes):
            pieces[-1] += f"{canonical(name)}:"
            if name in self._fresh:
                pieces += ["", ","]
            else:
                pieces[-1] += f"{canonical(attributes[name])},"
        pieces[-1] = f"{pieces[-1].removesuffix(',')}}}"
        return pieces

    def _attributes(self, event: Event) -> dict[str, Value]:
        return {**self._common, **event.attributes()}


def _spelled(value: Value) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    return canonical(value)
