"""The shape of `[sandbox]`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from netproxy.policy.sandbox_tables import Sandbox


def test_it_may_say_nothing() -> None:
    assert Sandbox().write == []


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="writes"):
        Sandbox.model_validate({"writes": ["/srv"]})
