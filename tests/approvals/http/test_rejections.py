from __future__ import annotations

import pytest

from approvals.errors import (
    AlreadyResolved,
    ApprovalError,
    InvalidAnswer,
    StaleAnswer,
    StoreUnavailable,
    TooWide,
    UnknownApproval,
)
from approvals.http.rejections import MOST_STRANGERS, Strangers, record_rejection, rejection_of
from approvals.model import Rejection, Resolution, Status
from tests.support.approvals import ListSink, answer


def resolved(status: Status, *, answered: bool) -> AlreadyResolved:
    said = answer() if answered else None
    return AlreadyResolved(
        Resolution(approval_id="a-1", status=status, answer=said, explanation="")
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (resolved(Status.GRANTED, answered=True), Rejection.ALREADY_RESOLVED),
        (resolved(Status.EXPIRED, answered=False), Rejection.EXPIRED),
        (resolved(Status.EXPIRED, answered=True), Rejection.ALREADY_RESOLVED),
        (StaleAnswer(""), Rejection.STALE),
        (InvalidAnswer(""), Rejection.INVALID),
        (TooWide(""), Rejection.SCOPE),
        (UnknownApproval(""), Rejection.UNKNOWN),
        (StoreUnavailable(""), Rejection.UNRECORDED),
    ],
)
def test_why_it_was_turned_away(error: ApprovalError, reason: Rejection) -> None:
    assert rejection_of(error) is reason


def test_a_trail_that_takes_nothing_is_no_reason_to_fail() -> None:
    sink = ListSink("*")
    record_rejection(sink, Rejection.STALE, channel="api")
    assert sink.events == []


def test_of_many_strangers_the_first_of_each_minute_are_on_record() -> None:
    sink, strangers = ListSink(), Strangers()
    for second in range(59):
        strangers.record(sink, Rejection.FORBIDDEN, channel="web", now=float(second))
    assert len(sink.events) == MOST_STRANGERS
    strangers.record(sink, Rejection.FORBIDDEN, channel="web", now=60.0)
    assert len(sink.events) == MOST_STRANGERS + 1
