"""Answers for always whose rule is taken out of the file: the session forgets them with it.

A session remembers such an answer until its rule is in force, and a named one longer than that. So
whoever deletes the rule takes the answer back: what it carries is closed, and somebody is asked.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self

from approvals import Scope, Verdict
from approvals.errors import UnknownGrant
from netproxy.model import Destination, Reason
from netproxy.model import Protocol as Spoken
from netproxy.policy.change import NothingRemembered

if TYPE_CHECKING:
    from approvals import Grant
    from netproxy.model import Judgement
    from netproxy.ports import SessionCache

CHANNEL = "policy"
_WHO = "the settings file"
_WHY = "its rule is no longer there"
_BY_RULE = {Verdict.ALLOW: Reason.ALLOWED_BY_RULE, Verdict.DENY: Reason.DENIED_BY_RULE}


class Judge(Protocol):
    """The policy in force."""

    def judge(self, destination: Destination, method: str, cache: SessionCache) -> Judgement:
        """Say allow, deny or ask."""


class Remembering(Protocol):
    """The approval service, as far as this has to do with it."""

    def grants(self) -> tuple[Grant, ...]:
        """What is remembered now."""

    async def revoke(
        self, grant_id: str, *, reviewer: str, channel: str, comment: str | None = None
    ) -> Grant:
        """End a grant. Raises `UnknownGrant`."""


class KeptAnswers:
    """Of one session. Made inside a running loop; looks whenever it is told to, while entered."""

    def __init__(self, service: Remembering, session: str, policy: Judge) -> None:
        self._service = service
        self._session = session
        self._policy = policy
        self._ruled: set[str] = set()  # grants whose rule was in force
        self._wanted = asyncio.Event()

    async def __aenter__(self) -> Self:
        # What a named session has from before was written before it was remembered. A no that
        # could not be written holds all the same: forgetting it would be a yes.
        self._ruled.update(each.grant_id for each in self._kept() if each.verdict is Verdict.ALLOW)
        self._task = asyncio.get_running_loop().create_task(self._run())
        self.look()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def look(self) -> None:
        """The policy has changed."""
        self._wanted.set()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            for grant in self._gone():
                with suppress(UnknownGrant):
                    await self._service.revoke(
                        grant.grant_id, reviewer=_WHO, channel=CHANNEL, comment=_WHY
                    )

    def _gone(self) -> list[Grant]:
        gone = []
        for grant in self._kept():
            if self._is_ruled(grant):
                self._ruled.add(grant.grant_id)
            elif grant.grant_id in self._ruled:
                self._ruled.discard(grant.grant_id)
                gone.append(grant)
        return gone

    def _kept(self) -> list[Grant]:
        return [
            each
            for each in self._service.grants()
            if each.key.session == self._session and each.scope is Scope.ALWAYS
        ]

    def _is_ruled(self, grant: Grant) -> bool:
        key = grant.key
        where = Destination(key.host, key.port, Spoken(key.protocol))
        method = "GET" if where.protocol is Spoken.HTTP else "CONNECT"
        judged = self._policy.judge(where, method, NothingRemembered())
        return judged.reason is _BY_RULE[grant.verdict]
