"""The options that say what the command sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from sandbox.capture import Capture
from sandbox.inheritance import Inherit
from sandbox.limits import Limit

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_word_nothing_is_said() -> None:
    said = parse_run(["--", "true"]).sandbox

    assert said.write == ()
    assert not said.no_sandbox
    assert said.limits == ()
    assert said.capture is None
    assert (said.inherit, said.environment) == (None, ())


def test_variables_in_the_order_of_the_line() -> None:
    said = parse_run(["--env", "A", "--env", "B=c=d", "--inherit-env", "core", "--", "x"]).sandbox

    assert said.environment == (("A", None), ("B", "c=d"))
    assert said.inherit is Inherit.CORE


@pytest.mark.parametrize(
    ("text", "error"),
    [("=x", "is not NAME or NAME=VALUE"), ("NETPROXY_RUN=r-1", "is for netproxy to say")],
)
def test_a_variable_that_nobody_can_set(
    capsys: pytest.CaptureFixture[str], text: str, error: str
) -> None:
    with pytest.raises(SystemExit) as left:
        parse_run(["--env", text, "--", "true"])

    assert left.value.code == 64
    assert error in capsys.readouterr().err


def test_an_empty_path_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_run(["--write", "", "--", "true"])

    assert left.value.code == 64
    assert "is not a path" in capsys.readouterr().err


def test_a_path_is_meant_from_here_and_a_glob_in_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "w[1]" / "[id]").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "w[1]")
    here = tmp_path / "w[1]"
    words = ["--hide", "secret", "--hide", "*.env", "--read", "[id]", "--write", "[id]", "--", "x"]
    said = parse_run(words).sandbox
    assert said.hide == (here / "secret", "*.env")
    assert said.read == (here / "[id]", "[id]"), "what is called like it, and what it matches"
    assert said.write == (here / "[id]",)


def test_limits_are_read_in_their_order() -> None:
    said = parse_run(["--limit", "memory=2G", "--limit", "open-files=64", "--", "true"]).sandbox

    assert said.limits == (
        Limit(name="memory", amount=2 << 30),
        Limit(name="open-files", amount=64),
    )


def test_a_limit_that_is_none_is_refused_with_what_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        parse_run(["--limit", "disk=2G", "--", "true"])

    assert left.value.code == 64
    assert "'disk=2G': no such limit; there are processes, memory" in capsys.readouterr().err


def test_what_is_captured_is_one_of_three() -> None:
    assert parse_run(["--capture", "only", "--", "true"]).sandbox.capture is Capture.ONLY
    with pytest.raises(SystemExit) as left:
        parse_run(["--capture", "on", "--", "true"])
    assert left.value.code == 64
