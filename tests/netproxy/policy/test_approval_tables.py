"""What `[approvals]` may hold: nothing is converted, nothing unknown, every limit holds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from netproxy.policy.approval_tables import Approvals

WEBHOOK = {"name": "desk", "url": "https://desk.test/hook", "secret_file": "~/secret"}
COMMAND = {"name": "bot", "argv": ["/usr/bin/true"]}
AUTO = {"name": "docs", "hosts": ["docs.test"], "verdict": "allow"}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({"hold_seconds": 0}, id="no time"),
        pytest.param({"hold_seconds_socks": 13 * 3600}, id="longer than a day's work"),
        pytest.param({"max_pending": 0}, id="no question"),
        pytest.param({"max_new": 1.5}, id="half a question"),
        pytest.param({"max_scope": "session"}, id="a key of the managed file"),
        pytest.param({"webhook": [{**WEBHOOK, "name": "a b"}]}, id="a name with a space"),
        pytest.param({"webhook": [{**WEBHOOK, "max_scope": "ever"}]}, id="no scope"),
        pytest.param({"webhook": [{**WEBHOOK, "allow_private": ["desk.test"]}]}, id="a name"),
        pytest.param({"webhook": [{"name": "desk"}]}, id="no address"),
        pytest.param({"command": [{**COMMAND, "argv": []}]}, id="no program"),
        pytest.param({"command": [{**COMMAND, "argv": "true"}]}, id="a shell's line"),
        pytest.param({"command": [{**COMMAND, "environment": ["A=B"]}]}, id="not a variable"),
        pytest.param({"command": [{**COMMAND, "timeout_seconds": 301}]}, id="as slow as a person"),
        pytest.param({"auto": [{**AUTO, "hosts": []}]}, id="for nobody"),
        pytest.param({"auto": [{**AUTO, "hosts": ["*.com"]}]}, id="for everybody"),
        pytest.param({"auto": [{**AUTO, "hosts": ["@python"]}]}, id="a bundle"),
        pytest.param({"auto": [{**AUTO, "verdict": "ask"}]}, id="no verdict"),
        pytest.param({"auto": [{**AUTO, "hours": "8-18"}]}, id="hours without minutes"),
        pytest.param({"auto": [{**AUTO, "hours": "24:00-08:00"}]}, id="a day that ends first"),
        pytest.param({"auto": [{**AUTO, "hours": "08:00-08:00"}]}, id="no hour or every one"),
        pytest.param({"auto": [{**AUTO, "days": ["mon", "mon"]}]}, id="a day twice"),
        pytest.param({"auto": [{**AUTO, "limit": 0}]}, id="never"),
    ],
)
def test_what_it_may_not_hold(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Approvals.model_validate(raw)


def test_hours_are_minutes_and_may_go_through_midnight() -> None:
    autos = [{**AUTO, "hours": text} for text in ("08:00-18:30", "22:00-06:00", "00:00-24:00")]
    read = Approvals.model_validate({"auto": autos})
    assert [each.hours for each in read.auto] == [(480, 1110), (1320, 360), (0, 1440)]


def test_what_is_left_out_is_the_narrowest() -> None:
    read = Approvals.model_validate({"webhook": [WEBHOOK], "command": [COMMAND], "auto": [AUTO]})
    (webhook,), (command,), (auto,) = read.webhook, read.command, read.auto
    assert (webhook.max_scope, webhook.reply_secret_file, webhook.may_assert) == (
        "session",
        None,
        [],
    )
    assert (command.max_scope, command.environment) == ("session", [])
    assert (auto.scope, auto.cancel, auto.hours, auto.days, auto.limit) == (
        "once",
        None,
        None,
        None,
        None,
    )
