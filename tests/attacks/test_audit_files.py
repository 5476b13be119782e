"""Somebody prepares the place where the journal will be written, or edits what was written.

Defence: everything is opened without following links, must belong to us and be closed to others;
the last record must hash to what it states before anything is appended to it.
"""

from __future__ import annotations

import os
import subprocess  # a process to attack is what is tested
import sys
from typing import TYPE_CHECKING

import pytest

from otel import Journal, JournalBroken, ship_command, verify
from otel.sinks import OtlpSettings
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def refused(directory: Path) -> str:
    with pytest.raises(JournalBroken) as caught:
        Journal.open(directory)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
@pytest.mark.parametrize("part", ["directory", "writer", "segment", "lock"])
def test_what_others_may_write_is_refused(tmp_path: Path, mode: int, part: str) -> None:
    directory = tmp_path / "audit"
    writer = write_journal(directory, 1)
    paths = {
        "directory": directory,
        "writer": directory / writer,
        "segment": segment_of(directory, writer),
        "lock": directory / writer / "lock",
    }
    paths[part].chmod(mode)
    assert "others may write" in refused(directory)


@needs_root
@pytest.mark.parametrize("part", ["directory", "writer", "segment", "lock"])
def test_what_belongs_to_others_is_refused(tmp_path: Path, part: str) -> None:
    directory = tmp_path / "audit"
    writer = write_journal(directory, 1)
    paths = {
        "directory": directory,
        "writer": directory / writer,
        "segment": segment_of(directory, writer),
        "lock": directory / writer / "lock",
    }
    os.chown(paths[part], 65534, 65534)
    assert "belongs to user 65534" in refused(directory)


@pytest.mark.parametrize("part", ["directory", "writer", "segment", "lock"])
def test_symbolic_links_are_refused(tmp_path: Path, part: str) -> None:
    """Else records could be led into another file of ours."""
    directory = tmp_path / "audit"
    writer = write_journal(directory, 1)
    path = {
        "directory": directory,
        "writer": directory / writer,
        "segment": segment_of(directory, writer),
        "lock": directory / writer / "lock",
    }[part]
    moved = path.rename(tmp_path / "moved")
    path.symlink_to(moved)
    before = moved.stat().st_size
    refused(directory)
    assert moved.stat().st_size == before


def test_a_fifo_for_a_segment_does_not_hang_the_start(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    writer = write_journal(directory, 1)
    segment_of(directory, writer).unlink()
    os.mkfifo(segment_of(directory, writer), 0o600)
    assert "not a regular file" in refused(directory)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param((b"h2.example", b"h3.example"), id="content"),
        pytest.param((b'"seq":2', b'"seq":9'), id="number"),
        pytest.param((b'"attrs":{', b'"attrs": {'), id="form"),
    ],
)
def test_nothing_is_appended_to_an_edited_end(tmp_path: Path, edit: tuple[bytes, bytes]) -> None:
    """A new record would take the edited one's hash as good."""
    writer = write_journal(tmp_path, 2)
    path = segment_of(tmp_path, writer)
    head, tail = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(head + tail.replace(*edit))
    assert "netproxy audit verify" in refused(tmp_path)
    assert not verify(tmp_path)[0].holds


def test_another_writers_records_are_not_continued(tmp_path: Path) -> None:
    first = Journal.open(tmp_path)
    second = write_journal(tmp_path, 2)
    first.append("netproxy.audit.gap", 9, {})
    first.close()
    segment_of(tmp_path, second).write_bytes(segment_of(tmp_path, first.writer).read_bytes())
    segment_of(tmp_path, first.writer).unlink()
    (tmp_path / first.writer / "lock").unlink()
    (tmp_path / first.writer).rmdir()
    refused(tmp_path)


def test_a_forked_child_can_not_write_into_the_chain(tmp_path: Path) -> None:
    """It has the descriptor and the head: two processes would write two records of one number."""
    program = """
import os, sys
from pathlib import Path
from otel import AuditUnavailable, Journal
journal = Journal.open(Path(sys.argv[1]))
journal.append("netproxy.audit.gap", 9, {})
if not (child := os.fork()):
    try:
        journal.append("netproxy.audit.gap", 9, {})
    except AuditUnavailable:
        os._exit(7)
    os._exit(0)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
journal.append("netproxy.audit.gap", 9, {})
journal.close()
sys.exit(status)
"""
    status = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode
    assert status == 7
    (verdict,) = verify(tmp_path)
    assert verdict.holds
    assert verdict.records == 2


def test_the_working_directory_can_not_replace_the_exporter(tmp_path: Path) -> None:
    """It belongs to the untrusted command, and `python -m` looks there first without -P."""
    evil = tmp_path / "work" / "otel"
    evil.mkdir(parents=True)
    (evil / "__init__.py").touch()
    (evil / "ship.py").write_text("open('stolen', 'w').close()")
    writer = write_journal(tmp_path / "audit", 0)
    settings = OtlpSettings(endpoint="http://127.0.0.1:9/v1/logs", headers={}, certificate=None)
    command, environment = ship_command([settings], tmp_path / "audit", writer)
    done = subprocess.run(command, env=environment, cwd=evil.parent, check=False, timeout=60)
    assert done.returncode == 0
    assert not (evil.parent / "stolen").exists()
    # With the defence removed, the attack works.
    without = [word for word in command if word != "-P"]
    subprocess.run(without, env=environment, cwd=evil.parent, check=False, timeout=60)
    assert (evil.parent / "stolen").exists()
