from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from approvals.errors import IllegalStep
from approvals.lifecycle import FINAL, TRANSITIONS, Step, advance, after_grant, next_record
from approvals.model import GrantEnd, Question, Record, Status
from approvals.store.memory import MemoryStore
from tests.support.approvals import ASKING, answer
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Coroutine

QUESTION = Question(approval_id="a-1", asking=ASKING, created_at=0.0, expires_at=900.0)
PENDING = Record(question=QUESTION, status=Status.PENDING, version=1, answer=None)


@pytest.mark.parametrize(("status", "step"), [(status, step) for status in Status for step in Step])
def test_only_steps_in_the_table_are_taken(status: Status, step: Step) -> None:
    if (status, step) in TRANSITIONS:
        assert advance(status, step) is TRANSITIONS[status, step]
    else:
        with pytest.raises(IllegalStep):
            advance(status, step)


def test_final_statuses_are_exactly_those_that_nothing_leaves() -> None:
    assert {str(status) for status in FINAL} == {
        "denied", "expired", "withdrawn", "used", "revoked",
    }  # fmt: skip


def test_only_grant_leads_to_granted_and_only_from_pending() -> None:
    """No way back into an allowing status from any refusal."""
    ways = [before for before, after in TRANSITIONS.items() if after is Status.GRANTED]
    assert ways == [(Status.PENDING, Step.GRANT)]


def test_a_record_counts_its_changes_and_keeps_its_answer() -> None:
    granted = next_record(PENDING, Step.GRANT, answer())
    used = next_record(granted, Step.USE)
    assert (granted.version, used.version) == (2, 3)
    assert used.answer == granted.answer == answer()
    assert PENDING.status is Status.PENDING


@given(st.lists(st.sampled_from(Step), max_size=12))
def test_a_final_status_never_changes_again(steps: list[Step]) -> None:
    record, final = PENDING, None
    for step in steps:
        if final is not None:
            assert record.status is final
        try:
            record = next_record(record, step)
        except IllegalStep:
            continue
        assert final is None
        final = record.status if record.status in FINAL else None


def at_once[T](work: Coroutine[object, object, T]) -> T:
    """What waits for nothing needs no loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    raise AssertionError("it waits")


class TwoGateways(RuleBasedStateMachine):
    """Two gateways change one stored record, each from what it last saw: one wins each time."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        at_once(self.store.add(PENDING))
        self.truth = PENDING
        self.views = [PENDING, PENDING]

    @rule(who=st.integers(0, 1), step=st.sampled_from(Step))
    def change(self, who: int, step: Step) -> None:
        view = self.views[who]
        try:
            new = next_record(view, step)
        except IllegalStep:
            return
        won = at_once(self.store.replace(view, new))
        assert won is (view == self.truth)
        if won:
            self.truth = self.views[who] = new

    @rule(who=st.integers(0, 1))
    def look_again(self, who: int) -> None:
        self.views[who] = self.truth

    @invariant()
    def versions_never_run_ahead(self) -> None:
        assert all(view.version <= self.truth.version for view in self.views)


TestTwoGateways = TwoGateways.TestCase


def test_a_record_with_another_version_is_not_replaced() -> None:
    store = MemoryStore()
    run_virtual(store.add(PENDING))
    stale = replace(PENDING, version=7)
    assert not run_virtual(store.replace(stale, next_record(stale, Step.DENY)))


@pytest.mark.parametrize("end", GrantEnd)
def test_every_end_of_a_grant_is_a_final_step_of_what_left_it(end: GrantEnd) -> None:
    """A denial that is forgotten stays a denial."""
    after = after_grant(next_record(PENDING, Step.GRANT), end)
    assert after.status in {Status.USED, Status.EXPIRED, Status.REVOKED}
    denied = next_record(PENDING, Step.DENY)
    assert after_grant(denied, end) is denied
