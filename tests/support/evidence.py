"""Signed journals for tests: a keeper whose time is the journal's clock, and what attackers do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from otel import AuditTrail, Journal
from otel.chain import canonical, genesis
from otel.checkpoints import read_mark
from otel.events import GatewayStarted, GatewayStopped
from otel.evidence import Evidence, EvidenceSettings
from tests.support.journals import NOON_NS, SteppingClock, decision, segment_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel import Value
    from otel.chain import Record
    from otel.keys import SigningKey


def keeper(directory: Path, settings: EvidenceSettings | None = None) -> Evidence:
    """With a key of the directory's own. Warns nobody: a test that expects it passes its own."""
    return Evidence.of(directory, settings or EvidenceSettings(), strict=True, warn=_unexpected)


def signed_journal(
    directory: Path,
    count: int,
    *,
    settings: EvidenceSettings | None = None,
    every: int | None = None,
    start_ns: int = NOON_NS,
) -> str:
    """One orderly life of a gateway with `count` decisions; the writer's id.

    `every`: a checkpoint behind so many records, in place of 1,000.
    """
    kept = keeper(directory, settings)
    journal = Journal.open(directory, clock=SteppingClock(start_ns), keeper=kept)
    trail = AuditTrail(journal, {"execution.id": "r-1"})
    trail.record(started(journal, kept))
    for number in range(count):
        if every is not None and number % every == 0:
            journal.due_seq = journal.last_seq + 1
        trail.record(decision(f"h{number}.example"))
    trail.record(GatewayStopped())
    journal.close()
    return journal.writer


def started(journal: Journal, kept: Evidence) -> GatewayStarted:
    """The first record of a life."""
    return GatewayStarted(
        service_version="1",
        pid=1,
        torn_bytes=journal.torn_bytes,
        previous_shutdown=journal.previous_shutdown,
        key_id=kept.key_id,
    )


def lines_of(directory: Path, writer: str, segment: int = 1) -> list[bytes]:
    """The lines of a segment, each with its line feed."""
    return segment_of(directory, writer, segment).read_bytes().splitlines(keepends=True)


def put_lines(directory: Path, writer: str, lines: list[bytes], segment: int = 1) -> None:
    """Replace a segment's content, sealed or not."""
    path = segment_of(directory, writer, segment)
    path.chmod(0o600)
    path.write_bytes(b"".join(lines))


def hashed_anew(
    writer: str, lines: list[bytes], change: Callable[[dict[str, object]], None] | None = None
) -> list[bytes]:
    """The lines as a chain of their own: what anybody can do who has no key.

    Numbers, links and hashes are made from the first line on; `change` may edit a record's fields.
    """
    import hashlib

    previous, made = genesis(writer), []
    for seq, line in enumerate(lines, 1):
        fields = json.loads(line)
        fields.pop("hash")
        fields["seq"], fields["prev"] = seq, previous.hex()
        if change is not None:
            change(fields)
        previous = hashlib.sha256(previous + canonical(fields).encode()).digest()
        made.append(canonical({**fields, "hash": previous.hex()}).encode() + b"\n")
    return made


def signed_anew(writer: str, lines: list[bytes], key: SigningKey) -> list[bytes]:
    """The lines as a chain of their own, with a signature of this key under each checkpoint."""
    number = last = 0

    def sign(fields: dict[str, object]) -> None:
        nonlocal number, last
        if fields["name"] != "netproxy.audit.checkpoint":
            return
        attributes = cast("dict[str, Value]", fields["attrs"])
        mark, _ = read_mark(attributes, str(fields["ts"]))
        number, seq = number + 1, cast("int", fields["seq"])
        mark = replace(
            mark,
            number=number,
            head_seq=seq - 1,
            head_hash=str(fields["prev"]),
            records=seq - 1 - last,
            key_id=key.key_id,
            sealed_segment=None,
            sealed_digest=None,
        )
        fields["attrs"] = mark.event(key.sign(mark.message())).attributes()
        last = seq

    return hashed_anew(writer, lines, sign)


def named(records: list[Record], name: str) -> list[Record]:
    """Those of one event."""
    return [record for record in records if record.name == f"netproxy.{name}"]


def _unexpected(text: str) -> None:
    raise AssertionError(text)
