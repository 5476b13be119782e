"""One event of every class of the catalogue, with every field filled: for whoever maps them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel import attributes as a
from otel.chain import End, Record, genesis, parse, seal
from otel.events import EVENTS, Event
from otel.redact import encode
from tests.support.journals import NOON_NS

if TYPE_CHECKING:
    from otel.attributes import Value

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
# What the catalogue says of a field's values, where any text would not do.
_VALUES: dict[str, Value] = {
    a.CLIENT_ADDRESS: "127.0.0.1:40312",
    a.CONNECTION_ID: "c-01JD2QABCDEFGHJKMNPQRSTVWX",
    a.APPROVAL_ID: "a-01JD2QABCDEFGHJKMNPQRSTVWX",
    a.EXPORT_STATE: "stalled",
    a.GRANT_KIND: "allow",
    a.PARENT_TARGET: "example.com:443",
    a.PEER_ADDRESS: "192.0.2.7",
    a.POLICY_DECISION: "deny",
    a.POLICY_REASON: "denied_by_rule",
    a.REQUEST_METHOD: "CONNECT",
    a.REVIEW_VERDICT: "deny",
    a.SERVER_ADDRESS: "example.com",
    a.SERVER_PORT: 443,
    a.TRANSPORT_PROTOCOL: "https",
    a.USER_ID: "1000",
}
_COMMON: dict[str, Value] = {a.SESSION_ID: "s-1", a.EXECUTION_ID: "r-1", a.SANDBOX_ENFORCED: True}


def sample(kind: type[Event]) -> Event:
    """An event with a value for every field; what has no value of its own is named after itself."""
    given: dict[str, Value] = {}
    for name, attribute in kind.fields.items():
        declared = kind.__annotations__[name]
        if attribute in _VALUES:
            given[name] = _VALUES[attribute]
        elif declared.startswith("int"):
            given[name] = 7
        elif declared.startswith("bool"):
            given[name] = True
        elif declared.startswith("tuple"):
            given[name] = ("first", "second")
        else:
            given[name] = attribute.rpartition(".")[2]
    return kind(**given)


def record_of(event: Event, **more: Value) -> Record:
    """The event as it is read back from a journal; `more` are attributes beside its own."""
    attributes: dict[str, Value] = {**_COMMON, **event.attributes(), **more}
    spelled = event.name, int(event.severity), encode(attributes)
    lines, _ = seal(WRITER, "e-1", End(0, genesis(WRITER)), [(spelled, NOON_NS, 5)])
    return parse(lines.rstrip("\n").encode())


def all_records() -> list[Record]:
    """One record of each class, in the order of the catalogue."""
    return [record_of(sample(kind)) for kind in EVENTS]
