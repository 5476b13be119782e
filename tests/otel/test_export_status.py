from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.cursor import Cursor
from otel.cursor import save as save_cursor
from otel.export_status import REJECTED, Lag, Notice, Status, lag, load, save, statuses
from tests.support.journals import NOON_NS, segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path

SINK = "ship-x"
NOTICE = Notice(number=1, state=REJECTED, lag_records=2, lag_ms=3, rejected=4, error="old")
STATUS = Status(
    label="otlp x",
    required=True,
    stalled=False,
    delivered=5,
    rejected=4,
    error="",
    last_number=1,
    notices=(NOTICE,),
)
MINUTE_NS = 60 * 10**9


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert load(tmp_path, SINK) is None
    save(tmp_path, SINK, STATUS)
    assert load(tmp_path, SINK) == STATUS


def spelled(**changes: Any) -> bytes:
    fields = {**json.loads(json.dumps(_plain(STATUS))), **changes}
    return json.dumps({key: value for key, value in fields.items() if value != "GONE"}).encode()


def _plain(status: Status) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(status)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{", id="half"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"\xff", id="no-text"),
        pytest.param(spelled(notices="GONE"), id="no-notices"),
        pytest.param(spelled(notices=[1]), id="notice-is-no-table"),
        pytest.param(spelled(notices=[{}]), id="notice-without-fields"),
        pytest.param(spelled(notices=[{**_plain(STATUS)["notices"][0], "state": "x"}]), id="state"),
        pytest.param(spelled(notices=[{**_plain(STATUS)["notices"][0], "number": "1"}]), id="text"),
        pytest.param(spelled(notices=[{**_plain(STATUS)["notices"][0], "error": None}]), id="none"),
        pytest.param(spelled(delivered=-1), id="negative"),
        pytest.param(spelled(delivered=True), id="bool"),
        pytest.param(spelled(label=1), id="label"),
        pytest.param(spelled(stalled=0), id="flag"),
        pytest.param(spelled(more=1), id="unknown"),
    ],
)
def test_a_damaged_status_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{SINK}.status").write_bytes(content)
    assert load(tmp_path, SINK) is None
    assert statuses(tmp_path, now_ns=NOON_NS) == []


@given(content=st.binary(max_size=60))
def test_any_bytes_are_a_status_or_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / f"{SINK}.status").write_bytes(content)
    assert load(folder, SINK) is None


def test_lag_is_what_stands_behind_the_cursor(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 5)  # one each millisecond
    folder = tmp_path / writer
    size = segment_of(tmp_path, writer).stat().st_size
    now = NOON_NS + MINUTE_NS
    assert lag(folder, SINK, now_ns=now) == Lag(records=5, ms=60_000 - 1, bytes=size)
    lines = segment_of(tmp_path, writer).read_bytes().splitlines(keepends=True)
    done = sum(len(line) for line in lines[:2])
    save_cursor(folder, SINK, Cursor(segment=1, offset=done, seq=2, hash=""))
    assert lag(folder, SINK, now_ns=now) == Lag(records=3, ms=60_000 - 3, bytes=size - done)
    save_cursor(folder, SINK, Cursor(segment=1, offset=size, seq=5, hash=""))
    assert lag(folder, SINK, now_ns=now) == Lag(records=0, ms=0, bytes=0)


def test_a_clock_that_was_set_back_is_no_negative_age(tmp_path: Path) -> None:
    folder = tmp_path / write_journal(tmp_path, 1)
    assert lag(folder, SINK, now_ns=0).ms == 0


@pytest.mark.parametrize("content", [b"rubbish\n", b"half"])
def test_damage_in_the_journal_is_no_lag(tmp_path: Path, content: bytes) -> None:
    writer = write_journal(tmp_path, 1)
    segment_of(tmp_path, writer).write_bytes(content)
    assert lag(tmp_path / writer, SINK, now_ns=NOON_NS).records == 0


def test_all_sinks_of_a_writer(tmp_path: Path) -> None:
    folder = tmp_path / write_journal(tmp_path, 2)
    save(folder, "ship-b", replace(STATUS, label="b"))
    save(folder, "ship-a", replace(STATUS, label="a"))
    (folder / "ship-c.status").write_text("{")
    found = statuses(folder, now_ns=NOON_NS)
    assert [(each.key, each.status.label, each.lag.records) for each in found] == [
        ("ship-a", "a", 2),
        ("ship-b", "b", 2),
    ]
