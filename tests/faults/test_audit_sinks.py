"""Sinks of every kind, as the exporter's process meets them: one of them dead, slow, or picky."""

from __future__ import annotations

import json
import socket
import subprocess  # the exporter as its own process is what is tested
from typing import TYPE_CHECKING

import grpc
import pytest

from otel import AuditTrail, FileSettings, Journal, OtlpSettings, read, ship_command, statuses
from otel.events import ExportState, PolicyDecision
from otel.export_notices import record_notices
from otel.lock import is_live
from otel.sinks import Protocol
from tests.support.journals import decision, write_journal
from tests.support.ocsf_excerpt import check
from tests.support.otlp_grpc_receiver import TAKEN, Call, GrpcReceiver, Refusal, Reply, partial
from tests.support.otlp_receiver import OtlpReceiver, attributes_of, uids_of

if TYPE_CHECKING:
    from pathlib import Path

    from otel import SinkSettings

CODES = grpc.StatusCode
# What a command can put into a host's name: NUL, ESC, a direction mark, much of it.
HOSTILE = "a\0\x1b[2J\u202eexample" + "x" * 10_000


def over_grpc(collector: GrpcReceiver) -> OtlpSettings:
    return OtlpSettings(
        endpoint=collector.url, headers={}, certificate=None, protocol=Protocol.GRPC
    )


def over_http(url: str) -> OtlpSettings:
    return OtlpSettings(endpoint=f"{url}/v1/logs", headers={}, certificate=None)


def start(
    directory: Path, writer: str, *sinks: SinkSettings, drain: float = 5.0
) -> subprocess.Popen[bytes]:
    command, environment = ship_command(sinks, directory, writer)
    command += ["--drain-seconds", str(drain)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def export(directory: Path, writer: str, *sinks: SinkSettings, drain: float = 5.0) -> int:
    process = start(directory, writer, *sinks, drain=drain)
    process.communicate(timeout=60)
    return process.returncode


def test_grpc_busy_picky_and_partial(tmp_path: Path) -> None:
    def judge(call: Call) -> Reply:
        hosts = [attributes_of(record)["server.address"] for record in call.records]
        return Refusal(code=CODES.INVALID_ARGUMENT) if "h7.example" in hosts else TAKEN

    writer = write_journal(tmp_path, 20)
    with GrpcReceiver(judge=judge) as collector:
        collector.script += [
            Refusal(code=CODES.UNAVAILABLE),
            Refusal(code=CODES.RESOURCE_EXHAUSTED, retry_seconds=0.2),
        ]
        assert export(tmp_path, writer, over_grpc(collector)) == 0
        assert len(set(uids_of(collector.records))) == len(collector.records) == 19
        collector.script.append(partial(1, "old"))
        write_journal(tmp_path, 2)
        assert export(tmp_path, writer, over_grpc(collector)) == 0
        assert len(collector.records) == 21
    kept = tmp_path / writer / "rejected" / over_grpc(collector).key
    assert sorted(path.name for path in kept.iterdir()) == [
        "0000000007.jsonl",
        "0000000021-0000000022.jsonl",
    ]


def test_one_that_hangs_and_one_that_is_dead_hold_nobody(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 3)
    file = FileSettings(path=str(tmp_path / "siem.jsonl"))
    with socket.create_server(("127.0.0.1", 0)) as hanging, OtlpReceiver() as collector:
        hangs = over_http(f"http://127.0.0.1:{hanging.getsockname()[1]}")
        dead = over_http("http://127.0.0.1:9")
        process = start(tmp_path, writer, hangs, dead, over_http(collector.url), file, drain=1.0)
        assert len(uids_of(collector.wait_for(3))) == 3
        process.communicate(timeout=60)
    assert process.returncode == 1
    assert len((tmp_path / "siem.jsonl").read_text().splitlines()) == 3
    found = {each.status.label: each for each in statuses(tmp_path / writer, now_ns=0)}
    assert {label: each.lag.records for label, each in found.items()} == {
        hangs.label: 3,
        dead.label: 3,
        over_http(collector.url).label: 0,
        file.label: 0,
    }
    assert found[dead.label].status.error == "can't connect"


def test_a_file_whose_cursor_was_lost_has_its_lines_twice(tmp_path: Path) -> None:
    """As after a kill between the file and the cursor: by the same uid."""
    writer = write_journal(tmp_path, 3)
    sink = FileSettings(path=str(tmp_path / "siem.jsonl"))
    assert export(tmp_path, writer, sink) == 0
    (tmp_path / writer / f"{sink.key}.cursor").unlink()
    assert export(tmp_path, writer, sink) == 0
    uids = [
        json.loads(line)["metadata"]["uid"]
        for line in (tmp_path / "siem.jsonl").read_text().splitlines()
    ]
    assert uids[:3] == uids[3:]
    assert len(set(uids)) == 3


def test_hostile_text_reaches_every_sink(tmp_path: Path) -> None:
    """It is no poison: what the journal holds is valid and bounded."""
    journal = Journal.open(tmp_path)
    trail = AuditTrail(journal, {})
    for host in (HOSTILE, "lone \ud800 surrogate", "http://me:S3CRET@h/?token=S3CRET"):
        trail.record(decision(host))
    journal.close()
    sink = FileSettings(path=str(tmp_path / "siem.jsonl"))
    with OtlpReceiver() as http, GrpcReceiver() as rpc:
        sinks = (over_http(http.url), over_grpc(rpc), sink)
        assert export(tmp_path, journal.writer, *sinks) == 0
        arrived = [http.records, rpc.records]
    hosts = [[attributes_of(record)["server.address"] for record in each] for each in arrived]
    assert hosts[0] == hosts[1]
    assert str(hosts[0][0]).startswith("a\\u0000\\u001b[2J\\u202eexample")
    text = (tmp_path / "siem.jsonl").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["dst_endpoint"]["hostname"] for event in events] == hosts[0]
    assert [problem for event in events for problem in check(event)] == []
    assert "S3CRET" not in text + str(hosts)


