"""`netproxy policy schema` prints what is checked in, byte for byte."""

from __future__ import annotations

import pytest

from netproxy.app.cli.policy import main
from netproxy.policy.schema import MODELS
from tests.support.people import ROOT


@pytest.mark.parametrize("kind", MODELS)
def test_it_prints_the_file_that_is_checked_in(
    capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert main(["schema", kind]) == 0
    assert capsys.readouterr().out == (ROOT / f"docs/schema/{kind}.json").read_text()


def test_without_a_kind_it_is_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == (ROOT / "docs/schema/config.json").read_text()


def test_another_kind_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["schema", "confg"])
    assert caught.value.code == 64
    assert capsys.readouterr().err == (
        "netproxy policy schema: KIND: 'confg' is not one of config, project, requirements, cases, "
        "did you mean config?\n"
    )
