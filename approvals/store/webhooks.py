"""What endpoints are told and what they answered, in the store: an outbox, and replies once each.

A message is kept before it is sent, and claimed before each attempt by putting off the next one, so
that of several gateways one sends it, and of one that died another goes on. An endpoint is its
name and its URL together: who changes the URL starts anew there.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from approvals.store.engine import Engine, Row, Transaction

# Senders retry for minutes; a reply that comes a day later answers nothing that still stands.
KEPT_SECONDS: Final = 86400.0

_PUT: Final = """INSERT INTO webhook_outbox (webhook_id, endpoint, kind, ref, approval_id, body,
    created_at, expires_at, attempts, next_at, nonce, version, digest, joined, told)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $7, $9, $10, $11, $12, $13)
    ON CONFLICT (endpoint, kind, ref) DO NOTHING"""
_DUE: Final = """UPDATE webhook_outbox SET next_at = $1, attempts = attempts + 1
    WHERE next_at <= $2 AND webhook_id IN (SELECT webhook_id FROM webhook_outbox
        WHERE next_at <= $2 AND endpoint = $3 ORDER BY next_at LIMIT 32)
    RETURNING webhook_id, endpoint, kind, ref, approval_id, body, created_at, expires_at,
        attempts"""
_NEXT: Final = """SELECT min(next_at) FROM webhook_outbox WHERE endpoint = $1"""
_DONE: Final = """UPDATE webhook_outbox SET next_at = $2, delivered_at = $3 WHERE webhook_id = $1"""
_DELIVERED: Final = """SELECT delivered_at, next_at FROM webhook_outbox
    WHERE endpoint = $1 AND kind = $2 AND ref = $3"""
_STANDS: Final = """SELECT 1 FROM approvals WHERE approval_id = $1 AND status = 'pending'"""
# Told of the question, not yet of its end; no attempt is under way or ahead.
_ENDED: Final = """SELECT o.approval_id, o.delivered_at FROM webhook_outbox o
    JOIN approvals a ON a.approval_id = o.approval_id
    WHERE o.endpoint = $1 AND o.told = 'asked' AND o.next_at IS NULL AND a.status <> 'pending'"""
_GRANTS: Final = """SELECT o.approval_id, g.grant_id, g.end_reason, g.ended_at,
        g.used_connections, g.used_bytes
    FROM webhook_outbox o JOIN grants g ON g.approval_id = o.approval_id
    WHERE o.endpoint = $1 AND o.told = 'resolved' AND g.ended_at IS NOT NULL"""
_TOLD: Final = """UPDATE webhook_outbox SET told = $3
    WHERE endpoint = $1 AND kind = 'approval.requested' AND ref = $2"""
_ASKED: Final = """SELECT webhook_id, nonce, version, digest, joined FROM webhook_outbox
    WHERE endpoint = $1 AND kind = 'approval.requested' AND ref = $2"""
_USE: Final = """UPDATE webhook_outbox SET reply_id = $2
    WHERE webhook_id = $1 AND (reply_id IS NULL OR reply_id = $2) RETURNING webhook_id"""
_RELEASE: Final = """UPDATE webhook_outbox SET reply_id = NULL
    WHERE webhook_id = $1 AND reply_id = $2"""
_REPLY: Final = """INSERT INTO webhook_replies (endpoint, webhook_id, digest, received_at)
    VALUES ($1, $2, $3, $4) ON CONFLICT (endpoint, webhook_id) DO NOTHING"""
_REPLIED: Final = """SELECT digest, status, response FROM webhook_replies
    WHERE endpoint = $1 AND webhook_id = $2"""
_ANSWERED: Final = """UPDATE webhook_replies SET status = $3, response = $4
    WHERE endpoint = $1 AND webhook_id = $2"""
_FORGET: Final = (
    "DELETE FROM webhook_replies WHERE received_at < $1",
    "DELETE FROM webhook_outbox WHERE created_at < $1 AND expires_at < $1 AND next_at IS NULL",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an answer to a question has to name."""

    nonce: str
    version: int
    digest: str
    joined: int  # the last waiter that the message spoke of


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line of the outbox. `ref` is what it is about: an approval, or a grant."""

    webhook_id: str
    endpoint: str
    kind: str
    ref: str
    approval_id: str
    body: str
    created_at: float
    expires_at: float  # it is of no use to anybody after that
    attempts: int = 0
    asked: Asked | None = None  # of a question


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedGrant:
    """A grant that ended, from a question that the endpoint was told of."""

    approval_id: str
    grant_id: str
    reason: str
    ended_at: float
    connections: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of an answer that was received before."""

    digest: str  # of its body
    status: int | None  # None: we don't know any more, the gateway died over it
    response: str | None


def place_of(name: str, url: str) -> str:
    """An endpoint as the store knows it. A URL may hold a secret, so only its digest is kept."""
    return f"{name} {hashlib.sha256(url.encode()).hexdigest()[:16]}"


