"""The policy that is asked about is the one that a run here would have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.policy_settings import in_force
from netproxy.app.cli.run_options import add_policy_options
from netproxy.model import Verdict
from tests.support.policies import Memory, to

if TYPE_CHECKING:
    from pathlib import Path


def given(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_policy_options(parser)
    return parser.parse_args([*words, "--no-project"])


def test_files_and_flags_add_up(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[profiles.dev.network]\nallow = ["a.example"]\ndefault = "deny"\n')
    held = in_force(given("--config", str(config), "--deny", "b.example"))
    assert (held.settings.profile, held.policy.rule_count) == ("dev", 2)
    assert held.policy.judge(to("a.example:443"), "GET", Memory()).verdict is Verdict.ALLOW
    assert held.settings.command == ()


def test_bad_settings_are_told_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[profiles.dev.network]\nalow = ["a.example"]\nmode = "\\u001b"\n')
    with pytest.raises(SystemExit) as left:
        in_force(given("--config", str(config)))
    told = capsys.readouterr().err
    assert left.value.code == 78
    assert "c.toml:2:1 profiles.dev.network.alow: unknown key, did you mean allow?" in told
    assert told.count("\n") == 2
    assert "\x1b" not in told
