"""What a proxy costs is what its whole family costs, and nobody else."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from bench.errors import BenchFailed
from bench.ports import free_port
from bench.processes import (
    Others,
    Stat,
    Tree,
    busy_ticks,
    family_of,
    held_back,
    read_stat,
    require,
    started,
)

LINE = "41 (a (b) c) S 7 41 41 0 -1 4194560 1 2 3 4 10 20 300 4000 20 0 1 0 55 1 2"


def test_a_name_with_brackets_does_not_shift_the_fields() -> None:
    assert read_stat(LINE) == Stat(pid=41, name="a (b) c", parent=7, ticks=4330)


FAMILY = [
    Stat(1, "init", 0, 0),
    Stat(10, "gateway", 1, 5),
    Stat(11, "helper", 10, 5),
    Stat(12, "bwrap", 10, 5),
    Stat(13, "client", 12, 5),
    Stat(14, "grandchild", 11, 5),
    Stat(20, "stranger", 1, 5),
]


def test_a_family_is_all_below_its_root() -> None:
    assert [each.pid for each in family_of(10, FAMILY)] == [10, 11, 12, 14, 13]


def test_what_is_in_the_sandbox_is_no_part_of_the_gateway() -> None:
    assert [each.pid for each in family_of(10, FAMILY, without="bwrap")] == [10, 11, 14]


def test_a_root_that_is_gone_has_no_family() -> None:
    assert family_of(99, FAMILY) == []


def test_a_process_has_memory_time_and_descriptors() -> None:
    me = Tree(root=os.getpid())
    assert me.memory_kib() > 1000
    assert me.cpu_seconds() > 0
    before = me.descriptors()
    reading, writing = os.pipe()
    try:
        assert me.descriptors() == before + 2
    finally:
        os.close(reading)
        os.close(writing)


def test_a_core_that_waits_is_not_busy() -> None:
    assert busy_ticks(b"cpu  1 20 300 5000 60000 4 5 6 70000 80000\n") == 1 + 20 + 300 + 4 + 5 + 6


def test_others_are_no_more_than_there_are_cores() -> None:
    others = Others()
    time.sleep(0.2)
    # A tick is a hundredth of a second: there may be a few too many.
    assert 0 <= others.cores() <= (os.cpu_count() or 1) + 0.5


SERVER = (
    "import signal, socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
    "signal.pause()"
)


def test_a_server_is_there_when_it_listens_and_gone_afterwards(tmp_path: Path) -> None:
    port = free_port()
    with started([sys.executable, "-c", SERVER, str(port)], [port], tmp_path) as pid:
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_server_that_ends_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such configuration')"]
    with (
        pytest.raises(BenchFailed, match="no such configuration"),
        started(command, [free_port()], tmp_path),
    ):
        pass


def test_a_missing_program_is_named_with_what_to_type() -> None:
    require("sh", "never")
    with pytest.raises(BenchFailed, match="no-such-program is missing; type: install it"):
        require("no-such-program", "install it")


def test_whoever_is_told_to_end_in_the_middle_of_a_start_finishes_it() -> None:
    """Else nobody would know of what was started."""
    done: list[str] = []

    def start() -> None:
        with held_back():
            signal.raise_signal(signal.SIGTERM)
            done.append("the start")
        done.append("what comes after it")

    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    try:
        with pytest.raises(SystemExit, match="told to end"):
            start()
        with pytest.raises(SystemExit, match="told to end"):  # and it is heard as ever then
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert done == ["the start"]
