"""The event catalogue as JSON Schema (draft 2020-12): what a record holds, for other programs.

About the flat form that `reader.flat` makes and `--json` prints. Which words an attribute may hold
is not known here: whoever owns the words says so (`closed`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel import attributes as a
from otel.events import EVENTS
from otel.redact import MAX_ITEMS, MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel.events import Event

    # The words that an attribute may hold, in all events or under (event name, attribute) in one.
    type Closed = Mapping[str | tuple[str, str], Sequence[str]]
    type Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Redaction ends a text that it cut with a note of what is missing: within the same length.
_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT}
_TYPES: dict[str, Schema] = {
    "str": _TEXT,
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "str | None": {**_TEXT, "type": ["string", "null"]},
    "int | None": {"type": ["integer", "null"]},
    "tuple[str, ...]": {"type": "array", "items": _TEXT, "maxItems": MAX_ITEMS},
}
# What the trail adds: on every record, and on those that belong to a session or run.
_ON_EVERY: dict[str, Schema] = {
    a.EVENT_TIMESTAMP: {
        "type": "string",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        "description": "RFC 3339 in UTC with milliseconds, cut and not rounded.",
    },
    a.RECORD_UID: {
        "type": "string",
        "pattern": r"^[0-9A-Za-z-]{1,64}$",
        "description": "The same record has the same one everywhere: sinks remove doubles by it.",
    },
}
_OF_A_RUN: dict[str, Schema] = {
    a.SESSION_ID: {**_TEXT, "description": "The scope of remembered answers."},
    a.EXECUTION_ID: {**_TEXT, "description": "One run of a command, or one session of a service."},
    a.SANDBOX_ENFORCED: {
        "type": "boolean",
        "description": "Whether the command had no other way out than the gateway.",
    },
    a.CONVERSATION_ID: {**_TEXT, "description": "What the caller says that the run belongs to."},
    a.TRACE_ID: {
        "type": "string",
        "pattern": "^[0-9a-f]{32}$",
        "description": "The W3C trace that a traced run belongs to.",
    },
    a.SPAN_ID: {
        "type": "string",
        "pattern": "^[0-9a-f]{16}$",
        "description": "The span of a traced run itself.",
    },
}


def event_schema(kind: type[Event], closed: Closed) -> Schema:
    """One event, as a schema of its own."""
    return {"$schema": _DIALECT, **_definition(kind, closed)}


def catalogue_schema(closed: Closed) -> Schema:
    """Any record: the schemas of all events under `$defs`, by name."""
    kinds = sorted(EVENTS, key=lambda kind: kind.name)
    return {
        "$schema": _DIALECT,
        "title": "A record of the netproxy audit trail, as one flat object",
        "anyOf": [{"$ref": f"#/$defs/{kind.name}"} for kind in kinds],
        "$defs": {kind.name: _definition(kind, closed) for kind in kinds},
    }


def _definition(kind: type[Event], closed: Closed) -> Schema:
    own = {
        attribute: _worded(_TYPES[str(kind.__annotations__[field])], kind, attribute, closed)
        for field, attribute in kind.fields.items()
    }
    # A field with a default may be younger than the record.
    needed = [name for field, name in kind.fields.items() if field not in kind.optional]
    return {
        "title": kind.name,
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": {a.EVENT_NAME: {"const": kind.name}, **_ON_EVERY, **_OF_A_RUN, **own},
        "required": [a.EVENT_NAME, *_ON_EVERY, *needed],
    }


def _worded(found: Schema, kind: type[Event], attribute: str, closed: Closed) -> Schema:
    words = closed.get((kind.name, attribute)) or closed.get(attribute)
    if words is None:
        return found
    if "null" in found["type"]:
        return {"enum": [*words, None]}
    return {"enum": list(words)}
