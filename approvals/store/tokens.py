"""Tokens for the HTTP API: made once, shown once, kept as SHA-256, good until revoked or expired.

A token is 256 bits of chance, so its plain hash can't be guessed back, and a look-up by that hash
tells a stopwatch nothing about the token.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final

from otel import new_id
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from approvals.ports import Clock
    from approvals.store.engine import Engine, Transaction

PREFIX: Final = "npx_"
_CHANCE_BYTES: Final = 32
# Nobody needs to know to the second, and a write for each request would wear the disk.
_NOTED_SECONDS: Final = 60.0

# One whose time is over makes room for its name; it was good for nothing any more.
_OVER = "UPDATE tokens SET revoked_at = expires_at WHERE revoked_at IS NULL AND expires_at <= $1"
_TAKEN = "SELECT count(*) FROM tokens WHERE name = $1 AND revoked_at IS NULL"
_ADD = (
    "INSERT INTO tokens (token_id, digest, name, permissions, created_at, created_by, expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
_FIND = (
    "SELECT token_id, name, permissions, created_at, created_by, expires_at, used_at FROM tokens"
    " WHERE digest = $1 AND revoked_at IS NULL AND expires_at > $2"
)
_LIST = (
    "SELECT token_id, name, permissions, created_at, created_by, expires_at, used_at FROM tokens"
    " WHERE revoked_at IS NULL AND expires_at > $1 ORDER BY created_at, token_id"
)
_USE = "UPDATE tokens SET used_at = $1 WHERE token_id = $2"
_REVOKE = (
    "UPDATE tokens SET revoked_at = $1, revoked_by = $2 WHERE token_id = $3 AND revoked_at IS NULL"
    " RETURNING token_id, name, permissions, created_at, created_by, expires_at, used_at"
)


class NameTaken(Exception):
    """A token of this name is good still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One, without its secret. Times are seconds since the epoch."""

    token_id: str
    name: str
    permissions: frozenset[str]
    created_at: float
    created_by: str
    expires_at: float
    used_at: float | None = None


class Tokens:
    """All of a store. Every method raises `StoreUnavailable` when it can't be used."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def add(
        self, name: str, permissions: frozenset[str], *, seconds: float, by: str
    ) -> tuple[Token, str]:
        """Make one: what is kept of it, and its secret. Raises `NameTaken`."""
        now = self._clock.wall()
        secret = PREFIX + secrets.token_urlsafe(_CHANCE_BYTES)
        token = Token(
            token_id=new_id("t"),
            name=name,
            permissions=permissions,
            created_at=now,
            created_by=by,
            expires_at=now + seconds,
        )
        if not await self._engine.write(lambda transaction: _add(transaction, token, secret)):
            raise NameTaken(name)
        return token, secret

    async def find(self, secret: str) -> Token | None:
        """The token with this secret, if it is good now; it is used by that."""
        now, digest = self._clock.wall(), _digest(secret)
        rows = await self._engine.read(lambda transaction: transaction.rows(_FIND, digest, now))
        if not rows:
            return None
        token = _token(rows[0])
        if token.used_at is None or now - token.used_at >= _NOTED_SECONDS:
            await self._engine.write(
                lambda transaction: transaction.rows(_USE, now, token.token_id)
            )
            return replace(token, used_at=now)
        return token

    async def every(self) -> tuple[Token, ...]:
        """Those that are good now, oldest first."""
        now = self._clock.wall()
        rows = await self._engine.read(lambda transaction: transaction.rows(_LIST, now))
        return tuple(map(_token, rows))

    async def revoke(self, token_id: str, *, by: str) -> Token | None:
        """End one; None where none that is good has this id."""
        now = self._clock.wall()
        rows = await self._engine.write(
            lambda transaction: transaction.rows(_REVOKE, now, by, token_id)
        )
        return _token(rows[0]) if rows else None


def _add(transaction: Transaction, token: Token, secret: str) -> bool:
    transaction.rows(_OVER, token.created_at)
    ((taken,),) = transaction.rows(_TAKEN, token.name)
    if taken:
        return False
    transaction.rows(
        _ADD,
        token.token_id,
        _digest(secret),
        token.name,
        " ".join(sorted(token.permissions)),
        token.created_at,
        token.created_by,
        token.expires_at,
    )
    return True


def _token(row: tuple[object, ...]) -> Token:
    token_id, name, permissions, created_at, created_by, expires_at, used_at = row
    return Token(
        token_id=str(token_id),
        name=str(name),
        permissions=frozenset(str(permissions).split()),
        created_at=float(created_at),  # type: ignore[arg-type]  # a double precision
        created_by=str(created_by),
        expires_at=float(expires_at),  # type: ignore[arg-type]  # a double precision
        used_at=None if used_at is None else float(used_at),  # type: ignore[arg-type]  # the same
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
