from __future__ import annotations

from dataclasses import replace

import pytest

from approvals.model import ALLOWING, Ending, Outcome
from tests.support.approvals import KEY


def test_a_destination_is_spelled_as_its_rule() -> None:
    assert KEY.destination == "https://pypi.org:443"
    assert replace(KEY, host="::1").destination == "https://[::1]:443"


@pytest.mark.parametrize("ending", Ending)
def test_only_a_yes_allows(ending: Ending) -> None:
    outcome = Outcome(ending=ending, approval_id=None, answer=None, explanation="")
    assert outcome.allowed is (ending in {Ending.APPROVED, Ending.GRANTED})
    assert len(ALLOWING) == 2
