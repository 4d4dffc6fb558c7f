"""A place where the spans of this process are kept for a test to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.observability import tracing
from shared.observability.otlp import OtelTraces


@dataclass(frozen=True)
class SpanRecord:
    """A span as a test speaks of it."""

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
    """All spans that end in this block."""
    place = SpanCollector()
    traces = OtelTraces("simpul", SimpleSpanProcessor(place.exporter))
    tracing.collect(traces)
    try:
        yield place
    finally:
        tracing.collect(None)
        traces.close()


def _to_collected_span(span: ReadableSpan) -> SpanRecord:
    facts, context = span.attributes or {}, span.context
    assert context is not None
    return SpanRecord(
        name=span.name,
        service=str(facts.get("simpul.service", "")),
        outcome=str(facts.get("simpul.outcome", "")),
        trace=f"{context.trace_id:032x}",
        id=f"{context.span_id:016x}",
        parent=f"{span.parent.span_id:016x}" if span.parent else "",
    )
