from __future__ import annotations

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
