"""Traces through OpenTelemetry, sent to a collector in the background; what it does not take in time is dropped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.observability import tracing
from shared.observability.logging import rate_limit_logs
from shared.observability.tracing import Kind, Span

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_W3C = TraceContextTextMapPropagator()
_HEADER = "traceparent"
SEND_SECONDS = 5.0
COMPLAINING = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")
COMPLAIN_EVERY = 600.0


class OtelSpan:
    """A Span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span, self.told = span, False

    @property
    def traceparent(self) -> str:
        return _written(self._span)

    def note(self, **facts: str | int) -> None:
        self.told = self.told or "outcome" in facts
        self._span.set_attributes({f"simpul.{name}": value for name, value in facts.items()})

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def failed(self, error: Exception) -> None:
        """Its message stays out: it may hold what a person wrote. One whose outcome was told is no failure."""
        if not self.told:
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.set_status(Status(StatusCode.ERROR))


class OtelTraces:
    """The Traces of one process. `service` is what it is called where traces are looked at."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        resource = Resource.create({"service.name": service, "service.namespace": "simpul"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("simpul")

    @contextmanager
    def span(self, name: str, kind: Kind, parent: str, facts: dict[str, str | int]) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, _within(parent), _KINDS[kind], record_exception=False, set_status_on_exception=False
        ) as opened:
            span = OtelSpan(opened)
            span.note(**facts)
            try:
                yield span
            except Exception as error:
                span.failed(error)
                raise

    def current(self) -> str:
        return _written(trace.get_current_span())

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._provider.shutdown()


@contextmanager
def export_traces(endpoint: str, service: str) -> Iterator[None]:
    """Collect the spans of this process and send them to `endpoint` (http://host:4318, OTLP over HTTP)."""
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=SEND_SECONDS)
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    rate_limit_logs(COMPLAIN_EVERY, *COMPLAINING)
    traces = OtelTraces(service, BatchSpanProcessor(exporter))
    tracing.collect(traces)
    try:
        yield
    finally:
        tracing.collect(None)
        traces.close()


def _within(parent: str) -> Context | None:
    return _W3C.extract({_HEADER: parent}) if parent else None


def _written(span: trace.Span) -> str:
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
