"""What callers send becomes values as they are meant, or is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from approvals.http.wire import BudgetBody


@pytest.mark.parametrize("number", [2, 2.0])
def test_a_whole_number_is_one_however_it_is_spelled(number: float) -> None:
    assert BudgetBody.model_validate({"connections": number}).connections == 2


@pytest.mark.parametrize("number", [2.5, "2", True, 0, 2**53])
def test_what_is_no_count_is_refused(number: object) -> None:
    with pytest.raises(ValidationError):
        BudgetBody.model_validate({"connections": number})
