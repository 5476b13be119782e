"""The collector is dead, slow or wrong, the exporter is killed: nothing is lost, nothing waits."""

from __future__ import annotations

import os
import signal
import subprocess  # the exporter as its own process is what is tested
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel import AuditTrail, Journal, otlp_settings, ship_command
from tests.support.fair_clock import share
from tests.support.journals import decision, write_journal
from tests.support.otlp_receiver import (
    Arrived,
    OtlpReceiver,
    Reply,
    attributes_of,
    partial,
    refuse,
    uids_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def start(
    url: str, directory: Path, writer: str, *, drain: float = 5.0, headers: str = ""
) -> subprocess.Popen[bytes]:
    settings = otlp_settings({"OTEL_EXPORTER_OTLP_HEADERS": headers}, url)
    assert settings is not None
    command, environment = ship_command([settings], directory, writer)
    command += ["--drain-seconds", str(drain)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes], seconds: float = 60) -> tuple[int, str]:
    _, errors = process.communicate(timeout=seconds)
    return process.returncode, errors.decode()


@contextmanager
def running(directory: Path) -> Iterator[tuple[AuditTrail, str]]:
    journal = Journal.open(directory)
    yield AuditTrail(journal, {"session.id": "s-1"}), journal.writer
    journal.close()


def test_records_arrive_while_the_run_lives_and_after_it(tmp_path: Path) -> None:
    with OtlpReceiver() as collector:
        with running(tmp_path) as (trail, writer):
            trail.record(decision("a.example"))
            process = start(collector.url, tmp_path, writer, headers="x-token=S%20")
            collector.wait_for(1)
            trail.record(decision("b.example"))
            collector.wait_for(2)
            trail.record(decision("c.example"))
        assert finish(process) == (0, "")
        records = collector.wait_for(3)
        assert collector.requests[0].path == "/v1/logs"
        assert collector.requests[0].headers["x-token"] == "S "
    hosts = [attributes_of(record)["server.address"] for record in records]
    assert hosts == ["a.example", "b.example", "c.example"]
    assert len(set(uids_of(records))) == 3
    assert [attributes_of(record)["netproxy.audit.seq"] for record in records] == [1, 2, 3]


def test_a_thousand_records_in_batches(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 1200)
    with OtlpReceiver() as collector:
        assert finish(start(collector.url, tmp_path, writer)) == (0, "")
        assert [len(request.records) for request in collector.requests] == [512, 512, 176]
        assert len(set(uids_of(collector.records))) == 1200


