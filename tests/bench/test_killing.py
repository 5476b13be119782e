from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.errors import BenchFailed
from bench.killing import Killed, checked
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_dialled_and_is_not_on_record_shows() -> None:
    outcome = Killed(
        dialled=frozenset({"127.64.0.1", "127.64.0.2"}),
        answered=1,
        recorded=frozenset({"127.64.0.2", "127.64.0.3"}),
    )
    assert outcome.unrecorded == {"127.64.0.1"}


def test_a_chain_that_does_not_hold_shows_and_half_a_line_is_none(tmp_path: Path) -> None:
    path = segment_of(tmp_path, write_journal(tmp_path, 3))
    with path.open("ab") as file:
        file.write(b'{"half')
    assert checked(tmp_path) == 3
    path.write_bytes(path.read_bytes().replace(b"h2.example", b"h9.example"))
    with pytest.raises(BenchFailed, match="content and hash differ"):
        checked(tmp_path)
