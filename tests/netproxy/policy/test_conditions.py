"""A condition says what it asks of a request."""

from __future__ import annotations

from netproxy.policy.conditions import Condition


def test_in_words() -> None:
    asked = Condition(methods=("GET", "HEAD"), paths=("/v1/**",), headers=(("x-team", "a"),))
    assert str(asked) == "GET,HEAD /v1/** x-team: a"
