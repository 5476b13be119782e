"""What all groups of verbs answer alike: help, a verb that there is none of, Ctrl-C."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest

from netproxy.app.cli import main

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
