"""Metrics and spans of one command, where settings ask for some.

The command never waits for it: the ids of its span are drawn here without any library, and the SDK
is loaded with the gateway, when the command runs already. A run that is not sampled has ids, too,
and loads nothing for them.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, override

from netproxy.app.quiet import Quiet
from netproxy.app.telemetry import Measures, Watched, finish, open_tracing
from otel import attributes as a
from otel.trace_context import begin, read_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from otel import AuditTrail, Journal, Value
    from otel.metrics import Metrics
    from otel.telemetry_config import TelemetrySettings
    from otel.trace_context import RunTrace
    from otel.tracing import Tracing

_CHANCE_BYTES = 24


class RunTelemetry(Quiet):
    """Begun before the first record, opened with the gateway, closed after the last record."""

    def __init__(self, settings: TelemetrySettings, environ: Mapping[str, str]) -> None:
        """`environ` is what the command is started with: its caller's span is in there."""
        self._settings = settings
        self._began_ns = time.time_ns()
        self._measures = None if settings.metrics is None else Measures(settings)
        self._trace = None if settings.traces is None else _begun(settings, environ)
        self._watched: tuple[AuditTrail, Journal, Path] | None = None
        self._is_open = False
        self._metrics: Metrics | None = None
        self._tracing: Tracing | None = None

    @property
    @override
    def ids(self) -> dict[str, Value]:
        if self._trace is None:
            return {}
        return {a.TRACE_ID: self._trace.trace_id, a.SPAN_ID: self._trace.span_id}

    @property
    @override
    def environment(self) -> dict[str, str]:
        return {} if self._trace is None else self._trace.environment()

    @override
    def kind_of(self, journal: type[Journal]) -> type[Journal]:
        return journal if self._measures is None else self._measures.journal

    @override
    def watch(self, trail: AuditTrail, journal: Journal, directory: Path) -> None:
        self._watched = trail, journal, directory / journal.writer
        if self._measures is not None:
            self._measures.watch(trail)

    @override
    def open(self, connections: Callable[[], int], say: Callable[[str], None]) -> None:
        if self._watched is None:
            raise AssertionError("a gateway without a trail")
        self._is_open = True
        trail, journal, folder = self._watched
        if self._measures is not None:
            watched = Watched(
                trail=trail, journal=journal, folder=folder, connections=connections, say=say
            )
            self._metrics = self._measures.read(watched)
        if self._trace is not None and self._trace.is_sampled:
            self._tracing = open_tracing(self._settings, journal.writer, say, self._trace)
            ids = {name: trail.common[name] for name in (a.SESSION_ID, a.EXECUTION_ID)}
            self._tracing.begin_run(ids, self._began_ns)
            trail.watch(self._tracing.watchers(ids))

    @override
    def close(self, ended: Mapping[str, Value]) -> None:
        if not self._is_open:  # the command had ended before a gateway was needed
            self.open(lambda: 0, lambda _: None)
        ends: list[Callable[[], None]] = []
        if self._tracing is not None:
            self._tracing.end_run(ended)
            ends.append(self._tracing.shutdown)
        if self._metrics is not None:
            ends.append(self._metrics.shutdown)
        finish(*ends)


def _begun(settings: TelemetrySettings, environ: Mapping[str, str]) -> RunTrace:
    return begin(
        read_parent(environ.get("TRACEPARENT"), environ.get("TRACESTATE")),
        ratio=settings.sample_ratio,
        upserts=settings.tracestate,
        chance=os.urandom(_CHANCE_BYTES),
    )
