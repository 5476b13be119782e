"""The approval store's disk, file or process is taken away.

What was acknowledged is there, whatever else was under way is whole or absent, and what can't be
kept is an error of one line.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.errors import StoreUnavailable
from approvals.lifecycle import Step, next_record
from approvals.model import ChangeKind, Status
from approvals.store import connection, place
from approvals.store.database import Database
from approvals.store.sqlite import SqliteStore
from otel import read
from tests.support.store_contract import PENDING, Hands, granted, pending

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

# Two gateways would do the same: each answer is said to be kept once it is.
WRITING = """
import asyncio, pathlib, sys
from approvals.store.sqlite import SqliteStore
from tests.support.store_contract import Hands, granted, pending

async def main():
    store = SqliteStore(pathlib.Path(sys.argv[1]), clock=Hands())
    async def one(number):
        record = await store.add(pending(f"a-{sys.argv[2]}-{number}", host=f"h{number}.org"))
        after, left = granted(record)
        await store.replace(record, after, grant=left)
        print(record.question.approval_id, flush=True)
    await store.open()
    print("open", flush=True)
    for begin in range(0, 100_000, 20):
        await asyncio.gather(*(one(number) for number in range(begin, begin + 20)))

asyncio.run(main())
"""
# The migration is cut at each statement in turn, by a process that kills itself there.
MIGRATING = """
import os, pathlib, signal, sys
from approvals.store import connection, schema

path = pathlib.Path(sys.argv[1])
every = [statement for each in schema.migrations() for statement in each.statements()]

def dying(self):
    for statement in cut:
        yield statement
    os.kill(os.getpid(), signal.SIGKILL)

for count in range(0, len(every), 3):
    child = os.fork()
    if not child:
        cut = every[:count]
        schema.Migration.statements = dying
        connection.Connector(path).connection()
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
connection.Connector(path).connection()
print("whole")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "approvals.db"


def with_store(path: Path, main: Callable[[SqliteStore], Coroutine[None, None, None]]) -> None:
    async def inside() -> None:
        store = SqliteStore(path, clock=Hands())
        try:
            await main(store)
        finally:
            await store.close()

    asyncio.run(inside())


