from __future__ import annotations

from approvals.config import Config, TerminalConfig


def test_defaults_are_those_of_the_design() -> None:
    config = Config()
    assert (config.hold_seconds, config.answerable_seconds) == (120, 900)
    assert (config.lease_seconds, config.delivery_seconds) == (60, 10)
    assert TerminalConfig().deaf_seconds == 0.5


def test_a_question_outlives_the_connection_that_raised_it() -> None:
    config = Config()
    assert config.delivery_seconds < config.hold_seconds < config.answerable_seconds


def test_no_lease_outlives_what_any_yes_may_live() -> None:
    assert Config().longest_lease == 60
    assert Config(grant_seconds=3600).longest_lease == 60
    assert Config(grant_seconds=5).longest_lease == 5
