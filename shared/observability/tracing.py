"""Spans of a request, through the API of OpenTelemetry; without an exporter (otlp.py) nothing is recorded.

Attributes hold ids, kinds and outcomes, never what a person wrote. An exception is therefore recorded by its type alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT_HEADER = "traceparent"

tracer = trace.get_tracer("simpul")
_propagator = TraceContextTextMapPropagator()


def start_span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str = "",
    expected: type[Exception] | tuple[type[Exception], ...] = (),
    **attributes: str | int,
) -> AbstractContextManager[Span]:
    """Start the current span, as a child of `parent` (a traceparent) or of the span that is current.

    An exception makes the span an error, unless it is an expected one.
    """
    if parent or _has_exporter() or trace.get_current_span() is not trace.INVALID_SPAN:
        return _start_real_span(name, kind, parent, expected, attributes)
    return nullcontext(trace.INVALID_SPAN)  # of dozens of spans for each request, nobody would see one


def _has_exporter() -> bool:
    is_replaced = not isinstance(tracer, trace.ProxyTracer)
    return is_replaced or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextmanager
def _start_real_span(
    name: str,
    kind: SpanKind,
    parent: str,
    expected: type[Exception] | tuple[type[Exception], ...],
    attributes: Mapping[str, str | int],
) -> Iterator[Span]:
    context = _propagator.extract({TRACEPARENT_HEADER: parent}) if parent else None
    with tracer.start_as_current_span(
        name, context, kind, record_exception=False, set_status_on_exception=False
    ) as span:
        set_attributes(span, **attributes)
        try:
            yield span
        except expected:
            raise
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


def set_attributes(span: Span, **attributes: str | int) -> None:
    """Set attributes in the namespace of this program."""
    if span.is_recording():
        span.set_attributes({f"simpul.{name}": value for name, value in attributes.items()})


def traceparent(span: Span | None = None) -> str:
    """Return the W3C trace context of a span, by default of the current one; "" without a trace."""
    context = (span or trace.get_current_span()).get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def trace_id() -> str:
    """Return the id of the current trace, "" without one."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""
