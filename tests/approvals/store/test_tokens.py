"""Tokens: shown once, never kept, good until they are not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from approvals.store.database import Database
from approvals.store.tokens import PREFIX, NameTaken, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

READ = frozenset({"read"})


class Clock:
    def __init__(self) -> None:
        self.now = 1_767_322_800.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def story(path: Path, tell: Callable[[Tokens, Clock], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        database, clock = Database(path / "approvals.db"), Clock()
        try:
            await tell(Tokens(database, clock), clock)
        finally:
            await database.close()

    asyncio.run(main())


def test_the_file_holds_no_token(tmp_path: Path) -> None:
    secrets: list[str] = []

    async def tell(tokens: Tokens, _: Clock) -> None:
        token, secret = await tokens.add("bot", READ, seconds=60, by="anna")
        secrets.append(secret)
        assert secret.startswith(PREFIX)
        found = await tokens.find(secret)
        assert found is not None
        assert (found.token_id, found.permissions, found.created_by) == (
            token.token_id,
            READ,
            "anna",
        )

    story(tmp_path, tell)
    for file in tmp_path.iterdir():
        assert secrets[0].encode() not in file.read_bytes()
        assert secrets[0].removeprefix(PREFIX).encode() not in file.read_bytes()


def test_each_has_chance_of_its_own(tmp_path: Path) -> None:
    async def tell(tokens: Tokens, _: Clock) -> None:
        made = [await tokens.add(f"bot{n}", READ, seconds=60, by="anna") for n in range(5)]
        assert len({secret for _, secret in made}) == 5
        assert all(len(secret) == len(PREFIX) + 43 for _, secret in made)

    story(tmp_path, tell)


@pytest.mark.parametrize("wrong", ["", "npx_", "npx_" + "A" * 43, "x", "npx_\ud800", "' OR 1=1 --"])
def test_others_are_not_found(wrong: str, tmp_path: Path) -> None:
    async def tell(tokens: Tokens, _: Clock) -> None:
        await tokens.add("bot", READ, seconds=60, by="anna")
        assert await tokens.find(wrong) is None

    story(tmp_path, tell)


def test_it_is_good_until_its_time_is_over_and_makes_room_for_its_name(tmp_path: Path) -> None:
    async def tell(tokens: Tokens, clock: Clock) -> None:
        _, secret = await tokens.add("bot", READ, seconds=60, by="anna")
        with pytest.raises(NameTaken):
            await tokens.add("bot", READ, seconds=60, by="anna")
        clock.now += 59.9
        assert await tokens.find(secret) is not None
        clock.now += 0.1
        assert await tokens.find(secret) is None
        assert await tokens.every() == ()
        _, other = await tokens.add("bot", READ, seconds=60, by="anna")
        assert await tokens.find(other) is not None

    story(tmp_path, tell)


def test_it_is_good_until_it_is_revoked_once(tmp_path: Path) -> None:
    async def tell(tokens: Tokens, _: Clock) -> None:
        token, secret = await tokens.add("bot", READ, seconds=60, by="anna")
        assert [each.token_id for each in await tokens.every()] == [token.token_id]
        assert await tokens.revoke(token.token_id, by="bob") is not None
        assert await tokens.revoke(token.token_id, by="bob") is None
        assert await tokens.find(secret) is None
        assert await tokens.every() == ()

    story(tmp_path, tell)


def test_another_gateway_sees_it_revoked_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        one, other = (Database(tmp_path / "approvals.db") for _ in range(2))
        here, there = Tokens(one, Clock()), Tokens(other, Clock())
        token, secret = await here.add("bot", READ, seconds=60, by="anna")
        assert await there.find(secret) is not None
        await here.revoke(token.token_id, by="anna")
        assert await there.find(secret) is None
        await one.close()
        await other.close()

    asyncio.run(main())


def test_when_it_was_used_is_known_to_the_minute(tmp_path: Path) -> None:
    async def tell(tokens: Tokens, clock: Clock) -> None:
        _, secret = await tokens.add("bot", READ, seconds=600, by="anna")
        began = clock.now
        await tokens.find(secret)
        clock.now += 59
        await tokens.find(secret)
        (token,) = await tokens.every()
        assert token.used_at == began
        clock.now += 1
        await tokens.find(secret)
        (token,) = await tokens.every()
        assert token.used_at == began + 60

    story(tmp_path, tell)
