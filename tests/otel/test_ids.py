from __future__ import annotations

import os
import re
import time

from otel.chain import WRITER_ID
from otel.ids import new_id


def test_an_id_is_a_ulid_with_a_prefix() -> None:
    assert re.fullmatch(r"c-[0-7][0-9A-HJKMNP-TV-Z]{25}", new_id("c"))
    assert WRITER_ID.fullmatch(new_id("w"))


def test_ids_differ_and_sort_by_time() -> None:
    first = new_id("c")
    time.sleep(0.002)
    assert first < new_id("c")
    assert len({new_id("c") for _ in range(1000)}) == 1000


def test_a_forked_child_does_not_give_out_the_ids_of_its_parent() -> None:
    new_id("c")  # so that some are drawn ahead
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, "\n".join(new_id("c") for _ in range(50)).encode())
        os._exit(0)
    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0
    theirs = {line[-16:] for line in os.read(reading, 65536).decode().splitlines()}
    os.close(reading)
    assert len(theirs) == 50
    assert not theirs & {new_id("c")[-16:] for _ in range(50)}
