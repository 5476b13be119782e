"""A suggestion where one is near, and silence where none is."""

from __future__ import annotations

from netproxy.policy.spelling import nearest


def test_a_near_word_is_suggested() -> None:
    assert nearest("alow", ["allow", "deny"]) == ", did you mean allow?"


def test_a_far_word_is_not() -> None:
    assert nearest("zzz", ["allow", "deny"]) == ""
