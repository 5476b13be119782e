"""Tokens are read anew all or nothing: who is gone is cut, who stays notices nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.app.admission import Admission, Tokens
from netproxy.app.token_file import Holder
from netproxy.connection.credentials import Identity
from netproxy.errors import InvalidSettings
from netproxy.model import CloseReason
from otel.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from netproxy.app.sessions import Session
    from netproxy.transport.driver import Connection


def holder(name: str, secret: str = "", profile: str | None = None) -> Holder:
    digest = sha256((secret or f"of {name}").encode()).digest()
    return Holder(identity=Identity(name), profile=profile, digest=digest)


ANNA, BERT, CARL = holder("anna"), holder("bert"), holder("carl")


class Server:
    def __init__(self) -> None:
        self.taken: list[Connection] = []
        self.cut: list[CloseReason] = []
        self.is_open = True

    def take_over(self, connection: Connection) -> None:
        self.taken.append(connection)

    def close_all(self, reason: CloseReason) -> None:
        assert self.is_open
        self.cut.append(reason)


class Service:
    """What the file says is set by a test."""

    def __init__(self, *first: Holder) -> None:
        self.file: tuple[Holder, ...] | InvalidSettings = first
        self.servers: dict[Holder, Server] = {}
        self.said: list[str] = []
        self.unrecordable: set[Holder] = set()
        self.unreadable: set[Holder] = set()
        tokens = Tokens(holders=first, read=self.read, session_of=self.session_of)
        self.admission = Admission(tokens, opened=self.opened, say=self.said.append)

    def read(self) -> tuple[Holder, ...]:
        if isinstance(self.file, InvalidSettings):
            raise self.file
        return self.file

    def session_of(self, holder: Holder) -> Session:
        if holder in self.unreadable:
            raise InvalidSettings(("no profile of that name",))
        return cast("Session", object())

    @asynccontextmanager
    async def opened(self, holder: Holder, _session: Session) -> AsyncIterator[Server]:
        if holder in self.unrecordable:
            raise AuditUnavailable("the disk is full")
        server = self.servers[holder] = Server()
        try:
            yield server
        finally:
            server.is_open = False
        if holder in self.unrecordable:
            raise AuditUnavailable("the disk is full")

    def enters(self, secret: str) -> str | None:
        return self.admission.door.let_in(cast("Connection", object()), secret.encode(), None)

    def run(self, story: Callable[[], Awaitable[None]], *first: Holder) -> None:
        async def whole() -> None:
            await self.admission.start({each: self.session_of(each) for each in first})
            await story()
            await self.admission.aclose()

        asyncio.run(whole())
        assert not any(server.is_open for server in self.servers.values())


def test_who_is_new_comes_in_and_who_is_gone_is_cut() -> None:
    service = Service(ANNA, BERT)

    async def story() -> None:
        anna, bert = service.servers[ANNA], service.servers[BERT]
        service.file = (CARL, BERT)
        await service.admission.reread()
        assert (anna.cut, anna.is_open) == ([CloseReason.POLICY_CHANGED], False)
        assert (bert.cut, bert.is_open) == ([], True)
        assert [service.enters(f"of {name}") for name in ("anna", "bert", "carl")] == [
            None, "bert", "carl",
        ]  # fmt: skip
        assert set(service.admission.servers) == {bert, service.servers[CARL]}

    service.run(story, ANNA, BERT)
    assert service.said == ["tokens read again: 1 new, 1 gone"]


@pytest.mark.parametrize("changed", [holder("anna", "another"), holder("anna", profile="ci")])
def test_another_token_or_profile_is_another_session(changed: Holder) -> None:
    service = Service(ANNA)

    async def story() -> None:
        service.file = (changed,)
        await service.admission.reread()
        assert service.servers[ANNA].cut == [CloseReason.POLICY_CHANGED]
        assert service.servers[ANNA] is not service.servers[changed]
        assert (service.enters("of anna") is None) == (changed.digest != ANNA.digest)
        assert (service.enters("another") is None) == (changed.digest == ANNA.digest)

    service.run(story, ANNA)


def test_what_did_not_change_says_nothing() -> None:
    service = Service(ANNA)
    service.run(service.admission.reread, ANNA)
    assert service.said == []
    assert service.servers[ANNA].cut == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("file", "tokens:1: is not NAME:TOKEN (and 1 more)"),
        ("profile", "no profile of that name"),
        ("journal", "the disk is full"),
    ],
)
def test_whatever_goes_wrong_changes_nothing(what: str, line: str) -> None:
    service = Service(ANNA)

    async def story() -> None:
        anna = service.servers[ANNA]
        service.file = (BERT, CARL)
        if what == "file":
            service.file = InvalidSettings(("tokens:1: is not NAME:TOKEN", "tokens:2: the same"))
        service.unreadable = {CARL} if what == "profile" else set()
        service.unrecordable = {CARL} if what == "journal" else set()
        await service.admission.reread()
        assert (service.enters("of anna"), service.enters("of bert")) == ("anna", None)
        assert (anna.cut, anna.is_open) == ([], True)
        assert service.admission.servers == [anna]
        assert [one for one in service.servers.values() if one.is_open] == [anna]

    service.run(story, ANNA)
    assert service.said == [f"the tokens stay as they were: {line}"]


def test_who_is_gone_is_cut_even_where_that_can_not_be_recorded() -> None:
    service = Service(ANNA)

    async def story() -> None:
        service.file = (BERT,)
        service.unrecordable = {ANNA}
        await service.admission.reread()
        assert service.servers[ANNA].cut == [CloseReason.POLICY_CHANGED]
        assert (service.enters("of anna"), service.enters("of bert")) == (None, "bert")

    service.run(story, ANNA)
    assert service.said == ["tokens read again: 1 new, 1 gone", "the disk is full"]
