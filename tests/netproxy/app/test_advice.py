"""What is odd about a policy is said before the command runs, briefly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netproxy.app.advice import advice
from netproxy.app.cli.run_options import parse_run
from netproxy.app.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def settings(home: Path, *flags: str) -> Settings:
    return load_settings(
        parse_run([*flags, "true"]),
        {"HOME": str(home)},
        managed_file=home / "none",
        directory=home,
    )


def test_nothing_to_say(tmp_path: Path) -> None:
    assert advice(settings(tmp_path), now=0) == []
    assert advice(settings(tmp_path, "--allow", "a.test", "--deny", "b.test"), now=0) == []


def test_what_was_passed_over_and_what_never_matches(tmp_path: Path) -> None:
    (tmp_path / "netproxy.toml").write_text("")
    said = advice(settings(tmp_path, "--allow", "a.b.test", "--deny", "**.b.test"), now=0)
    assert len(said) == 2
    assert "is not trusted" in said[0]
    assert said[1] == (
        "allow a.b.test (--allow #1) never matches: deny **.b.test (--deny #1) comes before"
    )


def test_much_of_it_is_cut_short(tmp_path: Path) -> None:
    flags = [word for number in range(9) for word in ("--allow", f"*.h{number}.local")]
    said = advice(settings(tmp_path, *flags), now=0)
    assert len(said) == 5
    assert said[-1] == "and 5 more: netproxy policy check"


def test_a_very_long_policy_does_not_keep_the_start_waiting(tmp_path: Path) -> None:
    found = settings(tmp_path, "--allow", "a.local", "--allow", "*.b.local")
    assert len(advice(found, now=0)) == 1
    many = replace(found, spec=replace(found.spec, rules=found.spec.rules * 1001))
    assert advice(many, now=0) == []
