"""Whoever is turned away unheard is told whose limit it was; buckets fill again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.connection.overload import Overload, TokenBucket, turned_away
from netproxy.model import CANCELLING, Reason


@pytest.mark.parametrize("overload", Overload)
def test_a_refusal_is_nobodys_no_and_may_be_tried_again(overload: Overload) -> None:
    decision = turned_away(overload)
    assert (decision.allowed, decision.cancels) == (False, False)
    assert decision.reason is Reason.LIMIT_EXCEEDED
    assert decision.reason not in CANCELLING
    # Bytes don't come back, everything else does.
    assert decision.retry_after_seconds == (None if overload is Overload.BYTES else 1)


def test_what_is_no_clients_own_fault_is_a_503() -> None:
    statuses = {overload: turned_away(overload).status for overload in Overload}
    assert [overload for overload, status in statuses.items() if status == 503] == [
        Overload.TOTAL,
        Overload.DESCRIPTORS,
    ]


def test_a_second_s_worth_at_once_and_then_as_they_come() -> None:
    bucket = TokenBucket(2, now=100.0)
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]
    assert not bucket.take(100.4)
    assert bucket.take(100.5)
    assert not bucket.take(100.5)
    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]


def test_less_than_one_per_second_still_lets_one_in() -> None:
    bucket = TokenBucket(0.5, now=0.0)
    assert [bucket.take(now) for now in (0.0, 1.0, 2.0, 3.0)] == [True, False, True, False]


@given(
    st.floats(0.1, 1000),
    st.lists(st.floats(0, 5), max_size=200),
)
def test_never_more_than_the_rate_and_one_seconds_worth(rate: float, pauses: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate, now=0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
    assert taken <= rate * now + max(rate, 1) + 1e-6
