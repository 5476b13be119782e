from __future__ import annotations

from dataclasses import replace

import pytest

from approvals.model import ALLOWING, Budget, Ending, Outcome, Scope, Verdict
from tests.support.approvals import KEY, answer, grant
from tests.support.inbox import question


def test_a_destination_is_spelled_as_its_rule() -> None:
    assert KEY.destination == "https://pypi.org:443"
    assert replace(KEY, host="::1").destination == "https://[::1]:443"


@pytest.mark.parametrize("ending", Ending)
def test_only_a_yes_allows(ending: Ending) -> None:
    outcome = Outcome(ending=ending, approval_id=None, answer=None, explanation="")
    assert outcome.allowed is (ending in {Ending.APPROVED, Ending.GRANTED})
    assert len(ALLOWING) == 2


@pytest.mark.parametrize(
    ("budget", "connections", "carried", "used_up"),
    [
        (None, 10**9, 10**12, False),
        (Budget(), 10**9, 10**12, False),
        (Budget(connections=2), 1, 10**12, False),
        (Budget(connections=2), 2, 0, True),
        (Budget(bytes=100), 10**9, 99, False),
        (Budget(bytes=100), 1, 100, True),
        (Budget(connections=5, bytes=100), 1, 101, True),
    ],
)
def test_a_budget_is_used_up_when_one_part_of_it_is(
    budget: Budget | None, connections: int, carried: int, used_up: bool
) -> None:
    held = replace(grant(), budget=budget, used_connections=connections, used_bytes=carried)
    assert held.is_used_up is used_up


@pytest.mark.parametrize(
    ("widest", "writes_rules", "allow", "deny"),
    [
        (Scope.ONCE, True, ["once"], ["once", "session", "always"]),
        (Scope.TIME, False, ["once", "run", "time"], ["once", "session"]),
        (Scope.ALWAYS, False, ["once", "run", "time", "session"], ["once", "session"]),
        (Scope.ALWAYS, True, list(Scope), ["once", "session", "always"]),
    ],
)
def test_what_is_offered_is_what_can_be_kept(
    widest: Scope, writes_rules: bool, allow: list[str], deny: list[str]
) -> None:
    asked = replace(question(), widest_scope=widest, writes_rules=writes_rules)
    assert list(asked.scopes) == allow
    assert list(asked.denial_scopes) == deny


def test_whoever_meets_a_grant_reads_who_gave_it() -> None:
    said = answer(Verdict.DENY, Scope.SESSION, cancel=True, seen=0)
    assert grant(said=said).answer == said
