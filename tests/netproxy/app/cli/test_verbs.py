"""What all groups of verbs answer alike: help, a verb that there is none of, Ctrl-C."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = ("approvals", "audit", "policy", "webhook")


@pytest.mark.parametrize("group", GROUPS)
def test_without_a_verb_each_says_which_there_are(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"netproxy.app.cli.{group}")
    assert module.main([]) == 64
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[0][: 22 + len(group)]) == (
        "",
        f"usage: netproxy {group} VERB ",
    )
    assert all(f"\n  {verb} " in said.err for verb in module.VERBS)
    assert module.main(["--help"]) == 0
    assert capsys.readouterr().out == said.err


@pytest.mark.parametrize("group", GROUPS)
def test_an_unknown_verb_is_shown_and_made_visible(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"netproxy.app.cli.{group}")
    known = next(iter(module.VERBS))
    assert module.main([f"{known}x"]) == 64
    assert capsys.readouterr().err.endswith(f"unknown verb '{known}x', did you mean {known}?\n")
    module.main(["\x1b[2J"])
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [["demo"], ["webhook", "test"]], ids=" ".join)
def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    module = ModuleType("interrupted")
    module.main = interrupted  # type: ignore[attr-defined]  # a fake verb
    monkeypatch.setitem(sys.modules, f"netproxy.app.cli.{'_'.join(words)}", module)
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    assert main(words) == 130


def test_nor_is_one_behind_the_end_of_a_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def interrupted() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr("netproxy.app.cli.standard_streams", interrupted)
    assert main(["--version"]) == 130


# Handing over takes that long.
_CALLED_OFF = """
import os, signal
from netproxy.app.cli import run

def handed_over(arguments, environ):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        print("unwound", flush=True)

run.handed_over = handed_over
run.main(["--", "true"])
"""


def test_a_launcher_unwinds_too() -> None:
    """What it has built is to be abandoned: the default would end it as it stands."""
    done = subprocess.run(
        [sys.executable, "-c", _CALLED_OFF], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "unwound\n"), done.stderr
