"""A trace over processes: the form is sent to one, the letter is sent by another, and a collector is told of both by OTLP."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.distributed.site import Process
from tests.journeys.gate import FILES, FORM

pytestmark = pytest.mark.slow

Told = tuple[str, str, str]
"""The process, the trace and the name of a span."""


@contextlib.contextmanager
def collector() -> Iterator[tuple[str, list[Told]]]:
    """An OTLP collector on this machine: its address, and what it was told so far."""
    told: list[Told] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            for resource in sent.resource_spans:
                [process] = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
                told.extend((process, s.trace_id.hex(), s.name) for scope in resource.scope_spans for s in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def running(folder: Path, otlp: str, *services: str) -> Iterator[dict[str, Process]]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SIMPUL_")},
        "SIMPUL_DATA": str(folder / "data"),
        "SIMPUL_OTLP": otlp,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    processes = {name: Process(name, environment, folder / f"{name}.log") for name in services}
    try:
        for process in processes.values():
            process.start()
            process.wait()
        yield processes
    finally:
        for process in processes.values():
            process.stop()


def test_a_letter_sent_by_another_process_belongs_to_the_forms_trace(tmp_path: Path):
    with collector() as (otlp, told), running(tmp_path, otlp, "intake", "notification") as processes:
        answer = httpx.post(f"{processes['intake'].url}/api/requests", data=FORM, files=FILES, timeout=30)
        assert answer.status_code == 201, answer.text
        until = time.monotonic() + 30
        while not any(name == "send received" for _, _, name in told) and time.monotonic() < until:
            time.sleep(0.1)
    [form] = [trace for process, trace, name in told if name == "POST /api/requests"]
    whole = {(process, name) for process, trace, name in told if trace == form}
    assert ("intake", "obey SubmitRequest") in whole
    assert ("notification", "fold RequestSubmitted") in whole
    assert ("notification", "send received") in whole
