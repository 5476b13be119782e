"""The shape of `[sandbox]`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from netproxy.policy.sandbox_tables import Sandbox


def test_it_may_say_nothing() -> None:
    assert Sandbox().write == []
    assert Sandbox().capture == "auto"


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="writes"):
        Sandbox.model_validate({"writes": ["/srv"]})


def test_amounts_of_bytes_are_numbers_or_text() -> None:
    limits = Sandbox.model_validate({"limits": {"memory": "2G", "file_size": 4096}}).limits

    assert limits.model_dump(exclude_none=True) == {"memory": "2G", "file_size": "4096"}


@pytest.mark.parametrize(
    ("name", "amount"),
    [
        ("memory", "2g"), ("memory", 0), ("memory", True), ("memory", 1.5), ("memory", "12\n"),
        ("processes", 0), ("processes", "20"), ("processes", True), ("cpu_seconds", 10**9),
        ("time", 1),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused(name: str, amount: object) -> None:
    with pytest.raises(ValidationError):
        Sandbox.model_validate({"limits": {name: amount}})


def test_an_environment() -> None:
    table = {"inherit": "core", "set": {"A": "b"}, "exclude": ["*_URL"], "include_only": ["A"]}
    found = Sandbox.model_validate({"environment": table}).environment
    assert (found.inherit, found.set, found.default_excludes) == ("core", {"A": "b"}, True)


@pytest.mark.parametrize(
    "table",
    [
        {"inherit": "some"}, {"set": {"": "x"}}, {"set": {"A=B": "x"}}, {"set": {"A": "\0"}},
        {"exclude": ["\0"]}, {"set": {"netproxy_run": "r-1"}}, {"set": {"A": 1}}, {"only": ["A"]},
    ],
)  # fmt: skip
def test_what_no_environment_can_be_is_refused(table: object) -> None:
    with pytest.raises(ValidationError):
        Sandbox.model_validate({"environment": table})
