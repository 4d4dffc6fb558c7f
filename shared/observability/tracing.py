"""Traces: spans that follow a request from the form to the letter, through every service, if somebody collects them.

While nobody does, which is the default, a span is one look at a variable, and OpenTelemetry's SDK is not imported.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol

Kind = Literal["internal", "server", "client", "producer", "consumer"]


class Span(Protocol):
    """A piece of work. `traceparent` (W3C trace context) is what makes another span a part of it, "" while traces are off."""

    @property
    def traceparent(self) -> str: ...

    def note(self, **facts: str | int) -> None:
        """Say more of it: ids, kinds and outcomes alone, never what a person wrote."""

    def rename(self, name: str) -> None: ...


class Traces(Protocol):
    """What collects spans."""

    def span(self, name: str, kind: Kind, parent: str, facts: dict[str, str | int]) -> AbstractContextManager[Span]: ...

    def current(self) -> str: ...


class _NoSpan:
    traceparent = ""

    def note(self, **facts: str | int) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


NO_SPAN = _NoSpan()
_traces: Traces | None = None


def collect(traces: Traces | None) -> None:
    """Send the spans of this process here from now on; None: nowhere."""
    global _traces
    _traces = traces


def collecting() -> bool:
    return _traces is not None


def span(name: str, kind: Kind = "internal", parent: str = "", **facts: str | int) -> AbstractContextManager[Span]:
    """A span around the block; part of the one that `parent` (a traceparent) names, else of the one that is open here."""
    return NO_SPAN if _traces is None else _traces.span(name, kind, parent, facts)


def traceparent() -> str:
    """The span that is open here, "" if there is none."""
    return "" if _traces is None else _traces.current()


def trace_id() -> str:
    """The trace that this belongs to, "" if there is none."""
    return traceparent()[3:35]
