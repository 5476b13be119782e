"""The exporter: a process of its own that reads one writer's journal and sends it to a collector.

The gateway never waits for it, and it never loses what it could not send: the journal is its
queue and the cursor its memory. It ends when the run has ended and everything is delivered, or
some seconds after the run's end; the next run of the same writer goes on from there.

    python -P -m otel.ship --directory DIR --writer W --endpoint URL
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import sys
import time
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from otel import folders
from otel.backlog import Backlog, Batch
from otel.config import HEADERS_VARIABLE, OtlpSettings, ShipLimits
from otel.cursor import sink_name
from otel.delivery import Backoff, HttpSink
from otel.errors import AuditError
from otel.lock import is_live, try_lock
from otel.otlp import Delivered, TryLater, Unusable, export_request, resource
from otel.redact import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel.chain import Record
    from otel.delivery import Sink

_MESSAGE = 200  # a collector's own words in our one line


class Lifetime:
    """How long to go on: while the run lives, and then until the drain time is over."""

    def __init__(
        self,
        limits: ShipLimits,
        is_running: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits
        self._is_running = is_running
        self._clock = clock
        self._sleep = sleep
        self._end: float | None = None

    def run_ended(self) -> bool:
        """Whether nothing more will be written for this run. Once it is so, it stays so."""
        if self._end is None and not self._is_running():
            self._end = self._clock() + self._limits.drain_seconds
        return self._end is not None

    def is_over(self) -> bool:
        """Whether the drain time has passed too."""
        return self.run_ended() and self._end is not None and self._clock() >= self._end

    def patience(self) -> float:
        """Seconds that one request may take."""
        left = self._limits.request_seconds
        if self._end is not None:
            # A collector on the other side of the world still gets a fair chance.
            left = min(left, max(1.0, self._end - self._clock()))
        return left

    def wait(self, seconds: float) -> None:
        """Wait, but not past the end of the drain time."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0 and not self.is_over():
            self._sleep(min(left, self._limits.poll_seconds))


@dataclass(slots=True)
class Report:
    """What the user is told at the end."""

    delivered: int = 0
    rejected: int = 0
    message: str = ""
    failure: str = ""
    set_aside: list[int] = field(default_factory=list)


class Shipper:
    """Moves batches from the backlog to the sink, in order, each until it is delivered."""

    def __init__(
        self,
        *,
        backlog: Backlog,
        sink: Sink,
        lifetime: Lifetime,
        backoff: Backoff,
        encode: Callable[[Sequence[Record]], bytes],
    ) -> None:
        self._backlog = backlog
        self._sink = sink
        self._lifetime = lifetime
        self._backoff = backoff
        self._encode = encode
        self.report = Report()

    def run(self, poll_seconds: float) -> None:
        """Ship until the run has ended and everything is delivered, or time is over."""
        while not self._lifetime.is_over():
            ended = self._lifetime.run_ended()  # before reading: its last record is in by then
            batch = self._backlog.next_batch()
            if batch is not None:
                self._ship(batch)
            elif ended:
                return
            else:
                self._lifetime.wait(poll_seconds)

    def _ship(self, batch: Batch) -> None:
        later = self._deliver(batch.records)
        if later is None:
            self._backoff.success()
            self._backlog.acknowledge(batch)
            return
        self.report.failure = later.why
        self._lifetime.wait(self._backoff.failure(later.after_seconds))

    def _deliver(self, records: Sequence[Record]) -> TryLater | None:
        """Send records, in halves if the collector can't use the whole. None when that is done.

        A single record that can't be used is set aside only if the collector has taken others:
        an endpoint that refuses everything is not a collector, and the journal waits for one.
        """
        poison: list[int] = []
        todo, refusal = [records], ""
        while todo:
            part = todo.pop()
            match self._sink.send(self._encode(part), self._lifetime.patience()):
                case Delivered(rejected=rejected, message=message):
                    self._count(len(part), rejected, message)
                case TryLater() as later:
                    return later
                case Unusable(why=refusal) if len(part) == 1:
                    poison.append(part[0].seq)
                case Unusable():
                    middle = len(part) // 2
                    todo += [part[middle:], part[:middle]]
        if poison and not self.report.delivered:
            return TryLater(why=refusal)
        self.report.set_aside += poison
        return None

    def _count(self, sent: int, rejected: int, message: str) -> None:
        # OTLP section "Partial Success": what was rejected must not be sent again.
        self.report.delivered += sent
        self.report.rejected += rejected
        self.report.message = message or self.report.message


def main(arguments: list[str] | None = None) -> int:
    """Ship one writer's records. Returns 0 when everything was delivered."""
    options = _parser().parse_args(arguments)
    headers = json.loads(os.environ.pop(HEADERS_VARIABLE, "{}"))
    settings = OtlpSettings(
        endpoint=options.endpoint, headers=headers, certificate=options.certificate
    )
    limits = replace(ShipLimits(), drain_seconds=options.drain_seconds)
    detach()
    try:
        return _ship(options.directory / options.writer, settings, limits, options.start)
    except (OSError, AuditError) as error:
        sys.stderr.write(f"netproxy: audit export failed: {visible(str(error))}\n")
        return 1


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


def _ship(folder: Path, settings: OtlpSettings, limits: ShipLimits, start: folders.Position) -> int:
    lifetime = Lifetime(limits, lambda: is_live(folder))
    sink = sink_name(settings.endpoint)
    lock = _wait_for_lock(folder, f"{sink}.lock", lifetime, limits)
    if lock is None:
        return 0  # the exporter of an earlier run is still at it: the records are in its hands
    backlog = Backlog(folder, sink, start=start, limits=limits)
    release = _release()
    sender = resource(version=release, writer=folder.name, host=socket.gethostname())
    shipper = Shipper(
        backlog=backlog,
        sink=HttpSink(settings, limits),
        lifetime=lifetime,
        backoff=Backoff(limits, random.random),
        encode=lambda records: export_request(records, sender, release).SerializeToString(),
    )
    shipper.run(limits.poll_seconds)
    left = backlog.count()
    for line in warnings(shipper.report, left, backlog.problems):
        sys.stderr.write(f"netproxy: audit export: {visible(line)}\n")
    os.close(lock)
    return 1 if left else 0


def warnings(report: Report, left: int, problems: set[str]) -> list[str]:
    """What went wrong, one line for each thing that did."""
    lines = sorted(problems)
    if report.rejected:
        lines.append(
            f"the collector rejected {report.rejected} records: "
            f"{visible(report.message, limit=_MESSAGE)}"
        )
    if report.set_aside:
        numbers = ", ".join(str(seq) for seq in report.set_aside[:10])
        lines.append(f"the collector can't use {len(report.set_aside)} records (seq {numbers})")
    if left:
        lines.append(
            f"{left} records not delivered ({report.failure or 'out of time'}); they stay in the "
            "journal and are sent by a later run"
        )
    return lines


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
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--start", type=_position, default=folders.START)
    parser.add_argument("--certificate")
    parser.add_argument("--drain-seconds", type=float, default=ShipLimits().drain_seconds)
    return parser


if __name__ == "__main__":
    sys.exit(main())
