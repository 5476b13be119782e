"""Operations on grants, and on what surrounds the questions: sessions, policy, health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.http import wire
from approvals.http.documents import grant_document
from approvals.http.operations import in_turns

if TYPE_CHECKING:
    from approvals.http.operations import Call


async def list_grants(call: Call) -> wire.GrantList:
    """Every yes and no that holds now."""
    return wire.GrantList(grants=await in_turns(grant_document, call.site.inbox.grants()))


async def revoke_grant(call: Call) -> wire.Grant:
    """End a grant, and the connections that it carries."""
    comment = None if call.body is None else call.body.comment
    revoked = await call.site.inbox.revoke(
        call.path["id"],
        reviewer=call.identity.name,
        channel=call.identity.channel,
        comment=comment or None,
    )
    return grant_document(revoked)


async def list_sessions(call: Call) -> wire.SessionList:
    """Who is served now."""
    return wire.SessionList(sessions=[dict(each) for each in call.site.surroundings.sessions()])


async def get_policy(call: Call) -> wire.Policy:
    """What decides before anybody is asked."""
    return wire.Policy(lines=list(call.site.surroundings.policy()))


async def get_health(call: Call) -> wire.Health:
    """How the gateway is."""
    return wire.Health(
        reviewers=call.site.presence.anybody, parts=dict(call.site.surroundings.health())
    )
