from __future__ import annotations

from otel.chain import End
from otel.unsynced import At, Unsynced

START = At(0, 1, 100, End(4, b"4"))


def test_what_was_written_is_kept_until_it_is_synced() -> None:
    unsynced = Unsynced(START)
    unsynced.wrote(b"five\n", 1, 105, End(5, b"5"))
    middle = unsynced.now
    unsynced.wrote(b"six\n", 1, 109, End(6, b"6"))
    assert unsynced.lines() == b"five\nsix\n"
    assert unsynced.size == 9
    unsynced.synced(middle)
    assert unsynced.good == At(1, 1, 105, End(5, b"5"))
    assert unsynced.lines() == b"six\n"
    assert unsynced.size == 4


def test_all_that_was_kept_is_on_the_disk_elsewhere() -> None:
    unsynced = Unsynced(START)
    unsynced.wrote(b"five\n", 1, 105, End(5, b"5"))
    unsynced.moved(2, 5)
    assert unsynced.good == unsynced.now == At(1, 2, 5, End(5, b"5"))
    assert (unsynced.lines(), unsynced.size) == (b"", 0)
