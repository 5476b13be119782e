"""Operations on tokens: made, listed and revoked by the gateway's own user only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.http import wire
from approvals.http.bearer import CHANNEL
from approvals.http.identity import Permission
from approvals.http.problems import Problem
from approvals.store.tokens import NameTaken
from approvals.times import rfc3339
from otel import AuditUnavailable
from otel.events import ReviewerSignedIn

if TYPE_CHECKING:
    from approvals.http.operations import Call
    from approvals.store.tokens import Token, Tokens


async def add_token(call: Call) -> wire.NewToken:
    """Make a token; this is the only time that its secret is told.

    It is on record before it exists: whoever has it may answer from here on.
    """
    tokens, body = _tokens(call), call.body
    try:
        call.site.sink.record_synced(ReviewerSignedIn(reviewer=body.name, channel=CHANNEL))
    except AuditUnavailable:
        raise Problem(503, "unrecorded", "the audit trail can't take it now") from None
    try:
        token, secret = await tokens.add(
            body.name, frozenset(body.permissions), seconds=body.seconds, by=call.identity.name
        )
    except NameTaken:
        raise Problem(409, "name_taken", "a token of this name is good still") from None
    return wire.NewToken.model_validate({**_fields(token), "token": secret})


async def list_tokens(call: Call) -> wire.TokenList:
    """Those that are good now."""
    return wire.TokenList(tokens=[_document(each) for each in await _tokens(call).every()])


async def revoke_token(call: Call) -> wire.Token:
    """End one, at once."""
    token = await _tokens(call).revoke(call.path["id"], by=call.identity.name)
    if token is None:
        raise Problem(404, "unknown", "there is no such token that is good")
    return _document(token)


def _tokens(call: Call) -> Tokens:
    if call.site.tokens is None:
        raise Problem(503, "no_store", "tokens are kept in the store, and this gateway has none")
    return call.site.tokens


def _document(token: Token) -> wire.Token:
    return wire.Token.model_validate(_fields(token))


def _fields(token: Token) -> dict[str, object]:
    known = {permission.value: permission for permission in Permission}
    return {
        "token_id": token.token_id,
        "name": token.name,
        "permissions": sorted(known[each] for each in token.permissions if each in known),
        "created_at": rfc3339(token.created_at),
        "created_by": token.created_by,
        "expires_at": rfc3339(token.expires_at),
        "used_at": None if token.used_at is None else rfc3339(token.used_at),
    }
