"""Traces and metrics of two processes of each service with real engines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from simpul.registry import SERVICE_NAMES
from tests.support.distributed.deployment import Deployment, Engines, ServiceProcess
from tests.support.e2e.otlp_collector import IMMEDIATE_EXPORT, ExportedSpan, collector
from tests.support.e2e.server_process import smtp_server
from tests.support.e2e.server_session import FILES, FORM

pytestmark = [pytest.mark.slow, pytest.mark.engines("kafka", "mongo", "minio")]

TOKEN = "the-token-of-the-operators"
WITHIN = 60.0


@pytest.fixture(scope="module")
def seen(
    real_engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Deployment, list[ExportedSpan]]]:
    """Services with a trace collector and readable metrics."""
    folder = tmp_path_factory.mktemp("seen")
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN)
    with smtp_server() as (_, smtp), collector() as (otlp, told):
        ours = {"SIMPUL_SMTP": smtp, "SIMPUL_OTLP": otlp, "SIMPUL_METRICS_TOKEN_FILE": str(token), **IMMEDIATE_EXPORT}
        made = Deployment(folder / "data", {**real_engines.settings, **ours})
        made.prepare()
        made.add_staff()
        try:
            made.start()
            yield made, told
        finally:
            made.stop()


def submit(deployment: Deployment) -> None:
    answer = httpx.post(f"{deployment.url}/api/requests", data=FORM, files=FILES, timeout=30)
    assert answer.status_code == 201, answer.text


def measured(process: ServiceProcess) -> dict[str, float]:
    """Return every sample of a process by its name and labels."""
    answer = httpx.get(f"{process.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert answer.status_code == 200
    lines = (line.rpartition(" ") for line in answer.text.splitlines() if line.startswith("simpul_"))
    return {name: float(value) for name, _, value in lines}


def until(met: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WITHIN
    while not met():
        assert time.monotonic() < end, what
        time.sleep(0.5)


def named(name: str, service: str) -> str:
    return f'{name}{{service="{service}"}}'


def test_a_request_is_one_trace_over_all_services(seen: tuple[Deployment, list[ExportedSpan]]):
    deployment, told = seen
    submit(deployment)

    def whole() -> set[tuple[str, str]]:
        forms = [trace for _, trace, name in told if name == "POST /api/requests"]
        return {(process, name) for process, trace, name in told if trace in forms[-1:]}

    wanted = {(service, "fold RequestSubmitted") for service in SERVICE_NAMES if service != "intake"}
    wanted |= {("intake", "execute SubmitRequest"), ("intake", "publish RequestSubmitted")}
    wanted |= {("notification", "send received"), ("notification", "send staff_submitted")}
    until(lambda: wanted <= whole(), "one trace")


def test_every_process_says_that_it_is_ready_and_has_heard_everything(seen: tuple[Deployment, list[ExportedSpan]]):
    deployment, _ = seen

    def well(process: ServiceProcess) -> bool:
        said = measured(process)
        parts = [said.get(f'simpul_part_up{{part="{part}"}}') for part in ("state", "documents", "log")]
        gauges = ("simpul_consumer_lag_records", "simpul_dead_letters_parked", "simpul_outbox_entries")
        nothing = [said.get(named(gauge, process.service)) for gauge in gauges]
        return parts == [1, 1, 1] and nothing == [0, 0, 0] and said.get(named("simpul_ready", process.service)) == 1

    for process in deployment.processes:
        until(lambda process=process: well(process), process.service)  # type: ignore[misc]


def test_while_kafka_is_away_the_outbox_says_so_and_intake_stays_ready(
    seen: tuple[Deployment, list[ExportedSpan]], real_engines: Engines, tmp_path: Path
):
    deployment, _ = seen
    began = time.time()
    real_engines.kafka.kill()
    try:
        submit(deployment)

        def told(process: ServiceProcess) -> bool:
            said = measured(process)
            since = said.get(named("simpul_outbox_oldest_timestamp_seconds", "intake"), 0)
            waits = said.get(named("simpul_outbox_entries", "intake")) == 1 and began - 5 < since < began + 60
            ready = said.get(named("simpul_ready", "intake")) == 1
            lag = said.get(named("simpul_consumer_lag_records", "intake"), 0)
            return waits and ready and said.get('simpul_part_up{part="log"}') == 0 and math.isnan(lag)

        for process in deployment.of("intake"):
            until(lambda process=process: told(process), "what waits")  # type: ignore[misc]
    finally:
        real_engines.kafka.restart()
    until(lambda: measured(deployment.of("intake")[0]).get(named("simpul_outbox_entries", "intake")) == 0, "published")