class WebhookStore:
    """The two tables. Every method raises `StoreUnavailable`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def put(self, message: Message) -> None:
        """Keep a message, due at once, unless the endpoint is told of this already."""
        asked = message.asked

        def work(transaction: Transaction) -> None:
            transaction.rows(
                _PUT,
                message.webhook_id,
                message.endpoint,
                message.kind,
                message.ref,
                message.approval_id,
                message.body,
                message.created_at,
                message.expires_at,
                *(
                    (asked.nonce, asked.version, asked.digest, asked.joined)
                    if asked
                    else (None,) * 4
                ),
                "asked" if asked else None,
            )

        await self._engine.write(work)

    async def claim(
        self, endpoints: Sequence[str], *, now: float, until: float
    ) -> tuple[Message, ...]:
        """Take what is due: it is ours until then, and due again after that."""

        def work(transaction: Transaction) -> list[Row]:
            found: list[Row] = []
            for endpoint in endpoints:
                found += transaction.rows(_DUE, until, now, endpoint)
            return found

        rows = await self._engine.write(work)
        return tuple(_message(row) for row in rows)

    async def next_due(self, endpoints: Sequence[str]) -> float | None:
        """When the next one is due; None when nothing is left to send."""

        def work(transaction: Transaction) -> list[float | None]:
            return [transaction.rows(_NEXT, endpoint)[0][0] for endpoint in endpoints]

        found = await self._engine.read(work)
        return min((each for each in found if each is not None), default=None)

    async def done(
        self, message: Message, *, next_at: float | None, delivered_at: float | None
    ) -> None:
        """Note what became of an attempt. Neither: it is given up."""
        await self._engine.write(
            lambda transaction: transaction.rows(_DONE, message.webhook_id, next_at, delivered_at)
        )

    async def is_delivered(self, endpoint: str, kind: str, ref: str) -> bool | None:
        """Whether a message arrived; None while somebody still tries."""
        rows = await self._engine.read(
            lambda transaction: transaction.rows(_DELIVERED, endpoint, kind, ref)
        )
        if not rows:
            return False
        delivered_at, next_at = rows[0]
        if delivered_at is not None:
            return True
        return None if next_at is not None else False

    async def stands(self, approval_id: str) -> bool:
        """Whether a question is open, in whichever gateway."""
        rows = await self._engine.read(lambda transaction: transaction.rows(_STANDS, approval_id))
        return bool(rows)

    async def ended(self, endpoint: str) -> tuple[tuple[str, bool], ...]:
        """The questions whose end was not told, and whether the question itself arrived."""
        rows = await self._engine.read(lambda transaction: transaction.rows(_ENDED, endpoint))
        return tuple((approval_id, delivered is not None) for approval_id, delivered in rows)

    async def ended_grants(self, endpoint: str) -> tuple[EndedGrant, ...]:
        """The grants whose end was not told."""
        rows = await self._engine.read(lambda transaction: transaction.rows(_GRANTS, endpoint))
        return tuple(
            EndedGrant(
                approval_id=approval_id,
                grant_id=grant_id,
                reason=reason,
                ended_at=ended_at,
                connections=connections,
                bytes=count,
            )
            for approval_id, grant_id, reason, ended_at, connections, count in rows
        )

    async def told(self, endpoint: str, approval_id: str, *, of: str) -> None:
        """Note how far an endpoint was told of a question: `resolved`, or `ended` (of all)."""
        await self._engine.write(
            lambda transaction: transaction.rows(_TOLD, endpoint, approval_id, of)
        )

    async def asked(self, endpoint: str, approval_id: str) -> tuple[str, Asked] | None:
        """The message about a question: its id, and what an answer has to name."""
        rows = await self._engine.read(
            lambda transaction: transaction.rows(_ASKED, endpoint, approval_id)
        )
        if not rows:
            return None
        webhook_id, nonce, version, digest, joined = rows[0]
        return webhook_id, Asked(nonce=nonce, version=version, digest=digest, joined=joined)

    async def use(self, webhook_id: str, reply_id: str) -> bool:
        """Use up a question's nonce for this reply. False: another reply did."""
        rows = await self._engine.write(
            lambda transaction: transaction.rows(_USE, webhook_id, reply_id)
        )
        return bool(rows)

    async def release(self, webhook_id: str, reply_id: str) -> None:
        """Give a nonce back: that reply decided nothing, a better one may."""
        await self._engine.write(
            lambda transaction: transaction.rows(_RELEASE, webhook_id, reply_id)
        )

    async def receive(self, endpoint: str, reply_id: str, digest: str, *, now: float) -> Reply:
        """Note that a reply came, and say what came of the first one with this id."""

        def work(transaction: Transaction) -> Row:
            transaction.rows(_REPLY, endpoint, reply_id, digest, now)
            return transaction.rows(_REPLIED, endpoint, reply_id)[0]

        found, status, response = await self._engine.write(work)
        return Reply(digest=found, status=status, response=response)

    async def answered(self, endpoint: str, reply_id: str, status: int, response: str) -> None:
        """Keep what a reply was answered with."""
        await self._engine.write(
            lambda transaction: transaction.rows(_ANSWERED, endpoint, reply_id, status, response)
        )

    async def forget(self, *, now: float) -> None:
        """Remove what nobody will ask for again."""

        def work(transaction: Transaction) -> None:
            for statement in _FORGET:
                transaction.rows(statement, now - KEPT_SECONDS)

        await self._engine.write(work)


def _message(row: Row) -> Message:
    webhook_id, endpoint, kind, ref, approval_id, body, created_at, expires_at, attempts = row
    return Message(
        webhook_id=webhook_id,
        endpoint=endpoint,
        kind=kind,
        ref=ref,
        approval_id=approval_id,
        body=body,
        created_at=created_at,
        expires_at=expires_at,
        attempts=attempts,
    )
