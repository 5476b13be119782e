"""Approvals in the database: put once for each key, then moved on by compare-and-set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from approvals.model import ChangeKind, Record, Status
from approvals.store import codec, feed

if TYPE_CHECKING:
    from approvals.store.engine import Row, Transaction

# DO UPDATE and not DO NOTHING: the row that is in the way has to come back, and in PostgreSQL a
# separate SELECT may not see it yet.
_ADD: Final = """
    INSERT INTO approvals (approval_id, session_id, host, protocol, port, status, version,
        gateway_id, question, shown, digest, answer, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10, NULL, $11, $12)
    ON CONFLICT (session_id, host, protocol, port) WHERE status = 'pending'
    DO UPDATE SET version = approvals.version
    RETURNING question, status, version, answer, ended_at, gateway_id"""
_REPLACE: Final = """
    UPDATE approvals SET status = $1, version = $2, answer = $3, ended_at = $4
    WHERE approval_id = $5 AND version = $6 RETURNING gateway_id"""
_FIND: Final = """
    SELECT question, status, version, answer, ended_at, gateway_id
    FROM approvals WHERE approval_id = $1"""
_RECENT: Final = """
    SELECT question, status, version, answer, ended_at, gateway_id
    FROM approvals WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, approval_id DESC LIMIT $1"""
_RECENT_BEFORE: Final = """
    SELECT question, status, version, answer, ended_at, gateway_id
    FROM approvals WHERE ended_at < $1 ORDER BY ended_at DESC, approval_id DESC LIMIT $2"""
_OF_HOST: Final = """
    SELECT question, status, version, answer, ended_at, gateway_id
    FROM approvals WHERE host = $1 ORDER BY created_at DESC, approval_id DESC LIMIT $2"""
_OPEN_OF_GATEWAY: Final = """
    SELECT question, status, version, answer, ended_at, gateway_id
    FROM approvals WHERE gateway_id = $1 AND status = 'pending' ORDER BY approval_id"""


def add(transaction: Transaction, record: Record, gateway: str, now: float) -> Record:
    """Keep a pending record, or give the one that its key has already."""
    question, key = record.question, record.question.key
    ((*row,),) = transaction.rows(
        _ADD,
        question.approval_id,
        key.session,
        key.host,
        key.protocol,
        key.port,
        record.version,
        gateway,
        codec.question_text(question),
        codec.shown_text(question),
        question.digest,
        question.created_at,
        question.expires_at,
    )
    found = _record(row)
    if found.question.approval_id == question.approval_id:
        feed.note(transaction, ChangeKind.ASKED, question.approval_id, now)
    return found


def replace(transaction: Transaction, old: Record, new: Record, now: float) -> str | None:
    """Put `new` where `old` is the stored version; the gateway that asked, or None: it isn't."""
    leaves = old.status is Status.PENDING
    ended_at = new.ended_at
    if ended_at is None and leaves:
        ended_at = now
    done = transaction.rows(
        _REPLACE,
        new.status.value,
        new.version,
        codec.answer_text(new.answer),
        ended_at,
        old.question.approval_id,
        old.version,
    )
    if not done:
        return None
    if leaves:
        feed.note(transaction, ChangeKind.RESOLVED, old.question.approval_id, now)
    return str(done[0][0])


def find(transaction: Transaction, approval_id: str) -> Record | None:
    """One record."""
    found = transaction.rows(_FIND, approval_id)
    return _record(found[0]) if found else None


def recent(transaction: Transaction, limit: int, before: float | None) -> tuple[Record, ...]:
    """What ended (before that time), newest first."""
    if before is None:
        return _all(transaction.rows(_RECENT, limit))
    return _all(transaction.rows(_RECENT_BEFORE, before, limit))


def of_host(transaction: Transaction, host: str, limit: int) -> tuple[Record, ...]:
    """About one host, newest first."""
    return _all(transaction.rows(_OF_HOST, host, limit))


def open_of(transaction: Transaction, gateway: str) -> tuple[Record, ...]:
    """The questions that a gateway keeps open."""
    return _all(transaction.rows(_OPEN_OF_GATEWAY, gateway))


def _all(rows: list[Row]) -> tuple[Record, ...]:
    return tuple(_record(row) for row in rows)


def _record(row: Row | list[Any]) -> Record:
    question, status, version, answer, ended_at, gateway = row
    return Record(
        question=codec.question_from(question),
        status=Status(status),
        version=version,
        answer=codec.answer_from(answer),
        ended_at=ended_at,
        gateway=gateway,
    )
