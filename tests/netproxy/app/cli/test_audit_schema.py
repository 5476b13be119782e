"""`netproxy audit schema` prints what is checked in, byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from otel.events import EVENTS
from tests.support.auditing import run, usage_error
from tests.support.people import ROOT

if TYPE_CHECKING:
    from tests.support.auditing import Capture

CHECKED_IN = (ROOT / "docs/schema/audit.json").read_text()


def test_it_prints_the_file_that_is_checked_in(capsys: Capture) -> None:
    """Make it again with `netproxy audit schema > docs/schema/audit.json`."""
    assert run(capsys, "schema") == (0, CHECKED_IN, "")


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.name)
def test_it_prints_each_of_them(capsys: Capture, kind: type) -> None:
    name = kind.name  # type: ignore[attr-defined]  # of an event class
    _, out, _ = run(capsys, "schema", name)
    assert run(capsys, "schema", name.removeprefix("netproxy.")) == (0, out, "")
    made = json.loads(out)
    del made["$schema"]
    assert made == json.loads(CHECKED_IN)["$defs"][name]


def test_what_is_no_event_is_bad_usage(capsys: Capture) -> None:
    assert "did you mean policy_decision?" in usage_error(capsys, "schema", "polcy_decision")