def test_what_a_sink_rejects_is_on_record_and_exported(tmp_path: Path) -> None:
    """The exporter leaves it, the gateway records it, and the exporter sends that, too."""
    journal = Journal.open(tmp_path)
    trail, folder = AuditTrail(journal, {}), tmp_path / journal.writer
    trail.record(decision("first.example"))
    with GrpcReceiver() as collector:
        collector.script.append(partial(1, "too \x1b[31mold"))
        sink = over_grpc(collector)
        process = start(tmp_path, journal.writer, sink)
        collector.wait_for(1)
        while not list(folder.glob("*.status")):
            assert process.poll() is None
        record_notices(folder, [sink.key], trail.record)
        names = [record.event_name for record in collector.wait_for(2)]
        journal.close()
        process.communicate(timeout=60)
    assert names == [PolicyDecision.name, ExportState.name]
    (_, state) = read(tmp_path, print)
    assert state.attributes["netproxy.export.rejected"] == 1
    assert state.attributes["error.type"] == "too \\u001b[31mold"


def test_damage_in_the_journal_ends_no_exporter(tmp_path: Path) -> None:
    """It is told in the status, and looked at again: somebody may repair it."""
    journal = Journal.open(tmp_path)
    AuditTrail(journal, {}).record(decision())
    folder = tmp_path / journal.writer
    with OtlpReceiver() as collector:
        sink = over_http(collector.url)
        (folder / "00000002.jsonl").symlink_to("/etc/passwd")
        process = start(tmp_path, journal.writer, sink)
        collector.wait_for(1)
        while not any(each.status.error for each in statuses(folder, now_ns=0)):
            assert process.poll() is None
        assert is_live(folder, f"{sink.key}.lock") or process.poll() is None
        (folder / "00000002.jsonl").unlink()
        AuditTrail(journal, {}).record(decision())
        collector.wait_for(2)
        journal.close()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_sink_that_stands_still_is_told_and_so_is_that_it_goes_on(tmp_path: Path) -> None:
    with OtlpReceiver() as gone:
        port = gone.port
    journal = Journal.open(tmp_path)
    trail, folder = AuditTrail(journal, {}), tmp_path / journal.writer
    trail.record(decision())
    sink = over_http(f"http://127.0.0.1:{port}")
    command, environment = ship_command([sink], tmp_path, journal.writer, stall_seconds=0.01)
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    while not any(each.status.stalled for each in statuses(folder, now_ns=0)):
        assert process.poll() is None
    with OtlpReceiver(port) as collector:
        collector.wait_for(1)
        journal.close()
        process.communicate(timeout=60)
    recorded: list[ExportState] = []
    record_notices(folder, [sink.key], recorded.append)
    assert [event.state for event in recorded] == ["stalled", "recovered"]
    assert recorded[0].error_type == "can't connect"


@pytest.mark.parametrize("sink", ["http", "grpc"])
def test_a_collector_that_comes_back_gets_everything(tmp_path: Path, sink: str) -> None:
    with OtlpReceiver() as gone:
        port = gone.port
    protocol = Protocol.GRPC if sink == "grpc" else Protocol.HTTP
    settings = OtlpSettings(
        endpoint=f"http://127.0.0.1:{port}/v1/logs",
        headers={},
        certificate=None,
        protocol=protocol,
    )
    journal = Journal.open(tmp_path)
    AuditTrail(journal, {}).record(decision())
    process = start(tmp_path, journal.writer, settings)
    while not any(each.status.error for each in statuses(tmp_path / journal.writer, now_ns=0)):
        assert process.poll() is None
    with GrpcReceiver(port) if sink == "grpc" else OtlpReceiver(port) as collector:
        collector.wait_for(1)
        journal.close()
        process.communicate(timeout=60)
    assert process.returncode == 0
