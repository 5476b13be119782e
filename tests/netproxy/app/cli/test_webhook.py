"""`netproxy webhook`: its verbs, and what it says of others."""

from __future__ import annotations

import pytest

from netproxy.app.cli.webhook import VERBS, main


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in VERBS)
    assert main([]) == 64


def test_another_verb_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tset"]) == 64
    assert "did you mean test?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    assert f"netproxy webhook {verb}" in capsys.readouterr().out
