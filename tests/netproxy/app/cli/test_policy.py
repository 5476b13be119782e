"""`netproxy policy` finds its verbs, and says what they are."""

from __future__ import annotations

import os
import subprocess
import sys

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
        ("\x1b[2J", r"unknown verb '\u001b[2J'"),
        ("../policy", "unknown verb '../policy'"),
    ],
)
def test_an_unknown_verb_is_one_line(
    capsys: pytest.CaptureFixture[str], verb: str, problem: str
) -> None:
    assert main([verb]) == 64
    assert capsys.readouterr().err == f"netproxy policy: {problem}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: netproxy policy {verb}")


def test_a_reader_that_leaves_is_no_error() -> None:
    """`netproxy policy schema | head -1` must not end in a traceback."""
    code = "import sys; from netproxy.app.cli import main; sys.exit(main(['policy', 'schema']))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
