"""Login links of the web inbox: for who asks on the control socket, and for nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.http import wire
from approvals.http.problems import Problem
from approvals.times import rfc3339

if TYPE_CHECKING:
    from approvals.http.operations import Call


async def add_login(call: Call) -> wire.LoginLink:
    """Make a link. Who follows it answers in the name of who asked for it."""
    if call.site.logins is None:
        raise Problem(503, "no_inbox", "this gateway has no web inbox: start it with --inbox")
    link = call.site.logins.issue(call.identity.name)
    return wire.LoginLink(url=link.url, expires_at=rfc3339(link.expires_at))
