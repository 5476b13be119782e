"""The exporter: a process of its own that reads one writer's journal and feeds its sinks.

The gateway never waits for it, and it never loses what it could not send: the journal is its
queue and each sink's cursor its memory. Sinks have a thread each, so that one which is down holds
none of the others. The process ends when the run has ended and everything is delivered, or some
seconds after the run's end; the next run of the same writer goes on from there.

    NETPROXY_AUDIT_SINKS='[…]' python -P -m otel.ship --directory DIR --writer W
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from otel import folders
from otel.backlog import Backlog
from otel.backoff import Backoff
from otel.config import ShipLimits
from otel.errors import AuditError
from otel.lifetime import Lifetime
from otel.lock import is_live, try_lock
from otel.redact import visible
from otel.set_aside import set_aside
from otel.shipper import Shipper, warnings
from otel.sinks import SINKS_VARIABLE, FileSettings, OtlpSettings, Protocol, spelled_sinks
from otel.status_keeper import StatusKeeper
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel.answers import Sink
    from otel.chain import Record
    from otel.sinks import SinkSettings


def main(arguments: list[str] | None = None) -> int:
    """Ship one writer's records. Returns 0 when every sink has all of them."""
    options = _parser().parse_args(arguments)
    sinks = spelled_sinks(os.environ.pop(SINKS_VARIABLE, "[]"))
    limits = replace(
        ShipLimits(),
        drain_seconds=options.drain_seconds,
        stall_seconds=options.stall_seconds,
    )
    detach()
    folder = options.directory / options.writer
    lifetime = Lifetime(limits, lambda: is_live(folder))
    shares = [_Share(sink, folder, lifetime, limits, options.start) for sink in sinks]
    threads = [threading.Thread(target=share.run, daemon=True) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max((share.status for share in shares), default=0)


def detach() -> None:
    """Keep nothing of the parent: its terminal's signals, its standard streams, its directory.

    A pipe that reads netproxy's output would else not end before the exporter does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getpid() != os.getpgid(0):  # else it leads a group of its own already
        os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null, 1)


@dataclass(slots=True)
class _Share:
    """One sink's part of the work, in a thread of its own."""

    settings: SinkSettings
    folder: Path
    lifetime: Lifetime
    limits: ShipLimits
    start: folders.Position
    status: int = 1  # until it is done

    def run(self) -> None:
        """Do it all, and begin anew after what should not happen; other sinks don't notice."""
        backoff = Backoff(self.limits, random.random)
        while True:
            try:
                self.status = self._with_lock()
            except Exception as error:  # noqa: BLE001  # the root of a thread
                why = visible(str(error) or type(error).__name__)
            else:
                return
            if self.lifetime.run_ended():
                self._say(f"failed: {why}")
                return
            with suppress(OSError, AuditError):
                self._keeper().failed(why)
            self.lifetime.wait(backoff.failure(None))

    def _with_lock(self) -> int:
        name = f"{self.settings.key}.lock"
        lock = _wait_for_lock(self.folder, name, self.lifetime, self.limits)
        if lock is None:
            return 0  # an earlier run's exporter is still at it: the records are in its hands
        try:
            return self._ship()
        finally:
            os.close(lock)

    def _ship(self) -> int:
        key, keeper = self.settings.key, self._keeper()
        backlog = Backlog(self.folder, key, start=self.start, limits=self.limits)
        encode, sink = _opened(self.settings, self.folder, self.limits)
        shipper = Shipper(
            backlog=backlog,
            sink=sink,
            lifetime=self.lifetime,
            backoff=Backoff(self.limits, random.random),
            status=keeper,
            encode=encode,
            set_aside=partial(set_aside, self.folder, key),
        )
        shipper.run(self.limits.poll_seconds)
        left = backlog.count()
        problems = backlog.problems | ({keeper.problem} if keeper.problem else set())
        for line in warnings(shipper.report, left, problems):
            self._say(visible(line))
        return 1 if left else 0

    def _keeper(self) -> StatusKeeper:
        return StatusKeeper(
            self.folder,
            self.settings.key,
            label=self.settings.label,
            required=self.settings.required,
            limits=self.limits,
        )

    def _say(self, text: str) -> None:
        sys.stderr.write(f"netproxy: audit export: {self.settings.label}: {text}\n")


def _opened(
    settings: SinkSettings, folder: Path, limits: ShipLimits
) -> tuple[Callable[[Sequence[Record]], bytes], Sink]:
    """How records are spelled for a sink, and the sink. Imports what only this one needs."""
    if isinstance(settings, FileSettings):
        from otel.file_sink import FileSink
        from otel.formats import line_format

        spell = line_format(settings.format)
        return (
            lambda records: "".join(f"{spell(record)}\n" for record in records).encode(),
            FileSink(Path(settings.path)),
        )
    from otel.otlp import export_request, resource

    release = _release()
    sender = resource(version=release, writer=folder.name, host=socket.gethostname())
    return (
        lambda records: export_request(records, sender, release).SerializeToString(),
        _collector(settings, limits),
    )


def _collector(settings: OtlpSettings, limits: ShipLimits) -> Sink:
    if settings.protocol is Protocol.GRPC:
        from otel.grpc_sink import GrpcSink

        return GrpcSink(settings, limits)
    from otel.http_sink import HttpSink

    return HttpSink(settings, limits)


def _wait_for_lock(folder: Path, name: str, lifetime: Lifetime, limits: ShipLimits) -> int | None:
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while (lock := try_lock(directory, name)) is None:
            if lifetime.run_ended():
                return None
            lifetime.wait(limits.poll_seconds)
    finally:
        os.close(directory)
    return lock


def _release() -> str:
    try:
        return version("netproxy")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"


def _position(text: str) -> folders.Position:
    segment, _, offset = text.partition(":")
    return folders.Position(int(segment), int(offset))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="otel.ship", allow_abbrev=False)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--writer", required=True)
    parser.add_argument("--start", type=_position, default=folders.START)
    parser.add_argument("--stall-seconds", type=float, default=ShipLimits().stall_seconds)
    parser.add_argument("--drain-seconds", type=float, default=ShipLimits().drain_seconds)
    return parser


if __name__ == "__main__":
    sys.exit(main())
