from __future__ import annotations

import asyncio
from dataclasses import replace

from approvals.lifecycle import Step, next_record
from approvals.model import ChangeKind, GrantEnd, Question, Record, Status, Swept
from approvals.store import memory
from approvals.store.memory import MemoryStore
from tests.support.approvals import ASKING, grant
from tests.support.virtual_time import run_virtual

QUESTION = Question(approval_id="a-1", asking=ASKING, created_at=0.0, expires_at=900.0)
PENDING = Record(question=QUESTION, status=Status.PENDING, version=1, answer=None)
GRANTED = next_record(PENDING, Step.GRANT)


def pending(approval_id: str) -> Record:
    return replace(PENDING, question=replace(QUESTION, approval_id=approval_id))


def test_the_first_of_two_changes_wins() -> None:
    store = MemoryStore()
    run_virtual(store.add(PENDING))
    denied = next_record(PENDING, Step.DENY)
    assert run_virtual(store.replace(PENDING, GRANTED))
    assert not run_virtual(store.replace(PENDING, denied))
    assert run_virtual(store.replace(GRANTED, next_record(GRANTED, Step.REVOKE)))


def test_an_unknown_record_is_not_replaced() -> None:
    assert not run_virtual(MemoryStore().replace(PENDING, GRANTED))


def test_a_key_has_one_pending_record() -> None:
    async def main() -> None:
        store = MemoryStore()
        assert await store.add(PENDING) is PENDING
        assert await store.add(pending("a-2")) is PENDING
        await store.replace(PENDING, next_record(PENDING, Step.DENY))
        assert (await store.add(pending("a-2"))).question.approval_id == "a-2"

    asyncio.run(main())


def test_a_grant_comes_with_its_record_and_ends_once() -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.add(PENDING)
        assert not await store.end_grant(grant(), GrantEnd.REVOKED)
        assert await store.replace(PENDING, GRANTED, grant=grant())
        assert await store.held() == (grant(),)
        spent = replace(grant(), used_bytes=7)
        await store.spend(spent)
        assert await store.grant_of("a-1") == spent
        assert await store.end_grant(spent, GrantEnd.REVOKED)
        assert not await store.end_grant(spent, GrantEnd.EXPIRED)
        await store.spend(grant())
        assert await store.held() == ()
        assert await store.grant_of("a-1") == spent
        found = await store.find("a-1")
        assert found is not None
        assert found.status is Status.REVOKED

    asyncio.run(main())


def test_each_change_has_the_next_number() -> None:
    async def main() -> None:
        store = MemoryStore()
        assert await store.last_change() == 0
        await store.add(PENDING)
        await store.replace(PENDING, GRANTED, grant=grant())
        await store.end_grant(grant(), GrantEnd.USED)
        found = await store.changes(0, limit=9)
        assert [(each.number, each.kind, each.ref) for each in found] == [
            (1, ChangeKind.ASKED, "a-1"),
            (2, ChangeKind.RESOLVED, "a-1"),
            (3, ChangeKind.GRANTED, "g-1"),
            (4, ChangeKind.GRANT_ENDED, "g-1"),
        ]
        assert await store.changes(2, limit=1) == found[2:3]
        assert await store.last_change() == 4

    asyncio.run(main())


def test_what_ended_is_listed_and_after_a_while_forgotten() -> None:
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
        newest = [each.ended_at for each in await store.recent(limit=2, before=count - 1)]
        assert newest == [count - 2, count - 3]
        assert len(await store.of_host("pypi.org", limit=count)) == memory._REMEMBERED
        assert await store.find("a-0") is None
        assert await store.grant_of("a-0") is None

    asyncio.run(main())


def test_a_named_session_is_the_same_each_time() -> None:
    async def main() -> None:
        store = MemoryStore()
        session, held = await store.resume("ci")
        assert held == ()
        key = replace(QUESTION.key, session=session)
        asked = replace(PENDING, question=replace(QUESTION, asking=replace(ASKING, key=key)))
        await store.add(asked)
        await store.replace(asked, next_record(asked, Step.GRANT), grant=grant(key))
        assert await store.resume("ci") == (session, (grant(key),))
        assert (await store.resume("other"))[1] == ()
        assert await store.sweep() == Swept()

    asyncio.run(main())
