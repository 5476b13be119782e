"""A command wants to allow itself everything: it looks for the store of approvals, or speaks SQL.

Defence: the store's folder is hidden from commands wherever it lies;
what a command chooses reaches the database as a value, never as a statement.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.errors import StoreUnavailable
from approvals.store.sqlite import SqliteStore
from tests.support.runs import Netproxy
from tests.support.store_contract import Hands, granted, pending

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

LOOK = "ls -a {folder}; cat {folder}/approvals.db; echo x > {folder}/approvals.db; echo tried"
SQL = """x'); DELETE FROM approvals; UPDATE grants SET ended_at = NULL; --"""


@pytest.mark.parametrize("where", ["usual", "own"])
def test_a_command_finds_no_store(me: Person, base: Path, where: str) -> None:
    netproxy = Netproxy(me, base)
    folder = netproxy.state / "netproxy" if where == "usual" else me.home / "kept"
    if where == "own":
        file = netproxy.config / "netproxy" / "config.toml"
        file.parent.mkdir(0o700, parents=True)
        file.write_text(f'[approvals]\nstore = "{folder}/approvals.db"\n')
    folder.mkdir(0o700, parents=True)
    (folder / "approvals.db").write_text("secret of others")
    look = LOOK.format(folder=folder)
    done = netproxy("run", "--audit-dir", str(netproxy.audit), "--", "sh", "-c", look)
    assert done.out.endswith("tried\n"), done.err
    assert "approvals.db\n" not in done.out
    assert "secret of others" not in done.out
    assert (folder / "approvals.db").read_text() == "secret of others"


def test_what_it_calls_itself_is_no_statement(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "approvals.db", clock=Hands())
        victim = await store.add(pending("a-1"))
        record = pending("a-2", host=SQL, session=SQL)
        asked = replace(record.question.asking, command=SQL, directory=SQL, run=SQL, group=SQL)
        record = replace(record, question=replace(record.question, asking=asked))
        record = await store.add(record)
        after, left = granted(record)
        left = replace(left, comment=SQL, reviewer=SQL)
        assert await store.replace(record, after, grant=left)
        assert await store.find("a-1") == victim
        assert await store.find("a-2") == after
        assert await store.of_host(SQL, limit=9) == (after,)
        assert await store.of_host("' OR 1=1 --", limit=9) == ()
        assert await store.held() == (left,)
        await store.close()

    asyncio.run(main())


def test_a_store_that_others_could_have_written_is_not_believed(tmp_path: Path) -> None:
    """A yes in it would be a yes of nobody."""
    path = tmp_path / "state" / "approvals.db"

    async def opened() -> None:
        store = SqliteStore(path, clock=Hands())
        try:
            await store.open()
        finally:
            await store.close()

    asyncio.run(opened())
    for mode, place in ((0o666, path), (0o640, path), (0o777, path.parent), (0o770, path.parent)):
        before = place.stat().st_mode
        place.chmod(mode)
        with pytest.raises(StoreUnavailable, match="others may"):
            asyncio.run(opened())
        place.chmod(before)
    asyncio.run(opened())
    for change in ("DROP INDEX approvals_open", "CREATE VIEW more AS SELECT * FROM grants"):
        kept = path.read_bytes()
        alter(path, change)
        with pytest.raises(StoreUnavailable, match="changed by another program"):
            asyncio.run(opened())
        path.write_bytes(kept)


def alter(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    database.execute(statement)
    database.close()
