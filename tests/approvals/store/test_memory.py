from __future__ import annotations

from approvals.lifecycle import Step, next_record
from approvals.model import Question, Record, Status
from approvals.store.memory import MemoryStore
from tests.support.approvals import ASKING
from tests.support.virtual_time import run_virtual

QUESTION = Question(approval_id="a-1", asking=ASKING, created_at=0.0, expires_at=900.0)
PENDING = Record(question=QUESTION, status=Status.PENDING, version=1, answer=None)


def test_the_first_of_two_changes_wins() -> None:
    store = MemoryStore()
    run_virtual(store.add(PENDING))
    granted, denied = next_record(PENDING, Step.GRANT), next_record(PENDING, Step.DENY)
    assert run_virtual(store.replace(PENDING, granted))
    assert not run_virtual(store.replace(PENDING, denied))
    assert run_virtual(store.replace(granted, next_record(granted, Step.REVOKE)))


def test_final_records_take_no_memory_and_no_change() -> None:
    store = MemoryStore()
    run_virtual(store.add(PENDING))
    assert run_virtual(store.replace(PENDING, next_record(PENDING, Step.DENY)))
    assert store._records == {}
    assert not run_virtual(store.replace(PENDING, next_record(PENDING, Step.GRANT)))


def test_an_unknown_record_is_not_replaced() -> None:
    assert not run_virtual(MemoryStore().replace(PENDING, next_record(PENDING, Step.GRANT)))