def killed_while_writing(path: Path, name: str, seconds: float) -> list[str]:
    """The approvals that it said were kept."""
    command = [sys.executable, "-c", WRITING, str(path), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        first = writer.stdout.readline()
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
        return (first + writer.stdout.read()).split()


def test_killed_while_it_writes_it_has_kept_what_it_said(path: Path) -> None:
    chance = random.Random(1)
    said = [
        approval
        for round_ in range(3)
        for approval in killed_while_writing(path, str(round_), chance.uniform(0.0, 0.1))
    ]
    assert said, "it was killed before it had written anything"

    async def check(store: SqliteStore) -> None:
        for approval in said:
            found = await store.find(approval)
            assert found is not None
            assert found.status is Status.GRANTED
            assert await store.grant_of(approval) is not None
        changes = await store.changes(0, limit=1_000_000)
        assert [change.number for change in changes] == list(range(1, len(changes) + 1))
        asked = {change.ref for change in changes if change.kind is ChangeKind.ASKED}
        for approval in asked:
            found = await store.find(approval)
            assert found is not None
            left = await store.grant_of(approval)
            assert (left is not None) == (found.status is Status.GRANTED)
        swept = await store.sweep()
        assert len(swept.withdrawn) + len(swept.ended) == len(asked)
        assert await store.held() == ()

    with_store(path, check)


def test_killed_while_it_makes_its_tables_it_has_none_or_all(path: Path) -> None:
    command = [sys.executable, "-c", MIGRATING, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "whole\n"


def test_a_full_disk_is_a_no_until_there_is_room(small_disk: Path) -> None:
    filler = small_disk / "filler"

    async def main(store: SqliteStore) -> None:
        first = await store.add(PENDING)
        fill(filler)
        kept: list[str] = []

        async def more() -> None:
            for number in range(10_000):
                record = await store.add(pending(f"a-2-{number}", host=f"{number}.org"))
                kept.append(record.question.approval_id)

        with pytest.raises(StoreUnavailable, match="full"):
            await more()
        assert kept
        assert await store.find("a-1") == first
        assert len(await store.changes(0, limit=100_000)) == len(kept) + 1
        with pytest.raises(StoreUnavailable, match="full"):
            await more()
        filler.unlink()
        after, left = granted(first)
        assert await store.replace(first, after, grant=left)
        assert await store.held() == (left,)

    with_store(small_disk / "approvals.db", main)


def fill(file: Path) -> None:
    """All that the disk has, but for some questions."""
    free = shutil.disk_usage(file.parent).free
    file.write_bytes(b"x" * (free - 128 * 1024))


@pytest.mark.usefixtures("no_override")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_only_be_read_is_no_store(tmp_path: Path, what: str) -> None:
    path = tmp_path / "state" / "approvals.db"

    async def made(store: SqliteStore) -> None:
        await store.open()

    async def refused(store: SqliteStore) -> None:
        with pytest.raises(StoreUnavailable, match=f"{tmp_path}.*") as error:
            await store.add(PENDING)
        assert "\n" not in str(error.value)

    with_store(path, made)
    kept = path.read_bytes()
    changed, mode = (path, 0o400) if what == "file" else (path.parent, 0o500)
    changed.chmod(mode)
    try:
        with_store(path, refused)
    finally:
        changed.chmod(0o700)
    assert path.read_bytes() == kept


def test_a_lock_that_another_process_keeps_is_a_no_until_it_lets_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.1)

    async def main(store: SqliteStore) -> None:
        first = await store.add(PENDING)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.replace(first, next_record(first, Step.DENY))
        assert await store.find("a-1") == first
        other.close()
        assert await store.replace(first, next_record(first, Step.DENY))

    with_store(path, main)


def test_a_file_that_was_taken_away_is_noticed_before_anything_is_lost(path: Path) -> None:
    async def main(store: SqliteStore) -> None:
        first = await store.add(PENDING)
        for name in (path.name, path.name + "-wal", path.name + "-shm"):
            path.with_name(name).unlink()
        with pytest.raises(StoreUnavailable, match="was removed or replaced"):
            await store.replace(first, next_record(first, Step.GRANT))
        # The new file does not know the question: somebody else had it, and the answer is no.
        assert not await store.replace(first, next_record(first, Step.GRANT))
        again = await store.add(replace(first, version=1))
        assert again == first

    with_store(path, main)


def test_a_damaged_file_is_kept_and_said(path: Path) -> None:
    path.write_bytes(b"damaged " * 1000)
    path.chmod(0o600)

    async def main(store: SqliteStore) -> None:
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match=f"{path}: is damaged .*; move it away"):
                await store.open()

    with_store(path, main)
    assert path.read_bytes() == b"damaged " * 1000


def test_one_that_hangs_at_the_start_does_not_hold_the_loop(path: Path) -> None:
    """Another process makes the tables, and takes its time."""

    async def main() -> None:
        place.prepare(path)
        database = Database(path)
        with place.alone(path):
            opening = asyncio.ensure_future(database.open())
            await asyncio.sleep(0.05)
            assert not opening.done()
        await opening
        await database.close()

    asyncio.run(main())


def test_what_else_we_open_lets_no_lock_of_ours_go(path: Path) -> None:
    """POSIX drops a process's locks on a file with any descriptor of it that is closed.

    Another process would then take itself for the last, and remove the log that we write
    (sqlite.org/howtocorrupt.html, section 2.2).
    """
    other = (
        "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('PRAGMA user_version');"
    )

    async def main(store: SqliteStore) -> None:
        first = await store.add(PENDING)
        assert await store.find("a-1") == first  # the reader's connection opens here
        subprocess.run([sys.executable, "-c", f"{other} d.close()", str(path)], check=True)
        assert path.with_name(path.name + "-wal").exists()
        assert await store.replace(first, next_record(first, Step.DENY))

    with_store(path, main)


def test_a_service_with_a_damaged_store_says_so_and_serves_nobody(tmp_path: Path) -> None:
    store = tmp_path / "netproxy" / "approvals.db"
    store.parent.mkdir(0o700)
    store.write_bytes(b"damaged " * 1000)
    store.chmod(0o600)
    command = [sys.executable, "-m", "netproxy", "serve", "--listen", "127.0.0.1:0"]
    done = subprocess.run(
        command,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 125
    assert done.stderr.splitlines()[-1].startswith(f"netproxy serve: {store}: is damaged (")
    assert "listening" not in done.stderr
    assert store.read_bytes() == b"damaged " * 1000
    stopped = [
        record.attributes["netproxy.shutdown.reason"]
        for record in read(tmp_path / "netproxy" / "audit", print)
        if record.name == "netproxy.gateway.stopped"
    ]
    assert stopped == ["failed"]
