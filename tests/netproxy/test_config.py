"""What a file chooses takes the place of our defaults, and leaves the others."""

from __future__ import annotations

from dataclasses import asdict

from netproxy.config import ChosenLimits, Limits


def test_what_nobody_chose_stays() -> None:
    assert ChosenLimits().over(Limits()) == Limits()


def test_what_was_chosen_holds() -> None:
    names = asdict(ChosenLimits())
    chosen = ChosenLimits(**{name: number for number, name in enumerate(names, start=7)})
    limits = asdict(chosen.over(Limits()))
    assert {name: limits[name] for name in asdict(chosen)} == asdict(chosen)
    others = {name: value for name, value in asdict(Limits()).items() if name not in asdict(chosen)}
    assert {name: limits[name] for name in others} == others
