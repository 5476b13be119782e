from __future__ import annotations

import pytest

from approvals.errors import (
    AlreadyResolved,
    ApprovalError,
    IllegalStep,
    InvalidAnswer,
    StaleAnswer,
    StoreUnavailable,
    UnknownApproval,
    UnknownGrant,
)
from approvals.http.problems import Problem, invalid, problem_of
from approvals.model import Resolution, Status
from tests.support.approvals import answer


def resolution(status: Status, *, answered: bool) -> Resolution:
    return Resolution(
        approval_id="a-1",
        status=status,
        answer=answer(reviewer="b\x1bo") if answered else None,
        explanation="the command ended",
    )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AlreadyResolved(resolution(Status.GRANTED, answered=True)), 409, "already_resolved"),
        (AlreadyResolved(resolution(Status.WITHDRAWN, answered=False)), 409, "already_resolved"),
        (AlreadyResolved(resolution(Status.EXPIRED, answered=False)), 410, "expired"),
        # A grant that was used up later: somebody answered, and that is the news.
        (AlreadyResolved(resolution(Status.EXPIRED, answered=True)), 409, "already_resolved"),
        (StaleAnswer("two more wait"), 409, "stale"),
        (InvalidAnswer("no such scope"), 422, "invalid"),
        (UnknownApproval("a-1"), 404, "unknown"),
        (UnknownGrant("g-1"), 404, "unknown"),
        (StoreUnavailable("disk full: /home/anna/x.db"), 503, "store_unavailable"),
        (IllegalStep("use in denied"), 500, "internal"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else None,
)
def test_each_error_has_its_status(error: ApprovalError, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)


def test_the_winner_is_named_and_made_visible() -> None:
    problem = problem_of(AlreadyResolved(resolution(Status.GRANTED, answered=True)))
    document = problem.document("q-1")
    assert document["winner"] == {
        "verdict": "allow",
        "scope": "once",
        "reviewer": "b\x1bo",
        "channel": "fake",
    }
    assert document["detail"] == r"b\u001bo (fake) was faster"
    assert document["instance"] == "urn:netproxy:request:q-1"


def test_nothing_of_our_inside_is_told() -> None:
    for error in (StoreUnavailable("/home/anna/x.db"), IllegalStep("use in denied")):
        assert "anna" not in str(problem_of(error).document("q-1"))
        assert "denied" not in str(problem_of(error).document("q-1"))


def test_a_wrong_field_is_named() -> None:
    problem = invalid("seconds", "must be positive")
    assert problem.status == 422
    assert problem.members == {"errors": [{"field": "seconds", "detail": "must be positive"}]}


def test_a_store_that_is_down_says_when_to_come_back() -> None:
    assert problem_of(StoreUnavailable("x")).headers == {"Retry-After": "2"}
    assert Problem(404, "x", "y").headers == {}
