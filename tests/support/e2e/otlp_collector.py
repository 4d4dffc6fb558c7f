"""A local collector of traces by OTLP over HTTP."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ExportedSpan = tuple[str, str, str]
"""The service, trace id and name of a span."""

IMMEDIATE_EXPORT = {"OTEL_BSP_SCHEDULE_DELAY": "200"}
"""Settings that export spans almost immediately."""


@contextlib.contextmanager
def collector() -> Iterator[tuple[str, list[ExportedSpan]]]:
    """Run a collector; its address and the spans received so far."""
    told: list[ExportedSpan] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            for resource in sent.resource_spans:
                [process] = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
                told.extend((process, s.trace_id.hex(), s.name) for scope in resource.scope_spans for s in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *words: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        server.server_close()
