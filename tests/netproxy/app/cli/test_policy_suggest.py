"""Approvals become rules that can be pasted; the same for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.policy_suggest import main
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from tests.support.decisions import decided, write_events

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = '[profiles.dev.network]\nallow = ["unused.example"]\ndeny = ["shut.example.org"]\n'


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    events = [
        decided("a.example.org", source="reviewer"),
        decided("b.example.org", source="reviewer"),
        decided("shut.example.org", source="reviewer"),
        decided("no.example.org", source="reviewer", allowed=False),
        decided("bad..example", source="reviewer"),
    ]
    (tmp_path / "config.toml").write_text(CONFIG)
    return write_events(tmp_path / "audit", *events)


def suggest(capsys: pytest.CaptureFixture[str], audit: Path, *words: str) -> tuple[str, str]:
    config = str(audit.parent / "config.toml")
    assert main(["--audit", str(audit), "--config", config, "--no-project", *words]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_what_is_printed_can_be_pasted(capsys: pytest.CaptureFixture[str], audit: Path) -> None:
    out, err = suggest(capsys, audit)
    document = load(CONFIG + out, "config.toml", layer=Layer.USER)
    assert [str(rule) for rule in document.profiles["dev"].rules[2:]] == [
        "https://a.example.org:443",
        "https://b.example.org:443",
    ]
    assert err == "netproxy: 1 malformed records passed over\n"
    assert "unused.example" in out
    assert "*.example.org" not in out


def test_a_wildcard_only_as_a_comment(capsys: pytest.CaptureFixture[str], audit: Path) -> None:
    out, _ = suggest(capsys, audit, "--group", "2")
    assert "# *.example.org would stand for these 2" in out
    load(CONFIG + out, "config.toml", layer=Layer.USER)


def test_for_programs(capsys: pytest.CaptureFixture[str], audit: Path) -> None:
    out, _ = suggest(capsys, audit, "--json", "--group", "2")
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["kind"] for record in records] == [
        "rule", "rule", "wider", "refused", "denied", "unused",
    ]  # fmt: skip
    rule, _, wider, refused, denied, unused = records
    assert rule == {
        "kind": "rule",
        "host": "a.example.org",
        "ports": [443],
        "protocols": ["https"],
        "domain": "example.org",
        "count": 1,
        "first": "2026-01-02T03:04:05.679Z",
        "last": "2026-01-02T03:04:05.679Z",
    }
    assert wider["hosts"] == ["a.example.org", "b.example.org"]
    assert (refused["host"], refused["port"]) == ("shut.example.org", 443)
    assert denied["host"] == "no.example.org"
    assert (unused["rule"], unused["line"], unused["layer"]) == ("unused.example", 2, "user")


def test_without_settings_the_snippet_is_a_file_of_its_own(
    capsys: pytest.CaptureFixture[str], audit: Path
) -> None:
    (audit.parent / "config.toml").write_text("")
    out, _ = suggest(capsys, audit)
    document = load(out, "config.toml", layer=Layer.USER)
    assert len(document.profiles["default"].rules) == 3


@pytest.mark.parametrize("number", ["1", "0", "-1", "x", "1" * 10, "\u0663"])
def test_a_group_of_one_is_none(
    capsys: pytest.CaptureFixture[str], audit: Path, number: str
) -> None:
    with pytest.raises(SystemExit) as left:
        suggest(capsys, audit, f"--group={number}")
    assert left.value.code == 64
    assert "is not a number above 1" in capsys.readouterr().err
