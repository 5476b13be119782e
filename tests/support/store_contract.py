"""What every store promises, whatever it is made of: `approvals.ports.Store` as tests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from approvals.lifecycle import Step, next_record
from approvals.model import (
    Answer,
    Budget,
    ChangeKind,
    Grant,
    GrantEnd,
    Key,
    Question,
    Record,
    Scope,
    Status,
    Swept,
    Verdict,
)
from tests.support.approvals import ASKING, answer, grant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from approvals.ports import Store

QUESTION = Question(approval_id="a-1", asking=ASKING, created_at=10.0, expires_at=910.0)
PENDING = Record(question=QUESTION, status=Status.PENDING, version=1, answer=None)
GRANTED = replace(next_record(PENDING, Step.GRANT, answer()), ended_at=20.0)
DENIED = replace(next_record(PENDING, Step.DENY), ended_at=20.0)
HOSTILE = "a\x00b\ud800\x1b[2J'\";--\u202e\U0001f600"


@dataclass
class Hands:
    """A clock that the test moves."""

    now: float = 1000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def pending(
    approval_id: str, *, host: str = "pypi.org", session: str = "s-1", created_at: float = 10.0
) -> Record:
    key = Key(session=session, host=host, protocol="https", port=443)
    asked = replace(ASKING, key=key)
    question = replace(QUESTION, approval_id=approval_id, asking=asked, created_at=created_at)
    return replace(PENDING, question=question)


def granted(record: Record, said: Answer | None = None) -> tuple[Record, Grant]:
    """What a yes makes of it, and the grant that it leaves."""
    said = said or answer(Verdict.ALLOW, Scope.SESSION)
    after = replace(next_record(record, Step.GRANT, said), ended_at=20.0)
    left = replace(
        grant(record.question.key, said),
        approval_id=record.question.approval_id,
        grant_id="g" + record.question.approval_id[1:],
    )
    return after, left


class StoreContract:
    """Subclasses say how a store is made."""

    def opened(self, clock: Hands) -> AbstractAsyncContextManager[Store]:
        raise NotImplementedError

    def run(self, main: Callable[[Store], Awaitable[None]]) -> None:
        async def inside() -> None:
            async with self.opened(Hands()) as store:
                await main(store)

        asyncio.run(inside())

    def test_the_first_of_two_changes_wins(self) -> None:
        async def main(store: Store) -> None:
            await store.add(PENDING)
            both = await asyncio.gather(
                store.replace(PENDING, GRANTED), store.replace(PENDING, DENIED)
            )
            assert sorted(both) == [False, True]
            assert not await store.replace(pending("a-9"), GRANTED)

        self.run(main)

    def test_a_record_comes_back_as_it_was_put(self) -> None:
        said = Answer(
            verdict=Verdict.ALLOW,
            scope=Scope.TIME,
            cancel=False,
            reviewer=HOSTILE,
            channel="web",
            seen_join_no=3,
            comment=HOSTILE,
            seconds=90.0,
            budget=Budget(connections=2),
            seen_version=1,
            seen_digest="d",
        )
        asked = replace(ASKING, command=HOSTILE, unicode_host="\u043f.org", hold_seconds=3.5)
        question = replace(QUESTION, asking=asked, widest_scope=Scope.ALWAYS, grant_seconds=5.0)

        async def main(store: Store) -> None:
            first = replace(PENDING, question=question)
            kept = await store.add(first)
            assert replace(kept, gateway="") == first
            assert await store.find("a-1") == kept
            assert kept.question.digest == question.digest
            after = replace(next_record(kept, Step.GRANT, said), ended_at=20.0)
            assert await store.replace(kept, after)
            assert await store.find("a-1") == after
            assert await store.find("a-2") is None
            assert await store.grant_of("a-1") is None

        self.run(main)

    def test_a_key_has_one_pending_record_however_many_ask(self) -> None:
        async def main(store: Store) -> None:
            asked = await asyncio.gather(*(store.add(pending(f"a-{n}")) for n in range(20)))
            assert len({each.question.approval_id for each in asked}) == 1
            await store.replace(asked[0], next_record(asked[0], Step.DENY))
            assert (await store.add(pending("a-20"))).question.approval_id == "a-20"
            other = await store.add(pending("a-21", host="example.org"))
            assert other.question.approval_id == "a-21"

        self.run(main)

    def test_a_grant_comes_with_its_record_and_ends_once(self) -> None:
        async def main(store: Store) -> None:
            record = await store.add(PENDING)
            after, left = granted(record)
            left = replace(left, budget=Budget(connections=5), comment=HOSTILE, reviewer=HOSTILE)
            assert not await store.end_grant(left, GrantEnd.REVOKED)
            assert not await store.replace(replace(record, version=7), after, grant=left)
            assert await store.held() == ()
            assert await store.replace(record, after, grant=left)
            assert await store.held() == (left,)
            spent = replace(left, used_bytes=7, used_connections=2)
            await store.spend(spent)
            assert await store.grant_of("a-1") == spent
            ends = (GrantEnd.REVOKED, GrantEnd.EXPIRED)
            told = await asyncio.gather(*(store.end_grant(spent, end) for end in ends))
            assert sorted(told) == [False, True]
            await store.spend(replace(spent, used_bytes=9))
            assert await store.held() == ()
            assert await store.grant_of("a-1") == spent
            found = await store.find("a-1")
            assert found is not None
            assert found.status is (Status.REVOKED if told[0] else Status.EXPIRED)
            assert found.version == 3
            assert found.ended_at == 20.0

        self.run(main)

    def test_a_denial_that_is_remembered_stays_a_denial_when_it_ends(self) -> None:
        async def main(store: Store) -> None:
            record = await store.add(PENDING)
            said = answer(Verdict.DENY, Scope.SESSION, cancel=True)
            denied = replace(next_record(record, Step.DENY, said), ended_at=20.0)
            left = grant(said=said)
            assert await store.replace(record, denied, grant=left)
            assert (await store.held())[0].cancel
            assert await store.end_grant(left, GrantEnd.REVOKED)
            assert await store.find("a-1") == denied

        self.run(main)

    def test_each_change_has_the_next_number(self) -> None:
        async def main(store: Store) -> None:
            assert await store.last_change() == 0
            record = await store.add(PENDING)
            await store.add(pending("a-2"))
            after, left = granted(record)
            await store.replace(record, after, grant=left)
            await store.replace(record, after)
            await store.end_grant(left, GrantEnd.USED)
            found = await store.changes(0, limit=9)
            assert [(each.number, each.kind, each.ref) for each in found] == [
                (1, ChangeKind.ASKED, "a-1"),
                (2, ChangeKind.RESOLVED, "a-1"),
                (3, ChangeKind.GRANTED, "g-1"),
                (4, ChangeKind.GRANT_ENDED, "g-1"),
            ]
            assert await store.changes(2, limit=1) == found[2:3]
            assert await store.changes(4, limit=9) == ()
            assert await store.last_change() == 4

        self.run(main)

    def test_what_ended_is_listed_newest_first(self) -> None:
        async def main(store: Store) -> None:
            for number in range(4):
                host = "pypi.org" if number % 2 else "example.org"
                record = await store.add(
                    pending(f"a-{number}", host=host, created_at=float(number))
                )
                ended = replace(next_record(record, Step.DENY), ended_at=100.0 + number)
                await store.replace(record, ended)
            await store.add(pending("a-4", created_at=4.0))
            recent = await store.recent(limit=2)
            assert [each.ended_at for each in recent] == [103.0, 102.0]
            recent = await store.recent(limit=9, before=102.0)
            assert [each.ended_at for each in recent] == [101.0, 100.0]
            found = await store.of_host("pypi.org", limit=9)
            assert [each.question.approval_id for each in found] == ["a-4", "a-3", "a-1"]
            assert len(await store.of_host("pypi.org", limit=1)) == 1
            assert await store.of_host("elsewhere.org", limit=9) == ()

        self.run(main)

    def test_a_named_session_is_the_same_each_time(self) -> None:
        async def main(store: Store) -> None:
            session, held = await store.resume("ci")
            assert held == ()
            record = await store.add(pending("a-1", session=session))
            after, left = granted(record)
            await store.replace(record, after, grant=left)
            assert await store.resume("ci") == (session, (left,))
            other, held = await store.resume("nightly")
            assert other != session
            assert held == ()
            assert await store.sweep() == Swept()
            assert await store.held() == (left,)

        self.run(main)
