"""The store's SQL on a real PostgreSQL: what SQLite is told, that takes as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.people import open_folder, remove
from tests.support.postgres import cluster, migrated, program
from tests.support.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.xdist_group("postgres"),
    pytest.mark.skipif(program("postgres") is None, reason="needs Debian's package postgresql"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    folder = open_folder()
    try:
        with cluster(folder) as name:
            migrated(name)
            yield name
    finally:
        remove(folder)


def test_it_takes_every_statement(server: str) -> None:
    refused = []
    found = list(statements())
    with psycopg.connect(server, autocommit=True) as connection:
        for number, (module, sql) in enumerate(found):
            try:
                connection.execute(f"PREPARE s{number} AS {sql}".encode())
            except psycopg.Error as error:
                refused.append(f"{module}: {error}\n{sql}")
    assert not refused, "\n\n".join(refused)
