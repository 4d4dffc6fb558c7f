"""Traces follow a request from the form to its emails across services and crashes, without personal data."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from shared.contracts.envelope import decode_event
from shared.observability import tracing
from shared.observability.logging import JsonLogFormatter
from shared.runtime.decider import Refusal
from simpul.registry import SERVICE_NAMES
from tests.support.services.intake_harness import FILES, FORM
from tests.support.services.runtime_harness import INTAKE, VERIFICATION, VERIFY, key, submit, until
from tests.support.services.runtime_harness import runtime_harness as runtimes
from tests.support.services.services_harness import services_harness
from tests.support.services.span_collector import SpanCollector, collect_spans
from tests.support.services.staff_harness import StaffHarness

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ALLOWED_ATTRIBUTES = {
    "simpul.service",
    "simpul.subject",
    "simpul.outcome",
    "simpul.http_request",
    "error.type",
}


@pytest.fixture
def traces() -> Iterator[SpanCollector]:
    with collect_spans() as place:
        yield place


@pytest.fixture
async def simpul(tmp_path: Path, traces: SpanCollector) -> AsyncIterator[StaffHarness]:
    async with services_harness(tmp_path, *SERVICE_NAMES) as harness:
        yield harness


async def sent_emails(traces: SpanCollector) -> list[str]:
    """Wait for the two emails about a new request, and return the names of their spans."""

    async def both() -> list[str]:
        sent = [span.name for span in traces.spans if span.name.startswith("send ") and span.outcome == "sent"]
        return sorted(sent) if len(sent) == 2 and traces.named("record EndSending") else []

    found: list[str] = await until(both)
    return found


def browse(simpul: StaffHarness) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(simpul.app), base_url=simpul.platform.settings.origin)


async def submit_request(simpul: StaffHarness, **headers: str) -> None:
    async with browse(simpul) as client:
        answer = await client.post("/api/requests", data=FORM, files=list(FILES), headers=headers)
    assert answer.status_code == 201, answer.text


async def test_a_request_is_one_trace_from_the_form_through_four_services_to_its_emails(
    simpul: StaffHarness, traces: SpanCollector
):
    await submit_request(simpul)
    assert await sent_emails(traces) == ["send received", "send staff_submitted"]
    [form] = traces.named("POST /api/requests")
    whole = [span for span in traces.spans if span.trace == form.trace]
    assert {span.service for span in whole if span.service} == set(SERVICE_NAMES)
    [handled] = traces.named("execute SubmitRequest", "intake")
    folded = {span.service: span for span in traces.named("fold RequestSubmitted")}
    assert (form.parent, handled.parent, form.outcome, handled.outcome) == ("", form.id, "201", "executed")
    assert folded.keys() == set(SERVICE_NAMES) - {"intake"}
    assert {(span.parent, span.outcome) for span in folded.values()} == {(handled.id, "folded")}
    assert [span.parent for span in traces.named("publish RequestSubmitted")] == [handled.id]
    work = (
        "record StartSending",
        "send received",
        "send staff_submitted",
        "record EndSending",
    )
    assert {span.trace for name in work for span in traces.named(name)} == {form.trace}


async def test_the_trace_of_the_caller_is_continued(simpul: StaffHarness, traces: SpanCollector):
    await submit_request(simpul, traceparent=CALLER)
    [form] = traces.named("POST /api/requests")
    assert (form.trace, form.parent) == (CALLER[3:35], CALLER[36:52])
    await submit_request(simpul, traceparent="00-nonsense")
    assert traces.named("POST /api/requests")[1].parent == ""


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/static/simpul.css", "/api/verification/live"])
async def test_requests_of_machines_are_not_traced(simpul: StaffHarness, traces: SpanCollector, path: str):
    async with browse(simpul) as client:
        await client.get(path)
        await client.get("/api/units")
    assert [span.name for span in traces.spans if span.name.startswith("GET")] == ["GET /api/units"]


async def test_spans_contain_no_personal_data(simpul: StaffHarness, traces: SpanCollector):
    await submit_request(simpul)
    await sent_emails(traces)
    assert {name for span in traces.raw for name in span.attributes or {}} <= ALLOWED_ATTRIBUTES
    attributes_text = " ".join(f"{span.name} {dict(span.attributes or {})}" for span in traces.raw)
    for personal in ("Rahmat", "dishub", "19850214", "0812", "INT-2026", "trayek", "500/1"):
        assert personal not in attributes_text


async def test_events_recovered_from_the_outbox_stay_in_their_trace(tmp_path: Path, traces: SpanCollector):
    async with runtimes(tmp_path) as harness:
        crashed = await harness.service(INTAKE)
        crashed.executor._publish = lambda entries: None
        await submit(crashed)
        [handled] = traces.named("execute SubmitRequest")
        await harness.service(INTAKE, started=True)
        await harness.service(VERIFICATION, started=True)

        async def arrived() -> bool:
            return bool(traces.named("fold RequestSubmitted", "verification"))

        await until(arrived)
        followed = traces.named("publish RequestSubmitted") + traces.named("fold RequestSubmitted")
        assert {(span.trace, span.parent) for span in followed} == {(handled.trace, handled.id)}


async def test_a_refusal_has_its_code_and_is_not_an_error(tmp_path: Path, traces: SpanCollector):
    async with runtimes(tmp_path) as harness:
        verification = await harness.service(VERIFICATION)
        with pytest.raises(Refusal) as refused:
            await verification.executor.execute("00000000-0000-4000-8000-000000000009", VERIFY, key(1))
    [span] = traces.raw
    assert (span.attributes or {})["simpul.outcome"] == refused.value.code
    assert span.status.is_unset


async def test_an_error_has_its_type_and_not_its_message(traces: SpanCollector):
    with pytest.raises(ValueError, match="Rahmat"), tracing.start_span("work"):
        raise ValueError("Rahmat Contoh")
    [span] = traces.raw
    assert (dict(span.attributes or {}), span.events, span.status.description) == (
        {"error.type": "ValueError"},
        (),
        None,
    )
    assert not span.status.is_ok
    assert not span.status.is_unset


async def test_a_repeated_command_has_its_own_outcome(tmp_path: Path, traces: SpanCollector):
    async with runtimes(tmp_path) as harness:
        intake = await harness.service(INTAKE)
        await submit(intake)
        await submit(intake)
    assert [span.outcome for span in traces.named("execute SubmitRequest")] == ["executed", "repeated"]


def line_of(formatter: JsonLogFormatter) -> str:
    return formatter.format(logging.LogRecord("a", logging.INFO, "", 0, "said", (), None))


async def test_a_log_line_has_its_trace_and_its_service(traces: SpanCollector):
    with tracing.start_span("work"):
        assert f'"trace": "{tracing.trace_id()}"' in line_of(JsonLogFormatter("intake"))
        assert len(tracing.trace_id()) == 32
    assert '"trace"' not in line_of(JsonLogFormatter("intake"))
    assert '"service": "intake"' in line_of(JsonLogFormatter("intake"))


async def test_without_an_exporter_events_carry_only_the_traceparent_of_the_caller(tmp_path: Path):
    async with services_harness(tmp_path, "intake") as harness:
        await submit_request(harness, traceparent=CALLER)
        await submit_request(harness)

        log = harness.platform.log

        async def both() -> bool:
            return len(await log.read_newest(3)) == 2

        await until(both)
        assert [decode_event(record.value).traceparent for record in await log.read_newest(3)] == [CALLER, ""]


def test_without_an_exporter_the_opentelemetry_sdk_is_not_imported():
    code = "import sys, simpul.app, simpul.cli.serve; sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
