"""Gateways and sessions in the database: who asks, what outlives whom, and what is swept away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from approvals.lifecycle import Step, next_record
from approvals.model import GrantEnd, Swept
from approvals.store import grants, records
from otel import new_id
from otel.values import replace

if TYPE_CHECKING:
    from approvals.model import Grant
    from approvals.store.engine import Transaction
    from approvals.store.liveness import Liveness

# One that was taken for dead, because somebody removed its lock, is alive again by what it does.
_BEGIN: Final = """
    INSERT INTO gateways (gateway_id, started_at) VALUES ($1, $2)
    ON CONFLICT (gateway_id) DO UPDATE SET ended_at = NULL WHERE gateways.ended_at IS NOT NULL"""
_END: Final = "UPDATE gateways SET ended_at = $1 WHERE gateway_id = $2"
_OTHERS: Final = "SELECT gateway_id FROM gateways WHERE ended_at IS NULL AND gateway_id <> $1"
_OPEN_SESSION: Final = """
    INSERT INTO sessions (session_id, name, gateway_id, created_at) VALUES ($1, NULL, $2, $3)
    ON CONFLICT (session_id) DO NOTHING"""
# DO UPDATE, so that the row comes back also when it was there already.
_RESUME: Final = """
    INSERT INTO sessions (session_id, name, gateway_id, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING session_id"""
# Old and over: a grant that holds keeps its approval.
_PRUNE_APPROVALS: Final = """
    DELETE FROM approvals WHERE approval_id IN (
        SELECT approvals.approval_id FROM approvals
        LEFT JOIN grants ON grants.approval_id = approvals.approval_id AND grants.ended_at IS NULL
        WHERE approvals.ended_at < $1 AND grants.grant_id IS NULL
        ORDER BY approvals.ended_at LIMIT $2)"""
_PRUNE_CHANGES: Final = """
    DELETE FROM changes WHERE number IN (
        SELECT number FROM changes WHERE at < $1 ORDER BY number LIMIT $2)"""
_PRUNE_SESSIONS: Final = """
    DELETE FROM sessions WHERE session_id IN (
        SELECT sessions.session_id FROM sessions
        JOIN gateways ON gateways.gateway_id = sessions.gateway_id
        LEFT JOIN approvals ON approvals.session_id = sessions.session_id
        WHERE sessions.name IS NULL AND gateways.ended_at < $1 AND approvals.approval_id IS NULL
        LIMIT $2)"""
_PRUNE_GATEWAYS: Final = """
    DELETE FROM gateways WHERE gateway_id IN (
        SELECT gateways.gateway_id FROM gateways
        LEFT JOIN sessions ON sessions.gateway_id = gateways.gateway_id
        LEFT JOIN approvals ON approvals.gateway_id = gateways.gateway_id
        LEFT JOIN grants ON grants.gateway_id = gateways.gateway_id
        WHERE gateways.ended_at < $1 AND sessions.session_id IS NULL
            AND approvals.approval_id IS NULL AND grants.grant_id IS NULL
        LIMIT $2)"""


def introduce(transaction: Transaction, gateway: str, now: float) -> None:
    """Make a gateway known, as often as one likes."""
    transaction.rows(_BEGIN, gateway, now)


def open_session(transaction: Transaction, session: str, gateway: str, now: float) -> None:
    """Make a session known that ends with its gateway, unless it is known."""
    transaction.rows(_OPEN_SESSION, session, gateway, now)


def resume(
    transaction: Transaction, name: str, gateway: str, now: float
) -> tuple[str, tuple[Grant, ...]]:
    """The id of the session of that name, and what it was told."""
    ((session,),) = transaction.rows(_RESUME, new_id("s"), name, gateway, now)
    return session, grants.held_by(transaction, session)


def sweep(transaction: Transaction, gateway: str, liveness: Liveness, now: float) -> Swept:
    """End what other gateways left that died."""
    dead = [other for (other,) in transaction.rows(_OTHERS, gateway) if not liveness.is_live(other)]
    found = [end(transaction, other, GrantEnd.GATEWAY_LOST, now) for other in dead]
    for other in dead:
        liveness.end(other)
    return Swept(
        withdrawn=tuple(record for each in found for record in each.withdrawn),
        ended=tuple(grant for each in found for grant in each.ended),
    )


def end(transaction: Transaction, gateway: str, reason: GrantEnd, now: float) -> Swept:
    """Note that a gateway is no more, and end what can't go on without it."""
    transaction.rows(_END, now, gateway)
    withdrawn = [
        (record, replace(next_record(record, Step.WITHDRAW), ended_at=now))
        for record in records.open_of(transaction, gateway)
    ]
    orphaned = grants.orphaned(transaction, gateway)
    return Swept(
        withdrawn=tuple(
            new for old, new in withdrawn if records.replace(transaction, old, new, now) is not None
        ),
        ended=tuple(each for each in orphaned if grants.end(transaction, each, reason, now)),
    )


def prune(transaction: Transaction, before: float, limit: int) -> None:
    """Remove some of what ended before that time: no more than `limit` of each kind."""
    for sql in (_PRUNE_APPROVALS, _PRUNE_CHANGES, _PRUNE_SESSIONS, _PRUNE_GATEWAYS):
        transaction.rows(sql, before, limit)
