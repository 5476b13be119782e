"""Metrics: the SDK of OpenTelemetry reads plain numbers when a scrape or an export asks for them.

Nothing here is called where a connection is served; what is counted there is in `otel.tally`. Every
instrument is a row of one table, which also is the list of attributes that may be on it: a view of
the SDK drops any other. Imported only where metrics are on.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.metrics.view import View
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from otel.tally import Histogram, Tally
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from opentelemetry.metrics import CallbackOptions
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource

SCOPE: Final = "netproxy"
# The most series of one instrument: decisions have three words, all other fewer.
_SERIES_LIMIT: Final = 200
# Nobody waits longer for the last numbers of a gateway that ends.
_LAST_MILLISECONDS: Final = 1000


class Lag(NamedTuple):
    """How far one sink is behind the journal."""

    sink: str
    records: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What is not counted from events, but looked at when it is asked for. From any thread."""

    connections: Callable[[], int]
    bytes_free: Callable[[], int | None]  # None: nobody can say
    lost: Callable[[], int]
    stuck_seconds: Callable[[], float]
    lags: Callable[[], Iterable[Lag]]
    cpu_seconds: Callable[[], float] = time.process_time


# The meter's methods.
_COUNTER: Final = "create_observable_counter"
_UP_DOWN: Final = "create_observable_up_down_counter"
_GAUGE: Final = "create_observable_gauge"

type _Rows = Iterable[tuple[float, tuple[str, ...]]]
type _Read = Callable[[Tally, Gauges], _Rows]


class _Row(NamedTuple):
    create: str
    name: str
    unit: str
    description: str
    read: _Read
    attributes: tuple[str, ...] = ()


def _words(counts: Mapping[str, int]) -> _Rows:
    return [(count, (word,)) for word, count in tuple(counts.items())]


def _maybe(value: float | None) -> _Rows:
    return [] if value is None else [(value, ())]


# Names and attributes are frozen once released, as those of events are.
_TABLE: Final = (
    _Row(
        _COUNTER, "netproxy.decisions", "{decision}",
        "Decisions about connections and requests",
        lambda tally, _: [(n, key) for key, n in tuple(tally.decisions.items())],
        ("decision", "source", "reason"),
    ),
    _Row(
        _UP_DOWN, "netproxy.connections.active", "{connection}",
        "Clients that are connected now",
        lambda _, gauges: [(gauges.connections(), ())],
    ),
    _Row(
        _COUNTER, "netproxy.connections.opened", "{connection}",
        "Connections to origins",
        lambda tally, _: [(tally.opened, ())],
    ),
    _Row(
        _COUNTER, "netproxy.connections.closed", "{connection}",
        "Tunnels and requests that ended, by what ended them",
        lambda tally, _: _words(tally.closed),
        ("reason",),
    ),
    _Row(
        _COUNTER, "netproxy.connections.failed", "{connection}",
        "Allowed, but lookup or connection failed upstream",
        lambda tally, _: _words(tally.failed),
        ("error",),
    ),
    _Row(
        _COUNTER, "netproxy.clients.turned_away", "{client}",
        "Clients that came over a limit, or without a token",
        lambda tally, _: _words(tally.turned_away),
        ("limit",),
    ),
    _Row(
        _COUNTER, "netproxy.bytes", "By",
        "What flowed through connections that ended",
        lambda tally, _: [(tally.bytes_sent, ("sent",)), (tally.bytes_received, ("received",))],
        ("direction",),
    ),
    _Row(
        _COUNTER, "netproxy.executions.cancelled", "{execution}",
        "Commands that were ended, by the reason of the denial",
        lambda tally, _: _words(tally.cancelled),
        ("reason",),
    ),
    _Row(
        _UP_DOWN, "netproxy.approvals.pending", "{approval}",
        "Questions that nobody has answered yet",
        lambda tally, _: [(tally.pending, ())],
    ),
    _Row(
        _COUNTER, "netproxy.alarms", "{event}",
        "Audit events that somebody should look at",
        lambda tally, _: _words(tally.alarms),
        ("event",),
    ),
    _Row(
        _COUNTER, "netproxy.journal.lost", "{record}",
        "Events that the journal did not take",
        lambda _, gauges: [(gauges.lost(), ())],
    ),
    _Row(
        _GAUGE, "netproxy.journal.stuck", "s",
        "How long the oldest record has waited for a disk that does not answer",
        lambda _, gauges: [(gauges.stuck_seconds(), ())],
    ),
    _Row(
        _GAUGE, "netproxy.journal.bytes_free", "By",
        "Free space of the journal's disk",
        lambda _, gauges: _maybe(gauges.bytes_free()),
    ),
    _Row(
        _GAUGE, "netproxy.journal.export_lag", "s",
        "Age of the oldest record that a sink does not have yet",
        lambda _, gauges: [(lag.seconds, (lag.sink,)) for lag in gauges.lags()],
        ("sink",),
    ),
    _Row(
        _GAUGE, "netproxy.journal.export_backlog", "{record}",
        "Records that a sink does not have yet",
        lambda _, gauges: [(lag.records, (lag.sink,)) for lag in gauges.lags()],
        ("sink",),
    ),
    _Row(
        _COUNTER, "netproxy.relay.cpu", "s",
        "Processor time of the gateway",
        lambda _, gauges: [(gauges.cpu_seconds(), ())],
    ),
)  # fmt: skip

