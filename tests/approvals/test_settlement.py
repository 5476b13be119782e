from __future__ import annotations

from dataclasses import replace

import pytest

from approvals.config import Config
from approvals.lifecycle import Step, next_record
from approvals.model import Answer, Budget, Ending, Record, Scope, Status, Verdict
from approvals.settlement import ending_of, new_grant
from tests.support.approvals import answer, grant
from tests.support.inbox import question

PENDING = Record(question=question(), status=Status.PENDING, version=1, answer=None)


@pytest.mark.parametrize(
    ("said", "config", "lives"),
    [
        (answer(scope=Scope.SESSION), Config(), None),
        (answer(scope=Scope.SESSION), Config(grant_seconds=30), 30),
        (answer(scope=Scope.RUN), Config(grant_seconds=30), 30),
        (answer(scope=Scope.ONCE), Config(), 60),
        (answer(scope=Scope.ONCE), Config(grant_seconds=5), 5),
        (replace(answer(scope=Scope.TIME), seconds=300.0), Config(), 300),
        (answer(Verdict.DENY, Scope.SESSION), Config(grant_seconds=30), None),
    ],
)
def test_its_time_runs_from_the_answer(said: Answer, config: Config, lives: float | None) -> None:
    """Three minutes or thirty after the question: five minutes are five minutes."""
    made = new_grant(question(), said, 1000.0, config)
    assert made.expires_at == (None if lives is None else 1000 + lives)
    assert (made.created_at, made.run, made.key) == (1000.0, "r-1", question().key)


def test_it_carries_who_gave_it_and_what_for() -> None:
    said = replace(answer(scope=Scope.SESSION), budget=Budget(bytes=7), comment="docs")
    made = new_grant(question(), said, 0.0, Config())
    assert (made.budget, made.comment, made.reviewer) == (Budget(bytes=7), "docs", "anna")


@pytest.mark.parametrize(("scope", "file"), [(Scope.ALWAYS, "/own.toml"), (Scope.SESSION, None)])
def test_one_for_always_knows_where_its_rule_is(scope: Scope, file: str | None) -> None:
    asked = question()
    asked = replace(asked, asking=replace(asked.asking, rule_file="/own.toml"))
    assert new_grant(asked, answer(scope=scope), 0.0, Config()).rule_file == file


@pytest.mark.parametrize(
    ("record", "scope", "ending"),
    [
        (next_record(PENDING, Step.DENY, answer(Verdict.DENY)), None, Ending.DENIED),
        (next_record(PENDING, Step.DENY), None, Ending.UNAVAILABLE),
        (next_record(PENDING, Step.EXPIRE), None, Ending.TIMEOUT),
        (next_record(PENDING, Step.GRANT, answer()), Scope.SESSION, Ending.APPROVED),
        (next_record(PENDING, Step.GRANT, answer()), Scope.TIME, Ending.APPROVED),
        (next_record(PENDING, Step.GRANT, answer()), Scope.RUN, None),
        (next_record(PENDING, Step.GRANT, answer()), Scope.ONCE, None),
        (next_record(PENDING, Step.GRANT, answer()), None, None),
        (next_record(PENDING, Step.WITHDRAW), None, None),
        (next_record(next_record(PENDING, Step.GRANT, answer()), Step.REVOKE), None, None),
        (next_record(next_record(PENDING, Step.GRANT, answer()), Step.EXPIRE), None, None),
    ],
)
def test_what_another_gateway_settled_never_lets_through_what_it_was_not_for(
    record: Record, scope: Scope | None, ending: Ending | None
) -> None:
    left = None if scope is None else grant(said=answer(scope=scope))
    assert ending_of(record, left) is ending
