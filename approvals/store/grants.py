"""Grants in the database: what holds, how much of it is used, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from approvals.lifecycle import after_grant
from approvals.model import ChangeKind
from approvals.store import codec, feed, records
from otel.values import replace

if TYPE_CHECKING:
    from approvals.model import Grant, GrantEnd
    from approvals.store.engine import Row, Transaction

_ADD: Final = """
    INSERT INTO grants (grant_id, approval_id, gateway_id, session_id, scope, detail, created_at,
        used_connections, used_bytes)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_END: Final = """
    UPDATE grants SET ended_at = $1, end_reason = $2
    WHERE grant_id = $3 AND ended_at IS NULL RETURNING 1"""
# What was used never becomes less, in whichever order the figures come.
_SPEND: Final = """
    UPDATE grants SET
        used_connections = CASE WHEN $1 > used_connections THEN $1 ELSE used_connections END,
        used_bytes = CASE WHEN $2 > used_bytes THEN $2 ELSE used_bytes END
    WHERE grant_id = $3 AND ended_at IS NULL"""
_OF: Final = "SELECT detail, used_connections, used_bytes FROM grants WHERE approval_id = $1"
_HELD: Final = """
    SELECT detail, used_connections, used_bytes FROM grants
    WHERE ended_at IS NULL ORDER BY created_at, grant_id"""
_HELD_BY_SESSION: Final = """
    SELECT detail, used_connections, used_bytes FROM grants
    WHERE session_id = $1 AND ended_at IS NULL ORDER BY created_at, grant_id"""
# What a named session was told goes on; what was for one run or one try has lost it.
_ORPHANED: Final = """
    SELECT detail, used_connections, used_bytes
    FROM grants JOIN sessions ON sessions.session_id = grants.session_id
    WHERE grants.gateway_id = $1 AND ended_at IS NULL
        AND (sessions.name IS NULL OR scope IN ('once', 'run'))
    ORDER BY grants.created_at, grant_id"""


def add(transaction: Transaction, grant: Grant, gateway: str, now: float) -> None:
    """Keep one. `gateway` is the one that asked: what its run was told ends with it."""
    transaction.rows(
        _ADD,
        grant.grant_id,
        grant.approval_id,
        gateway,
        grant.key.session,
        grant.scope.value,
        codec.grant_text(grant),
        grant.created_at,
        grant.used_connections,
        grant.used_bytes,
    )
    feed.note(transaction, ChangeKind.GRANTED, grant.grant_id, now)


def end(transaction: Transaction, grant: Grant, reason: GrantEnd, now: float) -> bool:
    """End one that holds, and move its approval on; False: somebody else was first."""
    if not transaction.rows(_END, now, reason.value, grant.grant_id):
        return False
    record = records.find(transaction, grant.approval_id)
    if record is not None and (after := after_grant(record, reason)) is not record:
        records.replace(transaction, record, after, now)
    feed.note(transaction, ChangeKind.GRANT_ENDED, grant.grant_id, now)
    return True


def spend(transaction: Transaction, grant: Grant) -> None:
    """Keep what it was used for."""
    transaction.rows(_SPEND, grant.used_connections, grant.used_bytes, grant.grant_id)


def of(transaction: Transaction, approval_id: str) -> Grant | None:
    """The one that an approval left, ended or not."""
    found = transaction.rows(_OF, approval_id)
    return _grant(found[0]) if found else None


def held(transaction: Transaction) -> tuple[Grant, ...]:
    """All that hold, oldest first."""
    return tuple(_grant(row) for row in transaction.rows(_HELD))


def held_by(transaction: Transaction, session: str) -> tuple[Grant, ...]:
    """Those of a session that hold."""
    return tuple(_grant(row) for row in transaction.rows(_HELD_BY_SESSION, session))


def orphaned(transaction: Transaction, gateway: str) -> tuple[Grant, ...]:
    """Those that hold and end with that gateway."""
    return tuple(_grant(row) for row in transaction.rows(_ORPHANED, gateway))


def _grant(row: Row) -> Grant:
    detail, connections, used = row
    grant = codec.grant_from(detail)
    return replace(grant, used_connections=connections, used_bytes=used)
