"""A secret leads into one run, once; nobody changes sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from netproxy.connection.credentials import Credentials, Identity
from netproxy.transport.door import Door

if TYPE_CHECKING:
    from netproxy.transport.driver import Connection

ANNA, BERT = Identity("anna"), Identity("bert")


class Run:
    def __init__(self) -> None:
        self.taken: list[Connection] = []

    def take_over(self, connection: Connection) -> None:
        self.taken.append(connection)


@pytest.mark.parametrize(
    ("secret", "known", "who", "enters"),
    [
        (b"of anna", None, ANNA, True),
        (b"of anna", ANNA, ANNA, False),
        (b"of bert", ANNA, None, False),
        (b"of nobody", None, None, False),
        (b"of nobody", ANNA, None, False),
        (b"", None, None, False),
        (None, None, None, False),
        (None, ANNA, None, False),
    ],
)
def test_who_comes_in(
    secret: bytes | None, known: Identity | None, who: Identity | None, enters: bool
) -> None:
    anna, bert = Run(), Run()
    credentials = Credentials.of({ANNA: b"of anna", BERT: b"of bert"})
    door = Door(credentials=credentials, runs={ANNA: anna, BERT: bert})
    connection = cast("Connection", object())
    assert door.let_in(connection, secret, known) == who
    assert anna.taken == ([connection] if enters else [])
    assert bert.taken == []
