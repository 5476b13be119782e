from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from otel import Journal, cursor, verify
from otel.cursor import Cursor
from otel.evidence import EvidenceSettings
from otel.folders import segment_numbers
from otel.sinks import OtlpSettings
from tests.support.auditing import run, usage_error
from tests.support.evidence import keeper, signed_journal
from tests.support.journals import segment_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.auditing import Capture

ENDPOINT = "http://127.0.0.1:9/v1/logs"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(f"[audit]\nretain_days = 7\notlp = '{ENDPOINT}'\n")
    return path


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """Two finished segments of last month, and one that is written, all exported."""
    directory = tmp_path / "audit"
    month_ns = 30 * 86_400 * 10**9
    writer = signed_journal(
        directory,
        9,
        settings=EvidenceSettings(segment_bytes=4000),
        start_ns=time.time_ns() - month_ns,
    )
    number = segment_numbers(directory / writer)[-1]
    offset = segment_of(directory, writer, number).stat().st_size
    sink = OtlpSettings(endpoint=ENDPOINT, headers={}, certificate=None)
    at = Cursor(segment=number, offset=offset, seq=1, hash="")
    cursor.save(directory / writer, sink.key, at)
    return directory


def test_what_may_go_is_shown_and_then_goes(capsys: Capture, audit: Path, config: Path) -> None:
    (writer,) = (path.name for path in audit.glob("w-*"))
    words = ("prune", "--audit-dir", audit, "--config", config)
    status, out, err = run(capsys, *words, "--dry-run")
    assert (status, err) == (0, "")
    assert f"{writer}/00000001.jsonl: would be removed\n" in out
    assert segment_of(audit, writer).exists()
    status, out, err = run(capsys, *words)
    assert (status, err) == (0, "")
    assert f"{writer}/00000001.jsonl: removed\n" in out
    assert out.endswith(": kept, it is being written\n")
    assert not segment_of(audit, writer).exists()
    assert verify(audit)[0].is_well


def test_a_gateway_removes_its_own(capsys: Capture, audit: Path, config: Path) -> None:
    journal = Journal.open(audit, keeper=keeper(audit))
    status, out, _ = run(capsys, "prune", "--audit-dir", audit, "--config", config)
    journal.close()
    assert status == 0
    assert "00000001.jsonl: left to its gateway\n" in out
    assert segment_of(audit, journal.writer).exists()


def test_a_chain_that_can_not_be_used_is_told(capsys: Capture, audit: Path, config: Path) -> None:
    (writer,) = (path.name for path in audit.glob("w-*"))
    newest = segment_of(audit, writer, segment_numbers(audit / writer)[-1])
    newest.write_bytes(newest.read_bytes()[:-1])
    status, out, err = run(capsys, "prune", "--audit-dir", audit, "--config", config)
    assert (status, out) == (1, "")
    assert err.startswith(f"netproxy audit prune: {writer}: ")
    assert err.count("\n") == 1


def test_without_a_bound_nothing_ever_goes(capsys: Capture, audit: Path, tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("")
    status, out, _ = run(capsys, "prune", "--audit-dir", audit, "--config", path)
    assert status == 0
    assert out.startswith("nothing is ever removed")


@pytest.mark.parametrize(
    ("there", "said"),
    [("nothing", "No such file"), ("file", "Not a dir"), ("closed", "Permission denied")],
)
@pytest.mark.usefixtures("no_override")
def test_no_journal_is_told_without_a_bound_too(
    capsys: Capture, tmp_path: Path, there: str, said: str
) -> None:
    config = tmp_path / "empty.toml"
    config.touch()
    place = tmp_path / "audit"
    match there:
        case "file":
            place.touch()
        case "closed":
            place.mkdir(mode=0)
    status, out, err = run(capsys, "prune", "--audit-dir", place, "--config", config)
    assert (status, out) == (66, "")
    assert err.startswith(f"netproxy: no audit journal in {place}: {said}")


def test_bad_settings_and_no_journal(capsys: Capture, config: Path, tmp_path: Path) -> None:
    words = ("prune", "--audit-dir", tmp_path / "none", "--config")
    assert run(capsys, *words, config)[0] == 66
    config.write_text("[audit]\nretain_days = -1\n")
    status, out, err = run(capsys, *words, config)
    assert (status, out) == (78, "")
    assert "retain_days" in err
    assert "did you mean --dry-run" in usage_error(capsys, "prune", "--dry-rnu")
