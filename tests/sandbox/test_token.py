"""Cancelled once; the first cause wins; whoever waits is told."""

from __future__ import annotations

from sandbox.token import CancellationToken


def test_the_first_cause_wins() -> None:
    token = CancellationToken[str]()
    assert token.cancel("first")
    assert not token.cancel("second")
    assert token.cause == "first"
    assert token.is_cancelled


def test_a_new_token_is_not_cancelled() -> None:
    token = CancellationToken[str]()
    assert token.cause is None
    assert not token.is_cancelled


def test_every_listener_is_told_once_also_a_late_one() -> None:
    token = CancellationToken[str]()
    told: list[str] = []
    token.on_cancel(told.append)
    token.on_cancel(told.append)
    token.cancel("why")
    token.cancel("again")
    token.on_cancel(told.append)
    assert told == ["why", "why", "why"]
