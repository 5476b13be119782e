"""The journal's process is killed, its disk is full: what was said to be written is there, nothing
half-written remains, and whoever needs a record is told no."""

from __future__ import annotations

import os
import resource
import signal
import subprocess  # the process that is killed
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from otel import AuditTrail, AuditUnavailable, Journal, verify
from tests.support.journals import decision, segment_of, write_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPEND_FOREVER = """
import sys
from pathlib import Path
from otel import Journal
journal = Journal.open(Path(sys.argv[1]))
journal.start_syncing()
while True:
    number = journal.append("netproxy.policy_decision", 9, {"server.address": "x" * 500})
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("after", [1, 50, 1500])
def test_killed_while_appending(tmp_path: Path, after: int) -> None:
    """Every number that was given out is in the chain, and the chain goes on."""
    process = subprocess.Popen(
        [sys.executable, "-c", APPEND_FOREVER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(after):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    said = process.stdout.read().split(b"\n")[:-1]
    process.stdout.close()
    process.wait(30)
    promised = int(said[-1]) if said else after
    journal = Journal.open(tmp_path)
    assert journal.last_seq >= promised
    assert journal.previous_shutdown == "unclean"
    journal.append("netproxy.audit.gap", 9, {})
    journal.close()
    (verdict,) = verify(tmp_path)
    assert verdict.holds
    assert verdict.records >= promised + 1


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """The kernel takes a part of a write and then none: what a disk does that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_and_is_cleared(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    trail = AuditTrail(journal, {})
    path = segment_of(tmp_path, journal.writer)
    trail.record(decision("first.example"))
    size = path.stat().st_size
    with file_size_limit(size + 100):
        for _ in range(3):
            with pytest.raises(AuditUnavailable):
                trail.record(decision("lost.example"))
            assert path.stat().st_size == size
    trail.record(decision("last.example"))
    journal.close()
    (verdict,) = verify(tmp_path)
    assert verdict.holds
    assert verdict.records == 3
    content = path.read_bytes()
    assert b"lost.example" not in content
    assert b'"netproxy.gap.lost":3' in content


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    place = tmp_path / "tiny"
    place.mkdir(0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def record_a_thousand(trail: AuditTrail) -> None:
    for _ in range(1000):
        trail.record(decision())


def test_a_full_disk(tiny_disk: Path) -> None:
    journal = Journal.open(tiny_disk / "audit")
    trail = AuditTrail(journal, {})
    with pytest.raises(AuditUnavailable):
        record_a_thousand(trail)
    journal.close()
    (verdict,) = verify(tiny_disk / "audit")
    assert verdict.holds
    assert verdict.records == journal.last_seq > 10


def test_a_disk_that_is_full_from_the_start(tiny_disk: Path) -> None:
    ballast = os.open(tiny_disk / "ballast", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space"):
        os.write(ballast, b"x" * 65536) and os.write(ballast, b"x" * 65536)
    os.close(ballast)
    journal = Journal.open(tiny_disk / "audit")  # names cost nothing here, records do
    with pytest.raises(AuditUnavailable):
        journal.append("netproxy.audit.gap", 9, {})
    journal.close()


@pytest.mark.usefixtures("no_override")
def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    from otel import JournalBroken

    tmp_path.chmod(0o500)
    with pytest.raises(JournalBroken, match="Permission denied"):
        Journal.open(tmp_path / "audit")


def test_a_journal_taken_away_while_it_is_read(tmp_path: Path) -> None:
    """`tail --follow` ends with a clear line."""
    import shutil

    from otel import Follower, JournalBroken

    write_journal(tmp_path / "audit", 2)
    follower = Follower(tmp_path / "audit", print)
    shutil.rmtree(tmp_path / "audit")
    with pytest.raises(JournalBroken):
        follower.poll()
