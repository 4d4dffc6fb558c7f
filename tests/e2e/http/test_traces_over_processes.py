"""A trace from the submission in one process to the email in another, exported by OTLP."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.distributed.deployment import ServiceProcess
from tests.support.e2e.otlp_collector import IMMEDIATE_EXPORT, collector
from tests.support.e2e.server_session import FILES, FORM

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def running(folder: Path, otlp: str, *services: str) -> Iterator[dict[str, ServiceProcess]]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIMPUL_")}
    environment = {**inherited, "SIMPUL_DATA": str(folder / "data"), "SIMPUL_OTLP": otlp, **IMMEDIATE_EXPORT}
    processes = {name: ServiceProcess(name, environment, folder / f"{name}.log") for name in services}
    try:
        for process in processes.values():
            process.start()
            process.wait()
        yield processes
    finally:
        for process in processes.values():
            process.stop()


def test_an_email_sent_by_another_process_belongs_to_the_trace_of_the_form(tmp_path: Path):
    with collector() as (otlp, told), running(tmp_path, otlp, "intake", "notification") as processes:
        answer = httpx.post(f"{processes['intake'].url}/api/requests", data=FORM, files=FILES, timeout=30)
        assert answer.status_code == 201, answer.text
        until = time.monotonic() + 30
        while not any(name == "send received" for _, _, name in told) and time.monotonic() < until:
            time.sleep(0.1)
    [form] = [trace for process, trace, name in told if name == "POST /api/requests"]
    whole = {(process, name) for process, trace, name in told if trace == form}
    assert ("intake", "execute SubmitRequest") in whole
    assert ("notification", "fold RequestSubmitted") in whole
    assert ("notification", "send received") in whole
