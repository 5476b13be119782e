"""Spans of a run, its connections and its questions, made of the events that the trail records.

No connection is touched for it: an event on its way into the journal begins, marks or ends a span
(`AuditTrail.watch`). Spans may be lost, records not, so nothing here is waited for. Imported only
where tracing is on and the run is sampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)

from otel import attributes as a
from otel.events import (
    ApprovalRequested,
    ApprovalResolved,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    DialRefused,
    PolicyDecision,
    RunCancelled,
)
from otel.redact import visible
from otel.trace_context import upserted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Span as MadeSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Link, Span
    from opentelemetry.util.types import Attributes

    from otel.attributes import Value
    from otel.tally import Watchers
    from otel.trace_context import Parent, RunTrace, State, Upsert

SCOPE: Final = "netproxy"
# Spans that are open at once. More connections than that may be; those that came first are ended
# then, and the journal has all of them.
_OPEN: Final = 10_000
# The SDK's own defaults, which its environment variables would change: these are bounds of memory.
_QUEUED: Final = 2048
_AT_ONCE: Final = 512
_DELAY_MILLISECONDS: Final = 1000


class Tracing:
    """The provider, and the spans that are open. Used from the event loop's thread."""

    def __init__(  # noqa: PLR0913 what the operator may choose
        self,
        exporter: SpanExporter,
        resource: Resource,
        *,
        ratio: float = 1.0,
        span_attributes: Mapping[str, str] | None = None,
        tracestate: Mapping[str, Upsert] | None = None,
        run: RunTrace | None = None,
    ) -> None:
        """`run` has the ids of the first span that is begun."""
        self._ids = _Ids(run)
        sampler = ParentBased(TraceIdRatioBased(ratio))
        self._provider = TracerProvider(
            sampler=_Stated(sampler, tracestate) if tracestate else sampler,
            resource=resource,
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        if span_attributes:
            self._provider.add_span_processor(_Marked(span_attributes))
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=_QUEUED,
                schedule_delay_millis=_DELAY_MILLISECONDS,
                max_export_batch_size=_AT_ONCE,
            )
        )
        self._tracer = self._provider.get_tracer(SCOPE)
        self._parent = run.parent if run else None
        self._open: dict[str, Span] = {}  # by connection.id or approval.id
        self._run: Span | None = None

    def begin_run(self, attributes: Mapping[str, Value], began_ns: int) -> None:
        """Begin the span of the run, below the one that its caller was in."""
        context = _remote(self._parent) if self._parent else None
        self._run = self._tracer.start_span(
            "netproxy run", context, attributes=_given(attributes), start_time=began_ns
        )

    def end_run(self, attributes: Mapping[str, Value]) -> None:
        """End it."""
        if self._run is not None:
            self._run.set_attributes(_given(attributes) or {})
            self._run.end()

    def watchers(self, attributes: Mapping[str, Value]) -> Watchers:
        """What makes spans of a trail's events, all with these attributes."""
        below = None if self._run is None else set_span_in_context(self._run)
        return _Watchers(self, below, attributes).table()

    def begin(self, key: str, name: str, below: Context | None, attributes: Attributes) -> Span:
        """Begin the span that has this id."""
        if len(self._open) >= _OPEN:
            self._open.pop(next(iter(self._open))).end()
        kind = SpanKind.CLIENT if key.startswith("c-") else SpanKind.INTERNAL
        span = self._tracer.start_span(name, below, kind=kind, attributes=attributes)
        self._open[key] = span
        return span

    def found(self, key: str) -> Span | None:
        """The open span of that id."""
        return self._open.get(key)

    def end(self, key: str, attributes: Attributes, error: str | None = None) -> None:
        """End the span of that id, if there is one."""
        span = self._open.pop(key, None)
        if span is None:
            return
        span.set_attributes(attributes or {})
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end()

    def shutdown(self) -> None:
        """End what is open and send what is left. Blocks as long as the collector lets it."""
        for key in tuple(self._open):
            self.end(key, {})
        self._provider.shutdown()

    def mark_run(self, name: str, attributes: Attributes) -> None:
        """Note on the run's span what happened to it."""
        if self._run is not None:
            self._run.add_event(name, attributes)


