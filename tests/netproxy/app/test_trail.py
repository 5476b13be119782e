"""What stands first in a gateway's journal, and what is said of a chain that was changed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.app.trail import open_journal, record_start
from otel import AuditTrail, EvidenceSettings, KeyUnusable, read
from otel.modes import AuditMode
from tests.support.evidence import lines_of, put_lines, signed_journal

if TYPE_CHECKING:
    from pathlib import Path

    from netproxy.app.settings import Settings
    from otel import Record


def start(
    directory: Path,
    evidence: EvidenceSettings | None = None,
    *,
    mode: AuditMode = AuditMode.WRITTEN,
) -> tuple[str, list[str]]:
    """A start and an end of a gateway: its writer, and what it warned of."""
    warnings: list[str] = []
    settings = SimpleNamespace(
        audit_directory=directory,
        audit_mode=mode,
        evidence=evidence or EvidenceSettings(),
        sinks=(),
    )
    journal, kept = open_journal(cast("Settings", settings), warn=warnings.append)
    record_start(AuditTrail(journal, {}), journal, kept)
    journal.close()
    return journal.writer, warnings


def records_of(directory: Path, writer: str) -> list[Record]:
    return [record for record in read(directory, print) if record.writer == writer]


def test_the_first_record_names_the_key(tmp_path: Path) -> None:
    writer, warnings = start(tmp_path)
    first, checkpoint = records_of(tmp_path, writer)
    assert warnings == []
    assert first.name == "netproxy.gateway.started"
    key = first.attributes["netproxy.checkpoint.key_id"]
    assert key == checkpoint.attributes["netproxy.checkpoint.key_id"]
    assert (tmp_path / "keys" / f"{key}.pub").exists()


def test_a_chain_that_was_changed_is_left_and_the_alarm_is_the_second_record(
    tmp_path: Path,
) -> None:
    old = signed_journal(tmp_path, 2)
    lines = lines_of(tmp_path, old)
    put_lines(tmp_path, old, lines[:-1])
    writer, (warning,) = start(tmp_path)
    assert writer != old
    assert lines_of(tmp_path, old) == lines[:-1]
    alarm = records_of(tmp_path, writer)[1]
    assert alarm.name == "netproxy.audit.integrity_failed"
    assert alarm.severity == 21
    assert alarm.attributes["netproxy.integrity.chain"] == old
    assert alarm.attributes["netproxy.integrity.kind"] == "truncated"
    assert old in warning
    assert writer in warning
    assert "\n" not in warning


def test_old_files_are_removed_where_settings_say_so(tmp_path: Path) -> None:
    """With no sink there is none that has them: nothing goes, and nobody is bothered."""
    signed_journal(tmp_path, 12, settings=EvidenceSettings(segment_bytes=4000))
    _, warnings = start(tmp_path, EvidenceSettings(segment_bytes=1, retain_days=0.001))
    assert warnings == []
    assert (tmp_path / signed_journal(tmp_path, 0) / "00000001.jsonl").exists()


def test_a_key_that_can_not_be_used_is_a_warning_and_on_record(tmp_path: Path) -> None:
    writer, (warning,) = start(tmp_path / "audit", EvidenceSettings(key=tmp_path / "none.pem"))
    assert "not signed" in warning
    (first,) = records_of(tmp_path / "audit", writer)
    assert first.attributes["netproxy.checkpoint.key_id"] is None


def test_strict_does_not_start_without_its_key(tmp_path: Path) -> None:
    """Reference section 9, row 11."""
    settings = EvidenceSettings(key=tmp_path / "none.pem")
    with pytest.raises(KeyUnusable):
        start(tmp_path / "audit", settings, mode=AuditMode.STRICT)
    assert not list(tmp_path.glob("audit/w-*"))
