"""The options that say what the command sees."""

from __future__ import annotations

import pytest

from netproxy.app.cli.run_options import parse_run


def test_without_a_word_nothing_is_said() -> None:
    said = parse_run(["--", "true"]).sandbox

    assert said.write == ()
    assert not said.no_sandbox


def test_an_empty_path_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_run(["--write", "", "--", "true"])

    assert left.value.code == 64
    assert "is not a path" in capsys.readouterr().err
