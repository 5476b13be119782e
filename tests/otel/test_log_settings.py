from __future__ import annotations

from dataclasses import fields, replace

from otel.log_settings import LogSettings


def test_usual_is_what_nobody_chose() -> None:
    usual = LogSettings()
    assert usual.is_usual
    for each in fields(LogSettings):
        others = [
            value for value in type(getattr(usual, each.name)) if value != getattr(usual, each.name)
        ]
        assert not replace(usual, **{each.name: others[0]}).is_usual