class _Watchers:
    """Makes spans of the events of one run or session."""

    def __init__(
        self, tracing: Tracing, below: Context | None, common: Mapping[str, Value]
    ) -> None:
        self._tracing = tracing
        self._below = below
        self._common = dict(common)

    def table(self) -> Watchers:
        return {
            PolicyDecision: self._decided,
            DialRefused: self._dial_refused,
            ConnectionOpened: self._opened,
            ConnectionFailed: self._failed,
            ConnectionClosed: self._closed,
            ApprovalRequested: self._asked,
            ApprovalResolved: self._answered,
            RunCancelled: self._cancelled,
        }

    def _decided(self, event: PolicyDecision) -> None:
        span = self._tracing.found(event.connection_id)
        if span is not None:  # a second decision: the last one is what was done
            span.add_event(event.name, _given(event.attributes(), _DECIDED))
        else:
            attributes = {**self._common, **event.attributes()}
            self._tracing.begin(
                event.connection_id, "netproxy connection", self._below,
                _given(attributes, (*self._common, *_WHERE, *_DECIDED)),
            )  # fmt: skip
        if event.decision != "allow":
            self._tracing.end(event.connection_id, {}, event.reason)

    def _dial_refused(self, event: DialRefused) -> None:
        self._tracing.end(event.connection_id, {a.POLICY_REASON: event.reason}, event.reason)

    def _opened(self, event: ConnectionOpened) -> None:
        span = self._tracing.found(event.connection_id)
        if span is not None:
            span.add_event(event.name, {a.PEER_ADDRESS: event.peer_address})

    def _failed(self, event: ConnectionFailed) -> None:
        self._tracing.end(event.connection_id, {a.ERROR_TYPE: event.error_type}, event.error_type)

    def _closed(self, event: ConnectionClosed) -> None:
        attributes = _given(event.attributes(), _CLOSED)
        self._tracing.end(event.connection_id, attributes)

    def _asked(self, event: ApprovalRequested) -> None:
        attributes = {**self._common, **event.attributes()}
        self._tracing.begin(
            event.approval_id, "netproxy approval", self._below,
            _given(attributes, (*self._common, a.APPROVAL_ID, *_WHERE)),
        )  # fmt: skip

    def _answered(self, event: ApprovalResolved) -> None:
        self._tracing.end(event.approval_id, {a.APPROVAL_STATE: event.state})

    def _cancelled(self, event: RunCancelled) -> None:
        self._tracing.mark_run(event.name, _given(event.attributes()))


_WHERE: Final = (
    a.CONNECTION_ID, a.SERVER_ADDRESS, a.SERVER_PORT, a.TRANSPORT_PROTOCOL, a.REQUEST_METHOD,
)  # fmt: skip
_DECIDED: Final = (
    a.POLICY_DECISION, a.POLICY_SOURCE, a.POLICY_REASON, a.POLICY_RULE, a.APPROVAL_ID,
)  # fmt: skip
_CLOSED: Final = (
    a.BYTES_SENT, a.BYTES_RECEIVED, a.CLOSE_REASON, a.RESPONSE_STATUS, a.PEER_ADDRESS,
)  # fmt: skip


class _Ids(IdGenerator):
    """Random ids, but those of the run first: they are in the journal already."""

    def __init__(self, run: RunTrace | None) -> None:
        self._random = RandomIdGenerator()
        self._trace_id = int(run.trace_id, 16) if run else None
        self._span_id = int(run.span_id, 16) if run else None

    def generate_span_id(self) -> int:
        first, self._span_id = self._span_id, None
        return self._random.generate_span_id() if first is None else first

    def generate_trace_id(self) -> int:
        first, self._trace_id = self._trace_id, None
        return self._random.generate_trace_id() if first is None else first


class _Stated(Sampler):
    """Puts configured members into the tracestate of every new span: the SDK's one place for it."""

    def __init__(self, sampler: Sampler, upserts: Mapping[str, Upsert]) -> None:
        self._sampler = sampler
        self._upserts = upserts

    def should_sample(  # noqa: PLR0913, PLR0917  the SDK's own signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        result = self._sampler.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )
        before = get_current_span(parent_context).get_span_context().trace_state
        result.trace_state = _state(upserted(tuple(before.items()), self._upserts))
        return result

    def get_description(self) -> str:
        return f"tracestate over {self._sampler.get_description()}"


class _Marked(SpanProcessor):
    """Puts configured attributes on every span. At its start: a span that ends takes no more."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self._attributes = dict(attributes)

    def on_start(self, span: MadeSpan, parent_context: Context | None = None) -> None:  # noqa: ARG002 the SDK's own signature
        span.set_attributes(self._attributes)


def _remote(parent: Parent) -> Context:
    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    context = SpanContext(
        trace_id=int(parent.trace_id, 16),
        span_id=int(parent.span_id, 16),
        is_remote=True,
        trace_flags=flags,
        trace_state=_state(parent.state),
    )
    return set_span_in_context(NonRecordingSpan(context))


def _state(members: State) -> TraceState:
    return TraceState(members)


def _given(attributes: Mapping[str, Value], names: Sequence[str] | None = None) -> Attributes:
    """Those of these names that have a value, with text as the journal would show it."""
    return {
        name: visible(value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None and (names is None or name in names)
    }
