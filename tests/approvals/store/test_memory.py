from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from approvals.lifecycle import Step, next_record
from approvals.model import GrantEnd
from approvals.store import memory
from approvals.store.memory import MemoryStore
from tests.support.approvals import grant
from tests.support.store_contract import Hands, StoreContract, pending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TestMemoryStore(StoreContract):
    @asynccontextmanager
    async def opened(self, clock: Hands) -> AsyncIterator[MemoryStore]:
        yield MemoryStore(clock.wall)


def test_after_a_while_it_forgets() -> None:
    async def main() -> None:
        store = MemoryStore()
        count = memory._REMEMBERED + 2
        for number in range(count):
            record = pending(f"a-{number}")
            await store.add(record)
            ended = replace(next_record(record, Step.GRANT), ended_at=float(number))
            own = replace(grant(), approval_id=f"a-{number}")
            await store.replace(record, ended, grant=own)
            await store.end_grant(own, GrantEnd.USED)
        assert len(await store.of_host("pypi.org", limit=count)) == memory._REMEMBERED
        assert await store.find("a-0") is None
        assert await store.grant_of("a-0") is None

    asyncio.run(main())
