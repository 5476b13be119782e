"""A client chooses host and method, a reviewer the comment: none of it may act on a terminal,
forge a record or carry a secret into the journal.

Defence: `otel.redact` is the only way in, and again the way out, because a file can be edited.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli import audit
from otel import AuditTrail, Journal, verify
from otel.chain import End, genesis, seal
from tests.support.journals import decision, segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = [
    pytest.param("\x1b]0;owned\x07\x1b[2J", id="terminal"),
    pytest.param("\x9b31m", id="c1"),
    pytest.param("moc.elpmaxe\u202e", id="bidi"),
    pytest.param('x"},"seq":1}\n{"attrs":{}', id="forged-line"),
    pytest.param("a\udcffb\x00", id="not-utf-8"),
    pytest.param("a\u2028b\u0085c", id="line-separators"),
    pytest.param("a" * 100_000, id="endless"),
    pytest.param("{0.__class__} %s $(id) `id`", id="templates"),
]
COMMANDS = [["tail"], ["tail", "--json"], ["query"], ["query", "--json"]]


def show(capsys: pytest.CaptureFixture[str], command: list[str], directory: Path) -> str:
    assert audit.main([*command, "--audit-dir", str(directory)]) == 0
    return capsys.readouterr().out


def assert_harmless(text: str) -> None:
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode("utf-8")
    assert len(text) < 20_000


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_harmless_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, command: list[str]
) -> None:
    journal = Journal.open(tmp_path)
    AuditTrail(journal, {}).record(decision(text, method=text))
    journal.close()
    (verdict,) = verify(tmp_path)
    assert verdict.holds
    assert verdict.records == 1
    assert_harmless(show(capsys, command, tmp_path))
    assert_harmless(segment_of(tmp_path, journal.writer).read_text("utf-8"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("text", HOSTILE[:3])
def test_text_that_was_put_into_the_file_is_as_harmless(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, command: list[str]
) -> None:
    """An attacker with the right to write there can even hash it right."""
    writer = write_journal(tmp_path, 0)
    attributes = json.dumps({"server.address": text}, ensure_ascii=False, separators=(",", ":"))
    record = ("netproxy.policy_decision", 9, attributes), 1_767_323_045_678_000_000, 1
    line, _ = seal(writer, "e-1", End(0, genesis(writer)), [record])
    segment_of(tmp_path, writer).write_text(line, "utf-8")
    assert verify(tmp_path)[0].holds
    assert_harmless(show(capsys, command, tmp_path))


def test_a_hostile_file_is_harmless_to_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = write_journal(tmp_path, 1)
    with segment_of(tmp_path, writer).open("ab") as file:
        file.write(b"\x1b[2J\xff\xfe\n" * 1000)
    assert audit.main(["verify", "--audit-dir", str(tmp_path)]) == 1
    assert_harmless(capsys.readouterr().out)
    assert audit.main(["query", "--audit-dir", str(tmp_path)]) == 1
    assert all(line.isprintable() for line in capsys.readouterr().err.split("\n"))


def test_no_secret_of_a_url_is_in_the_file(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    trail = AuditTrail(journal, {"netproxy.session.name": "https://me:S3CRET@h/?t=S3CRET#S3CRET"})
    trail.record(decision("http://u:S3CRET@h/", method="GET http://a/?k=S3CRET"))
    journal.close()
    assert b"S3CRET" not in segment_of(tmp_path, journal.writer).read_bytes()
