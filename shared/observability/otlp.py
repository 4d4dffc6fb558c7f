"""Export of spans to an OpenTelemetry collector, in the background; what the collector does not accept in time is dropped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from shared.observability.logging import rate_limit_logs

EXPORT_TIMEOUT_SECONDS = 5.0
LOG_INTERVAL_SECONDS = 600.0
"""Time for which the exporter does not log the same message again."""

RATE_LIMITED_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
)


def make_provider(service: str, processor: SpanProcessor) -> TracerProvider:
    """Return a provider of spans of this service."""
    resource = Resource.create({"service.name": service, "service.namespace": "simpul"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


@contextmanager
def export_traces(endpoint: str, service: str) -> Iterator[None]:
    """Export the spans of this process to `endpoint` (http://host:4318, OTLP over HTTP); once per process."""
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    rate_limit_logs(LOG_INTERVAL_SECONDS, *RATE_LIMITED_LOGGERS)
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=EXPORT_TIMEOUT_SECONDS)
    provider = make_provider(service, BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
