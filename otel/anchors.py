"""Anchors: what is kept elsewhere of a journal, to compare it with. Pure.

Three kinds of lines are understood, also mixed: checkpoints as `netproxy audit query --json` prints
them; requests of OTLP as JSON, which a Collector's file exporter writes (each exported record
carries its chain, number and hash); and what `netproxy audit anchor` printed. An anchor is
believed: keep it where whoever can write the journal can't.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from otel import attributes as a
from otel.chain import WRITER_ID, timestamp
from otel.checkpoints import is_digest, is_key_id, read_mark
from otel.errors import AnchorRefused, MalformedRecord
from otel.events import AuditCheckpoint
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from otel.attributes import Value
    from otel.checkpoints import Mark


@dataclass(slots=True)
class Anchor:
    """What is known of one chain."""

    points: dict[int, set[str]] = field(default_factory=dict)  # hashes by record number
    reaches: int = 0  # the last record that is known to have been written
    marks: list[tuple[Mark, bytes]] = field(default_factory=list)  # each with its signature
    _newest: int = 0

    def add(self, seq: int, digest: str, *, keep: bool) -> None:
        """Note a record. Of those that are not to be kept only the newest stays."""
        if not keep and seq < self._newest:
            return
        if not keep:
            if self._newest != seq:
                self.points.pop(self._newest, None)
            self._newest = seq
        self.points.setdefault(seq, set()).add(digest)
        self.reaches = max(self.reaches, seq)

    def agrees(self, seq: int, digest: str) -> bool:
        """Whether this can be the record of that number. After a power cut there may be two."""
        known = self.points.get(seq)
        return known is None or digest in known


@dataclass(slots=True)
class Anchors:
    """Of all chains, and the keys that signed."""

    chains: dict[str, Anchor] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    def take(self, attributes: Mapping[str, Value]) -> bool:
        """Note what one flat record says. False: nothing that anchors."""
        taken = False
        writer, seq, digest = (attributes.get(name) for name in _POINT)
        if isinstance(writer, str) and WRITER_ID.fullmatch(writer):
            anchor = self.chains.get(writer) or Anchor()
            if type(seq) is int and seq > 0 and is_digest(digest):
                anchor.add(seq, str(digest), keep=False)
                taken = True
            if attributes.get(a.EVENT_NAME) == AuditCheckpoint.name:
                taken = _take_checkpoint(anchor, attributes)
            if taken:
                self.chains[writer] = anchor
                if is_key_id(key := attributes.get(a.CHECKPOINT_KEY)):
                    self.keys.add(str(key))
        return taken


_POINT = (a.AUDIT_CHAIN, a.AUDIT_SEQ, a.AUDIT_HASH)


def read_anchors(lines: Iterable[bytes], name: str) -> Anchors:
    """Read a file of them; `name` is for messages. Raises `AnchorRefused`, in one line."""
    found, taken = Anchors(), False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            for attributes in _records(json.loads(line)):
                taken = found.take(attributes) or taken
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise AnchorRefused(f"{name}:{number}: not a line of JSON that anchors") from error
        except MalformedRecord as error:
            raise AnchorRefused(f"{name}:{number}: {error}") from error
    if not taken:
        raise AnchorRefused(f"{name}: no checkpoint and no exported record in it")
    return found


def _take_checkpoint(anchor: Anchor, attributes: Mapping[str, Value]) -> bool:
    mark, signature = read_mark(attributes, str(attributes.get(a.EVENT_TIMESTAMP)))
    anchor.add(mark.head_seq, mark.head_hash, keep=True)
    anchor.reaches = max(anchor.reaches, mark.head_seq + 1)  # the checkpoint itself
    anchor.marks.append((mark, signature))
    return True


def _records(line: Any) -> Iterator[Mapping[str, Value]]:
    """The records of one line, each as flat attributes."""
    if "resourceLogs" not in line:
        yield line
        return
    for resource in line["resourceLogs"]:
        for scope in resource.get("scopeLogs", ()):
            for record in scope.get("logRecords", ()):
                yield _flat(record)


def _flat(record: Any) -> dict[str, Value]:
    attributes = {each["key"]: _value(each["value"]) for each in record.get("attributes", ())}
    name = record.get("eventName") or attributes.get(a.EVENT_NAME)
    time = attributes.get(a.EVENT_TIMESTAMP) or timestamp(int(record["timeUnixNano"]))
    return {**attributes, a.EVENT_NAME: name, a.EVENT_TIMESTAMP: time}


def _value(value: Any) -> Value:
    """OTLP as JSON spells 64-bit numbers as text (the protobuf JSON mapping)."""
    if "intValue" in value:
        return int(value["intValue"])
    text = value.get("stringValue")
    return text if isinstance(text, str) else None
