from __future__ import annotations

from pathlib import Path

from otel.folders import Position
from otel.sinks import (
    SINKS_VARIABLE,
    FileSettings,
    OtlpSettings,
    Protocol,
    required_keys,
    ship_command,
    spelled_sinks,
    without_doubles,
)

COLLECTOR = OtlpSettings(
    endpoint="https://collector/v1/logs",
    headers={"a": "S3CRET"},
    certificate="/ca.pem",
    client_certificate="/c.pem",
    client_key="/k.pem",
    required=False,
    place="config.toml:1",
)
GRPC = OtlpSettings(
    endpoint="http://collector", headers={}, certificate=None, protocol=Protocol.GRPC
)
FILE = FileSettings(path="/var/log/netproxy.ocsf")


def test_the_exporter_reads_what_it_is_given() -> None:
    _, environment = ship_command([COLLECTOR, GRPC, FILE], Path("/a"), "w-1")
    found = spelled_sinks(environment[SINKS_VARIABLE])
    assert found == (COLLECTOR, GRPC, FILE)
    assert [sink.place for sink in found] == ["config.toml:1", "", ""]


def test_secrets_are_no_arguments_and_do_not_show() -> None:
    command, environment = ship_command([COLLECTOR], Path("/a"), "w-1")
    assert "S3CRET" not in " ".join(command)
    assert "S3CRET" in environment[SINKS_VARIABLE]
    assert "S3CRET" not in repr(COLLECTOR) + COLLECTOR.label


def test_the_exporters_environment_has_nothing_else() -> None:
    """No proxies, no OTEL_ limits, no PYTHONPATH."""
    command, environment = ship_command([GRPC], Path("rel"), "w-1", start=Position(2, 30))
    assert list(environment) == [SINKS_VARIABLE]
    assert "--stall-seconds" not in command
    assert "-P" in command
    assert command[command.index("--directory") + 1] == str(Path("rel").absolute())
    assert command[command.index("--start") + 1] == "2:30"


def test_names_of_files_do_not_say_where_records_go() -> None:
    keys = {COLLECTOR.key, GRPC.key, FILE.key}
    assert len(keys) == 3
    assert FILE.label == "ocsf /var/log/netproxy.ocsf"
    assert not any("collector" in key or "/" in key for key in keys)


def test_cursors_of_http_collectors_are_where_they_were() -> None:
    """A new version goes on behind what an old one delivered."""
    sink = OtlpSettings(endpoint="http://a/v1/logs", headers={}, certificate=None)
    assert sink.key == "ship-8f279f7a805a0927"


def test_the_first_of_two_that_are_one_wins() -> None:
    again = OtlpSettings(endpoint=COLLECTOR.endpoint, headers={}, certificate=None)
    assert without_doubles([COLLECTOR, FILE, again]) == (COLLECTOR, FILE)


def test_retention_waits_for_those_that_are_required() -> None:
    assert required_keys([COLLECTOR, GRPC, FILE]) == (GRPC.key, FILE.key)


def test_the_exporter_is_told_when_a_sink_stalls() -> None:
    command, _ = ship_command([GRPC], Path("/a"), "w-1", stall_seconds=30)
    assert command[command.index("--stall-seconds") + 1] == "30"
