"""Answers for always whose rule is taken out of the file: the session forgets them with it.

A session remembers such an answer until its rule is in force, and a named one longer than that. So
whoever deletes the rule takes the answer back: what it carries is closed, and somebody is asked.
Runs of one session may go by different files: each looks after the answers that are in its own.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from approvals import Scope, Verdict
from approvals.errors import UnknownGrant
from netproxy.app.regular_file import read_regular
from netproxy.app.reload import beside_the_loop
from netproxy.errors import InvalidSettings
from netproxy.model import Destination, Reason
from netproxy.model import Protocol as Spoken
from netproxy.model import Verdict as Said
from netproxy.policy.change import NothingRemembered
from netproxy.policy.rule_table import has_rule

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

    def __init__(self, service: Remembering, session: str, policy: Judge, *, file: Path) -> None:
        """`file`: where the run's answers for always are written."""
        self._service = service
        self._session = session
        self._policy = policy
        self._file = str(file)
        self._ruled: set[str] = set()  # grants whose rule was in force
        self._wanted = asyncio.Event()

    async def __aenter__(self) -> Self:
        # What a named session has from before was written before it was remembered. A no that
        # could not be written holds all the same: forgetting it would be a yes.
        before = [each for each in self._kept() if each.verdict is Verdict.ALLOW]
        self._ruled.update(each.grant_id for each in before if self._is_ours(each))
        if others := [each for each in before if not self._is_ours(each)]:
            for grant in await beside_the_loop(lambda: _deleted(others)):
                await self._revoke(grant)
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
                await self._revoke(grant)

    async def _revoke(self, grant: Grant) -> None:
        with suppress(UnknownGrant):
            await self._service.revoke(grant.grant_id, reviewer=_WHO, channel=CHANNEL, comment=_WHY)

    def _gone(self) -> list[Grant]:
        gone = []
        for grant in filter(self._is_ours, self._kept()):
            if self._is_ruled(grant):
                self._ruled.add(grant.grant_id)
            elif grant.grant_id in self._ruled:
                self._ruled.discard(grant.grant_id)
                gone.append(grant)
        return gone

    def _is_ours(self, grant: Grant) -> bool:
        return grant.rule_file in {None, self._file}

    def _kept(self) -> list[Grant]:
        return [
            each
            for each in self._service.grants()
            if each.key.session == self._session and each.scope is Scope.ALWAYS
        ]

    def _is_ruled(self, grant: Grant) -> bool:
        where = _destination(grant)
        method = "GET" if where.protocol is Spoken.HTTP else "CONNECT"
        judged = self._policy.judge(where, method, NothingRemembered())
        return judged.reason is _BY_RULE[grant.verdict]


def _destination(grant: Grant) -> Destination:
    return Destination(grant.key.host, grant.key.port, Spoken(grant.key.protocol))


def _deleted(grants: list[Grant]) -> list[Grant]:
    """Those whose rules are in no file any more; what can't be read is somebody else's to judge."""
    return [each for each in grants if not _may_be_there(each)]


def _may_be_there(grant: Grant) -> bool:
    assert grant.rule_file is not None, "it is in another file"
    try:
        content, _ = read_regular(Path(grant.rule_file))
        return has_rule(content.decode(), _destination(grant), Said.ALLOW)
    except FileNotFoundError:
        return False
    except (InvalidSettings, ValueError, RecursionError):
        return True
