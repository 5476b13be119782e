"""A recorded day replayed under a changed policy, and turned into rules; lists from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.decisions import decided, write_events
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from tests.support.people import Person

FILES = Path(__file__).parents[1] / "netproxy" / "policy" / "imports" / "files"


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    made = Netproxy(me, base)
    write_events(
        made.audit,
        decided("old.test"),
        *[decided("a.approved.test", source="reviewer")] * 3,
        decided("b.approved.test", source="session_cache"),
        decided("no.test", allowed=False, source="reviewer"),
    )
    return made


def test_from_a_journal_to_a_policy_that_changes_nothing(netproxy: Netproxy) -> None:
    """Suggest, paste, check, and replay: what people approved is allowed, nothing else is new."""
    config = netproxy.workspace / "new.toml"
    config.write_text('[profiles.dev.network]\ndefault = "ask"\nallow = ["old.test"]\n')
    options = ("--config", str(config), "--audit", str(netproxy.audit))
    before = netproxy("policy", "replay", *options)
    assert before.status == 0, before.out
    assert "asked again, as they were then: 3" in before.out
    snippet = netproxy("policy", "suggest", *options)
    assert (snippet.status, snippet.err) == (0, "")
    config.write_text(config.read_text() + snippet.out)
    assert netproxy("policy", "check", str(config)).status == 0
    after = netproxy("policy", "replay", *options, "--json")
    records = json.loads(after.out.splitlines()[-1])["records"]
    assert (after.status, records["unchanged"], records["asked again"]) == (0, 5, 1)
    again = netproxy("policy", "suggest", *options)
    assert "# 0 rules cover" in again.out


def test_a_stricter_policy_shows_what_it_takes_away(netproxy: Netproxy) -> None:
    done = netproxy("policy", "replay", "--audit", str(netproxy.audit), "--deny", "*.approved.test")
    assert done.status == 1
    assert "new denials: 2" in done.out
    assert "*.approved.test (--deny #1)" in done.out


def test_the_journal_is_only_read(netproxy: Netproxy) -> None:
    files = [path for path in netproxy.audit.rglob("*") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    for verb in ("replay", "suggest"):
        netproxy("policy", verb, "--audit", str(netproxy.audit))
    after = [path for path in netproxy.audit.rglob("*") if path.is_file()]
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in after} == before


@pytest.mark.parametrize("verb", ["replay", "suggest"])
def test_without_a_journal(netproxy: Netproxy, verb: str) -> None:
    done = netproxy("policy", verb, "--audit", "/no/such/folder")
    assert (done.status, done.out) == (66, "")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("tool", "file"),
    [("codex", "codex.toml"), ("srt", "srt.json"), ("smokescreen", "smokescreen.yaml")],
)
def test_an_imported_file_can_be_checked_and_asked(
    netproxy: Netproxy, tool: str, file: str
) -> None:
    done = netproxy("policy", "import", tool, str(FILES / file))
    assert done.status == 1  # each sample has an entry that no rule can say
    config = netproxy.workspace / "imported.toml"
    config.write_text(done.out)
    checked = netproxy("policy", "check", str(config))
    assert checked.status == 0, checked.out
    told = netproxy("policy", "explain", "--config", str(config), "nobody.test:443", "--json")
    assert json.loads(told.out)["verdict"] == "deny"