def test_busy_with_a_time_to_come_back(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    with OtlpReceiver() as collector:
        collector.script += [refuse(503, Retry_After="1"), refuse(429), refuse(304)]
        assert finish(start(collector.url, tmp_path, writer)) == (0, "")
        first, second, *_ = collector.requests
        assert len(collector.requests) == 4
        assert len(collector.records) == 2
    assert second.at_seconds - first.at_seconds >= 1.0


def test_partial_success_is_told_and_not_repeated(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    with OtlpReceiver() as collector:
        collector.script.append(partial(1, "too \x1b[31mold"))
        status, errors = finish(start(collector.url, tmp_path, writer))
        assert len(collector.requests) == 1
    assert status == 0
    assert errors == (
        f"netproxy: audit export: otlp {collector.url}/v1/logs: "
        "the collector rejected 1 records: too \\u001b[31mold\n"
    )


def test_a_poisoned_record_does_not_block(tmp_path: Path) -> None:
    def judge(request: Arrived) -> Reply:
        hosts = [attributes_of(record)["server.address"] for record in request.records]
        return refuse(400) if "h7.example" in hosts else Reply()

    writer = write_journal(tmp_path, 20)
    with OtlpReceiver(judge=judge) as collector:
        status, errors = finish(start(collector.url, tmp_path, writer))
        assert len(collector.records) == 19
    assert status == 0
    assert "can't use 1 records (seq 7)" in errors


def test_a_dead_collector_delays_nothing_and_loses_nothing(tmp_path: Path) -> None:
    with OtlpReceiver() as gone:
        port = gone.port
    writer = write_journal(tmp_path, 3)
    begun = time.monotonic()
    status, errors = finish(start(f"http://127.0.0.1:{port}", tmp_path, writer, drain=0.5))
    assert (time.monotonic() - begun) * share() < 5
    assert status == 1
    assert errors.count("\n") == 1
    assert "3 records not delivered (can't connect)" in errors
    write_journal(tmp_path, 1)
    with OtlpReceiver(port) as collector:
        assert finish(start(collector.url, tmp_path, writer)) == (0, "")
        assert len(set(uids_of(collector.records))) == 4


def test_killed_between_acknowledgement_and_cursor(tmp_path: Path) -> None:
    """The batch comes twice, with equal uids: a collector can tell."""
    writer = write_journal(tmp_path, 3)
    killed: list[subprocess.Popen[bytes]] = []

    def kill_then_acknowledge(_: Arrived) -> Reply:
        if killed:
            killed.pop().kill()
        return Reply()

    with OtlpReceiver(judge=kill_then_acknowledge) as collector:
        with running(tmp_path):
            process = start(collector.url, tmp_path, writer)
            killed.append(process)
            assert finish(process)[0] == -signal.SIGKILL
        assert finish(start(collector.url, tmp_path, writer)) == (0, "")
        uids = uids_of(collector.wait_for(6))
    assert uids[:3] == uids[3:]
    assert len(set(uids)) == 3


def test_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    with OtlpReceiver() as collector:
        with running(tmp_path) as (trail, writer):
            trail.record(decision())
            process = start(collector.url, tmp_path, writer)
            collector.wait_for(1)
            process.send_signal(signal.SIGINT)
            trail.record(decision())
        assert finish(process) == (0, "")
        assert len(collector.records) == 2


def test_it_keeps_nothing_of_its_parent(tmp_path: Path) -> None:
    """A pipe behind netproxy must end with netproxy, and Ctrl-C must not reach the exporter."""
    with OtlpReceiver() as collector, running(tmp_path) as (trail, writer):
        trail.record(decision())
        process = start(collector.url, tmp_path, writer)
        collector.wait_for(1)
        own = Path("/proc") / str(process.pid)
        assert os.getsid(process.pid) == process.pid
        assert (own / "fd" / "0").readlink() == (own / "fd" / "1").readlink() == Path("/dev/null")
        assert (own / "cwd").readlink() == Path("/")
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_two_exporters_of_one_writer_take_turns(tmp_path: Path) -> None:
    """The next run took the writer while the last one's exporter was still at work."""
    with OtlpReceiver() as collector:
        with running(tmp_path) as (trail, writer):
            first = start(collector.url, tmp_path, writer)
            trail.record(decision())
            collector.wait_for(1)
            second = start(collector.url, tmp_path, writer)
            time.sleep(0.2)
            first.kill()
            trail.record(decision())
            collector.wait_for(2)
        assert finish(second) == (0, "")
        finish(first)
        assert len(uids_of(collector.records)) == 2


@pytest.mark.parametrize("name", ["OTEL_SDK_DISABLED", "http_proxy", "OTEL_ATTRIBUTE_COUNT_LIMIT"])
def test_the_environment_does_not_reach_it(tmp_path: Path, name: str) -> None:
    settings = otlp_settings({name: "true"}, "http://127.0.0.1:9")
    assert settings is not None
    assert name not in ship_command([settings], tmp_path, "w-1")[1]


def test_an_exporter_without_a_journal_says_so(tmp_path: Path) -> None:
    status, errors = finish(start("http://127.0.0.1:9", tmp_path, "w-nothing"))
    assert status == 1
    assert errors.count("\n") == 1
    assert "audit export: otlp http://127.0.0.1:9/v1/logs: failed: " in errors
