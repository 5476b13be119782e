"""Whatever the load client says that is not a whole success ends the benchmark."""

from __future__ import annotations

import json

import pytest

from bench.errors import BenchFailed
from bench.load_client import read_alive, read_load, read_ready


def line(**changes: object) -> str:
    said = {
        "ok": 400,
        "err": 0,
        "rate": 399.5,
        "p50_us": 1500,
        "p99_us": 9000,
        "bytes": 2_000_000_000,
        "gbps": 1.9,
        "sample_err": "",
    }
    return json.dumps(said | changes)


def test_a_round_without_a_failure_is_read_in_our_units() -> None:
    load = read_load(line())
    assert (load.done, load.rate) == (400, 399.5)
    assert (load.p50_ms, load.p99_ms) == (1.5, 9.0)
    assert (load.gigabytes, load.gigabytes_per_second) == (2.0, 1.9)


def test_one_failed_request_ends_it_with_what_it_said() -> None:
    with pytest.raises(BenchFailed, match=r"1 failed, 400 did not: connect-reply: not 200"):
        read_load(line(err=1, sample_err="connect-reply: not 200"))


def test_a_round_in_which_nothing_was_done_is_no_figure() -> None:
    with pytest.raises(BenchFailed, match="0 failed, 0 did not"):
        read_load(line(ok=0))


@pytest.mark.parametrize("said", ["", "{", "hung"])
def test_a_client_that_ended_early_is_no_figure(said: str) -> None:
    with pytest.raises(BenchFailed, match="ended early"):
        read_load(said)


def test_idle_tunnels_are_all_made_or_it_ends() -> None:
    read_ready('{"ready":5,"err":0,"secs":0.1,"sample_err":""}', 5)
    with pytest.raises(BenchFailed, match="4 of 5 idle tunnels: refused"):
        read_ready('{"ready":4,"err":1,"secs":0.1,"sample_err":"refused"}', 5)


def test_idle_tunnels_are_all_kept_or_it_ends() -> None:
    read_alive('{"alive":5}', 5)
    with pytest.raises(BenchFailed, match="2 of 5 idle tunnels were closed"):
        read_alive('{"alive":3}', 5)
