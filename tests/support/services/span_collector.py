"""Collects the spans of this process in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.observability import tracing
from shared.observability.otlp import make_provider


@dataclass(frozen=True)
class SpanRecord:
    """The fields of a span that tests compare."""

    name: str
    service: str
    outcome: str
    trace: str
    id: str
    parent: str


class SpanCollector:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()

    @property
    def raw(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    @property
    def spans(self) -> list[SpanRecord]:
        return [_to_collected_span(span) for span in self.raw]

    def named(self, name: str, service: str = "") -> list[SpanRecord]:
        return [span for span in self.spans if span.name == name and service in ("", span.service)]


@contextmanager
def collect_spans() -> Iterator[SpanCollector]:
    """Collect the spans that end in this block."""
    collector, tracer = SpanCollector(), tracing.tracer
    provider = make_provider("simpul", SimpleSpanProcessor(collector.exporter))
    # Not as the global provider, which can be set only once.
    tracing.tracer = provider.get_tracer("simpul")
    try:
        yield collector
    finally:
        tracing.tracer = tracer
        provider.shutdown()


def _to_collected_span(span: ReadableSpan) -> SpanRecord:
    attributes, context = span.attributes or {}, span.context
    assert context is not None
    return SpanRecord(
        name=span.name,
        service=str(attributes.get("simpul.service", "")),
        outcome=str(attributes.get("simpul.outcome", "")),
        trace=f"{context.trace_id:032x}",
        id=f"{context.span_id:016x}",
        parent=f"{span.parent.span_id:016x}" if span.parent else "",
    )