_WAIT: Final = ("netproxy.approval.wait", "How long questions were open, by how they ended")
_APPEND: Final = ("netproxy.journal.append", "How long a write to the journal took")
_SYNC: Final = ("netproxy.journal.sync", "How long it took to have written records on the disk")


class Metrics:
    """The provider with its readers: one for whoever scrapes, one for whoever is sent metrics."""

    def __init__(
        self,
        tally: Tally,
        gauges: Gauges,
        resource: Resource,
        *,
        exporter: MetricExporter | None = None,
        interval_seconds: float = 60.0,
    ) -> None:
        """With an `exporter` it is given all numbers each interval, in a thread of its own."""
        self._tally = tally
        self._began_ns = time.time_ns()
        self._registry = CollectorRegistry()
        self._scraping = threading.Lock()
        readers: list[MetricReader] = [_Scraped(self._complete, self._registry)]
        if exporter is not None:
            readers.append(_Sent(self._complete, exporter, interval_seconds))
        self._provider = MeterProvider(
            metric_readers=readers,
            resource=resource,
            exemplar_filter=AlwaysOffExemplarFilter(),  # there are no measurements to point to
            shutdown_on_exit=False,
            views=[
                View(
                    instrument_name=row.name,
                    attribute_keys=set(row.attributes),
                    aggregation_cardinality_limit=_SERIES_LIMIT,
                )
                for row in _TABLE
            ],
        )
        meter = self._provider.get_meter(SCOPE)
        for row in _TABLE:
            getattr(meter, row.create)(
                row.name,
                callbacks=[_callback(row, tally, gauges)],
                unit=row.unit,
                description=row.description,
            )

    def page(self) -> tuple[str, bytes]:
        """Content type and text of what Prometheus scrapes. Blocks for some milliseconds."""
        with self._scraping:
            return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)

    def shutdown(self) -> None:
        """Send the last numbers, within a second; who does not take them by then goes without."""
        self._provider.shutdown(timeout_millis=_LAST_MILLISECONDS)

    def _complete(self, data: MetricsData) -> MetricsData:
        """Add the histograms: the SDK has no instrument that reads one which is there already."""
        name, description = _WAIT
        waits = [
            self._point(histogram, {"state": state})
            for state, histogram in tuple(self._tally.waits.items())
        ]
        metrics = [_histogram(name, description, waits)] if waits else []
        for (name, description), times in (
            (_APPEND, self._tally.appends),
            (_SYNC, self._tally.syncs),
        ):
            metrics.append(_histogram(name, description, [self._point(times, {})]))
        return _with(data, metrics)

    def _point(self, histogram: Histogram, attributes: dict[str, str]) -> HistogramDataPoint:
        counts = tuple(histogram.counts)
        return HistogramDataPoint(
            attributes=attributes,
            start_time_unix_nano=self._began_ns,
            time_unix_nano=time.time_ns(),
            count=sum(counts),
            sum=histogram.total,
            bucket_counts=counts,
            explicit_bounds=histogram.bounds,
            # Not kept: they say nothing about a time that began with the gateway.
            min=float("inf"),
            max=float("-inf"),
        )


class _Scraped(PrometheusMetricReader):
    def __init__(
        self, complete: Callable[[MetricsData], MetricsData], registry: CollectorRegistry
    ) -> None:
        super().__init__(scope_info_enabled=False, registry=registry)
        self._complete = complete

    # What a reader does with what was collected: private by name, and abstract in the SDK.
    def _receive_metrics(self, metrics_data: MetricsData, *given: Any, **more: Any) -> None:
        super()._receive_metrics(self._complete(metrics_data), *given, **more)


class _Sent(PeriodicExportingMetricReader):
    def __init__(
        self,
        complete: Callable[[MetricsData], MetricsData],
        exporter: MetricExporter,
        interval_seconds: float,
    ) -> None:
        self._complete = complete
        super().__init__(exporter, export_interval_millis=interval_seconds * 1000)

    def _receive_metrics(self, metrics_data: MetricsData, *given: Any, **more: Any) -> None:
        super()._receive_metrics(self._complete(metrics_data), *given, **more)


def _callback(
    row: _Row, tally: Tally, gauges: Gauges
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(value, dict(zip(row.attributes, words, strict=True)))
            for value, words in row.read(tally, gauges)
        ]

    return observe


def _histogram(name: str, description: str, points: Sequence[HistogramDataPoint]) -> Metric:
    data = HistogramData(
        data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE
    )
    return Metric(name=name, description=description, unit="s", data=data)


def _with(data: MetricsData, metrics: Sequence[Metric]) -> MetricsData:
    """The same, with these behind the others of our scope."""
    of_resource = data.resource_metrics[0]
    of_scope = of_resource.scope_metrics[0]
    scope = replace(of_scope, metrics=(*of_scope.metrics, *metrics))
    resource = replace(of_resource, scope_metrics=(scope, *of_resource.scope_metrics[1:]))
    return replace(data, resource_metrics=(resource, *data.resource_metrics[1:]))
