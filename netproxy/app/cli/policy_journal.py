"""A journal's decisions and dials, counted for `policy replay` and `policy suggest`. Read-only.

Whether the journal's chains hold is `audit verify`'s question. What can't be read is told and
passed over; what is no decision of ours is counted as malformed.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.cli.audit_filter import instant
from netproxy.policy.history import Decided, History
from otel import JournalBroken, read, visible
from otel import attributes as a
from otel.events import ConnectionOpened, DialRefused, PolicyDecision
from otel.values import dataclass

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from otel import Record

EXIT_NO_JOURNAL = os.EX_NOINPUT  # 66

# As netproxy.connection.gate and netproxy.transport.upstream write them: an address and its kind in
# brackets; an address, in brackets where it is IPv6, and a port.
_REFUSED = re.compile(r"([0-9a-f:.]+) \(")
_PEER = re.compile(r"\[([0-9a-f:.]+)\]:[0-9]+|([0-9.]+):[0-9]+")
_DECIDED = (
    a.SERVER_ADDRESS, a.TRANSPORT_PROTOCOL, a.REQUEST_METHOD, a.POLICY_DECISION, a.POLICY_SOURCE,
    a.POLICY_REASON,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which records count: timestamps as records have them. None: no limit."""

    since: str | None = None
    until: str | None = None

    def holds(self, timestamp: str) -> bool:
        """Whether a record of that time counts. Timestamps of one form sort as text."""
        return (self.since is None or timestamp >= self.since) and (
            self.until is None or timestamp <= self.until
        )


def add_journal_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which journal, and what of it."""
    parser.add_argument(
        "--audit",
        "--audit-dir",
        dest="audit",
        type=Path,
        metavar="DIR",
        help="the journal (default: the one that a run writes here)",
    )
    parser.add_argument("--since", metavar="TIME", help="2026-01-02T03:04:05Z, or 2h for 2 h ago")
    parser.add_argument("--until", metavar="TIME")


def span(given: argparse.Namespace, parser: argparse.ArgumentParser) -> Span:
    """Read the times. Leaves with 64 when one is none."""
    now = time.time()
    try:
        since, until = (
            None if text is None else instant(text, now) for text in (given.since, given.until)
        )
    except (ValueError, OverflowError):
        parser.error("a time is 2026-01-02, 2026-01-02T03:04:05Z, or 90m, 2h, 7d ago")
    return Span(since=since, until=until)


def read_history(directory: Path, wanted: Span) -> History:
    """Count a journal. Leaves with 66 when there is none."""
    try:
        return counted(read(directory, _report), wanted)
    except JournalBroken as error:
        sys.stderr.write(f"netproxy: {visible(str(error))}\n")
        raise SystemExit(EXIT_NO_JOURNAL) from None


def counted(records: Iterable[Record], wanted: Span) -> History:
    """Count records, of which only decisions and dials say something here."""
    history = History()
    for record in records:
        if not wanted.holds(record.timestamp):
            continue
        match record.name:
            case PolicyDecision.name:
                _decision(record, history)
            case ConnectionOpened.name:
                _opened(record, history)
            case DialRefused.name:
                _refused(record, history)
    return history


def _report(problem: str) -> None:
    sys.stderr.write(f"netproxy: audit: {visible(problem)}\n")


def _decision(record: Record, history: History) -> None:
    values = record.attributes
    host, protocol, method, decision, source, reason = (values.get(name) for name in _DECIDED)
    port = values.get(a.SERVER_PORT)
    if not (
        isinstance(host, str)
        and isinstance(protocol, str)
        and isinstance(method, str)
        and isinstance(decision, str)
        and isinstance(source, str)
        and isinstance(reason, str)
        and type(port) is int
    ):
        history.malformed += 1
        return
    history.decided(
        Decided(
            host=host,
            port=port,
            protocol=protocol,
            method=method,
            decision=decision,
            source=source,
            reason=reason,
            timestamp=record.timestamp,
        )
    )


def _opened(record: Record, history: History) -> None:
    peer = _PEER.fullmatch(str(record.attributes.get(a.PEER_ADDRESS)))
    if peer is not None:
        _dial(record, history, peer[1] or peer[2], was_opened=True)


def _refused(record: Record, history: History) -> None:
    addresses = record.attributes.get(a.DIAL_REFUSED)
    for text in addresses if isinstance(addresses, tuple) else ():
        if (address := _REFUSED.match(text)) is not None:
            _dial(record, history, address[1], was_opened=False)


def _dial(record: Record, history: History, address: str, *, was_opened: bool) -> None:
    host = record.attributes.get(a.SERVER_ADDRESS)
    port = record.attributes.get(a.SERVER_PORT)
    if isinstance(host, str) and type(port) is int and host != address:
        history.dialled((host, port, address, was_opened), record.timestamp)
