"""Where audit records are sent, as settings say it, and the process that sends them. Pure.

Each sink has a cursor, a lock and a status of its own beside the records of each writer, in files
that begin with its `key`. How settings are read is in `config` and in whoever reads settings files.
"""

from __future__ import annotations

import hashlib
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from otel.folders import START
from otel.values import asdict, dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from otel.folders import Position

# The exporter reads its sinks here, since some hold secrets: an argument list is readable by every
# user of the machine.
SINKS_VARIABLE = "NETPROXY_AUDIT_SINKS"


class Protocol(StrEnum):
    """How OTLP is spoken, in the words of OTEL_EXPORTER_OTLP_PROTOCOL."""

    HTTP = "http/protobuf"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpSettings:
    """One collector. `headers` hold its secrets and stay out of every text and message."""

    endpoint: str  # gRPC: the URL's path has no meaning
    headers: Mapping[str, str] = field(repr=False)
    certificate: str | None  # a file with the collector's CA; None trusts the public ones
    protocol: Protocol = Protocol.HTTP
    client_certificate: str | None = None  # a file, which needs the next one, too
    client_key: str | None = None
    required: bool = True  # retention waits for it
    place: str = field(default="", compare=False)  # where it is configured, for a message

    @property
    def key(self) -> str:
        """What the names of this sink's files begin with; the endpoint stays out of the folder."""
        is_http = self.protocol is Protocol.HTTP
        return _key(self.endpoint if is_http else f"{self.protocol} {self.endpoint}")

    @property
    def label(self) -> str:
        """What people call it."""
        return f"otlp {self.endpoint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """A file that events are appended to, one line of text each."""

    path: str  # absolute
    format: str = "ocsf"  # one of `otel.formats`
    required: bool = True
    place: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """What the names of this sink's files begin with."""
        return _key(f"{self.format} {self.path}")

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.format} {self.path}"


type SinkSettings = OtlpSettings | FileSettings


def without_doubles(sinks: Iterable[SinkSettings]) -> tuple[SinkSettings, ...]:
    """Keep the first of those that share a cursor, so name those first that nobody may change."""
    kept: dict[str, SinkSettings] = {}
    for sink in sinks:
        kept.setdefault(sink.key, sink)
    return tuple(kept.values())


def required_keys(sinks: Iterable[SinkSettings]) -> tuple[str, ...]:
    """Name the sinks that have to have a record before retention may take it away."""
    return tuple(sink.key for sink in sinks if sink.required)


def ship_command(
    sinks: Sequence[SinkSettings],
    directory: Path,
    writer: str,
    *,
    start: Position = START,
    stall_seconds: float | None = None,
) -> tuple[list[str], dict[str, str]]:
    """Arguments and whole environment of the process that exports one writer's records.

    A sink that never got anything from this writer gets the records from `start` on:
    `Journal.opened_at` leaves out the runs before this one, which may not have been meant for it.
    """
    import json

    # -P: the working directory belongs to the untrusted command, and `python -m` would import
    # our modules from it first.
    command = [sys.executable, "-P", "-m", "otel.ship"]
    command += ["--directory", str(directory.absolute()), "--writer", writer]
    command += ["--start", f"{start.segment}:{start.offset}"]
    if stall_seconds is not None:
        command += ["--stall-seconds", str(stall_seconds)]
    return command, {SINKS_VARIABLE: json.dumps([_spelled(sink) for sink in sinks])}


def spelled_sinks(text: str) -> tuple[SinkSettings, ...]:
    """Read what `ship_command` put into the environment."""
    import json

    return tuple(_read(each) for each in json.loads(text))


def _spelled(sink: SinkSettings) -> dict[str, object]:
    fields = asdict(sink)
    return {"type": "otlp" if isinstance(sink, OtlpSettings) else "file", **fields}


def _read(fields: dict[str, Any]) -> SinkSettings:
    # Our own words come back: types are what `_spelled` wrote.
    kind, given = fields["type"], {key: fields[key] for key in fields if key != "type"}
    if kind == "file":
        return FileSettings(**given)
    return OtlpSettings(**{**given, "protocol": Protocol(given["protocol"])})


def _key(text: str) -> str:
    return f"ship-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
