"""An answer for always: on record first, then in the file, with who said so and why."""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from approvals import Answer, Question, Scope, SystemClock, Verdict
from approvals.errors import RuleRefused
from netproxy.app.cli.run_options import parse_run
from netproxy.app.rule_file import RuleFile
from netproxy.app.rule_writer import RuleWriter
from netproxy.app.settings import load_settings
from otel.events import RuleWritten
from tests.support.approvals import ASKING, ListSink, answer

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = Question(approval_id="a-1", asking=ASKING, created_at=0, expires_at=1)
ALWAYS = answer(Verdict.ALLOW, Scope.ALWAYS)


class Desk:
    """One session with a file, and what is told of it."""

    def __init__(self, home: Path, sink: ListSink) -> None:
        self.file = home / ".config" / "netproxy" / "config.toml"
        self.sink = sink
        self.written: list[bool] = []
        load = partial(
            load_settings,
            parse_run(["--", "true"]),
            {"HOME": str(home)},
            managed_file=home / "absent",
            directory=home,
        )
        self.writer = RuleWriter(SystemClock())
        rules = RuleFile(self.file, load, is_own=True)
        self.writer.open("s-1", ASKING.run, rules, sink=sink, written=self.written.append)

    def write(self, said: Answer = ALWAYS, question: Question = QUESTION) -> None:
        asyncio.run(self.writer.write(question, said))

    def rules(self) -> list[dict[str, object]]:
        raw = tomllib.loads(self.file.read_text())
        found: list[dict[str, object]] = raw["profiles"]["default"]["network"]["rules"]
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, ListSink())


def test_it_is_on_record_and_in_the_file(desk: Desk) -> None:
    desk.write(replace(ALWAYS, comment="the team's mirror"))
    (event,) = desk.sink.synced
    assert event == RuleWritten(
        approval_id="a-1",
        verdict="allow",
        rule="https://pypi.org:443",
        file=str(desk.file),
        reviewer="anna",
    )
    (rule,) = desk.rules()
    reason = str(rule.pop("reason"))
    assert rule == {
        "host": "pypi.org",
        "ports": [443],
        "protocols": ["https"],
        "verdict": "allow",
    }
    assert reason.startswith("approved by anna (fake) at 20")
    assert reason.endswith("Z: the team's mirror")
    assert desk.written == [True]


@pytest.mark.parametrize(("cancel", "ends"), [(True, "cancel"), (False, "block")])
def test_a_no_says_what_becomes_of_the_command(desk: Desk, cancel: bool, ends: str) -> None:
    desk.write(answer(Verdict.DENY, Scope.ALWAYS, cancel=cancel))
    (rule,) = desk.rules()
    assert (rule["verdict"], rule["on_denial"]) == ("deny", ends)
    assert str(rule["reason"]).startswith("denied by anna")


def test_what_is_said_already_is_neither_written_nor_told_again(desk: Desk) -> None:
    desk.write()
    once = desk.file.read_text()
    desk.write()
    assert desk.file.read_text() == once
    assert (len(desk.sink.synced), desk.written) == (1, [True])


def test_what_can_not_be_recorded_is_not_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ListSink(RuleWritten.name))
    with pytest.raises(RuleRefused, match="could not be recorded"):
        desk.write()
    assert not desk.file.exists()
    assert desk.written == []


def test_what_can_not_be_written_is_told_in_a_line(desk: Desk) -> None:
    desk.file.parent.mkdir(parents=True)
    desk.file.write_text("profiles = {}\n")
    with pytest.raises(RuleRefused, match="config"):
        desk.write()
    assert desk.written == []


def test_a_session_without_a_file_has_none(desk: Desk) -> None:
    other = replace(QUESTION, asking=replace(ASKING, key=replace(ASKING.key, session="s-2")))
    with pytest.raises(RuleRefused, match="no file"):
        desk.write(question=other)
    assert desk.writer.is_open("s-1", ASKING.run)
    desk.writer.close("s-1", ASKING.run)
    assert not desk.writer.is_open("s-1", ASKING.run)
    with pytest.raises(RuleRefused, match="no file"):
        desk.write()


def test_of_runs_in_one_session_each_has_its_own_file(desk: Desk, tmp_path: Path) -> None:
    """One that came later goes by another file: what the first one asked is no rule of that."""
    other = Desk(tmp_path / "other", ListSink())
    desk.writer.open("s-1", "r-other", RuleFile(other.file, partial(
        load_settings, parse_run(["--", "true"]), {"HOME": str(tmp_path / "other")},
        managed_file=tmp_path / "absent", directory=tmp_path,
    ), is_own=True), sink=other.sink, written=other.written.append)  # fmt: skip
    desk.write()
    assert (len(desk.sink.synced), len(other.sink.synced)) == (1, 0)
    assert not other.file.exists()
    desk.writer.close("s-1", ASKING.run)  # and the other one waits for the same answer still
    desk.write()
    assert (len(desk.sink.synced), len(other.sink.synced)) == (1, 1)


@pytest.mark.parametrize(
    "comment",
    [
        'x"\n[[profiles.default.network.rules]]\nhost = "evil.test"\nverdict = "allow"\n#',
        "\\", '"""', "'''", "\x00\x1b]0;x\x07", "\u202e", "\ud800", "x" * 10_000,
    ],
)  # fmt: skip
def test_no_comment_and_no_name_adds_a_rule(desk: Desk, comment: str) -> None:
    desk.write(replace(ALWAYS, comment=comment, reviewer=comment))
    (rule,) = desk.rules()
    assert rule["host"] == "pypi.org"
    assert set(rule) == {"host", "ports", "protocols", "verdict", "reason"}
