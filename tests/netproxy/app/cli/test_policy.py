"""`netproxy policy` finds its verbs, and says what they are."""

from __future__ import annotations

import pytest

from netproxy.app.cli.policy import VERBS, main


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {verb} " in out for verb in VERBS)


def test_no_verb_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 64
    assert capsys.readouterr().err.startswith("usage: netproxy policy VERB")


@pytest.mark.parametrize(
    ("verb", "problem"),
    [
        ("chekc", "unknown verb 'chekc', did you mean check?"),
        ("\x1b[2J", r"unknown verb '\x1b[2J'"),
        ("../policy", "unknown verb '../policy'"),
    ],
)
def test_an_unknown_verb_is_one_line(
    capsys: pytest.CaptureFixture[str], verb: str, problem: str
) -> None:
    assert main([verb]) == 64
    assert capsys.readouterr().err == f"netproxy policy: {problem}\n"
