"""Metrics are right after a restart, unknown rather than wrong, and contain no personal data."""

from __future__ import annotations

import asyncio
import gc
import math
import re
import warnings
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY, generate_latest

from services.notification.domain.applicant_emails import VerifiedEmail
from services.notification.domain.state import Message
from services.notification.email_dispatcher import _metric_label
from shared.backends.platform import open_platform
from shared.contracts.intake import RequestSubmitted
from shared.documents.folder import FolderDocumentStore
from shared.documents.instrumented import InstrumentedDocumentStore
from shared.documents.port import DocumentMissing, DocumentRefused, TooLarge
from shared.documents.rendering.page_renderer import PageRenderer, Unrenderable
from shared.mail.port import Outcome
from shared.runtime.relay import Relay
from shared.settings import Settings
from shared.storage.port import StoreUnavailable
from shared.web.admin.gauges import GaugeCollector
from shared.web.admin.health import HealthCheck
from simpul.app import create_application
from simpul.registry import SERVICE_NAMES
from tests.support.domain.given_when_then import NOON
from tests.support.domain.request_events import submitted
from tests.support.services.intake_harness import FILES, FORM
from tests.support.services.runtime_harness import (
    INTAKE,
    VERIFICATION,
    RuntimeHarness,
    poisoned,
    record,
    runtime_harness,
    submit,
    until,
)
from tests.support.services.web_harness import web_harness as web


def value(name: str, **labels: str) -> float:
    """Return the value of a metric, 0 if it has none."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[RuntimeHarness]:
    async with runtime_harness(tmp_path) as opened:
        await opened.log.prepare()
        yield opened


async def read(harness: RuntimeHarness, *parts: HealthCheck) -> None:
    """Read the gauges of a verification service that has just been restarted."""
    await GaugeCollector([await harness.service(VERIFICATION)], parts, harness.file.path.parent).read()


async def test_dead_letters_are_counted_from_the_store_after_a_restart(harness: RuntimeHarness):
    broken = await harness.service(poisoned(RequestSubmitted))
    await broken.consumer.handle([record(1, submitted)])
    await broken.dead_letters.stop()
    await read(harness)
    assert value("simpul_dead_letters_parked", service="verification") == 1
    await broken.store.resolve("verification:1", discarded=True)
    await read(harness)
    assert value("simpul_dead_letters_parked", service="verification") == 0


async def test_lag_counts_undelivered_records_of_a_service(harness: RuntimeHarness):
    await harness.log.append([("a", b"1")])
    await harness.log.append([("a", b"2")])
    await read(harness)
    assert value("simpul_consumer_lag_records", service="verification") == 2


async def test_an_unreadable_metric_is_unknown_and_does_not_affect_others(harness: RuntimeHarness):
    class UnavailableStore:
        async def count_parked(self) -> int:
            raise StoreUnavailable("down")

    class Silent:
        name, store, log = "verification", UnavailableStore(), harness.log

    async def down() -> None:
        raise StoreUnavailable("down")

    async def fine() -> None: ...

    parts = (HealthCheck("state", down), HealthCheck("log", fine, critical=False))
    await GaugeCollector([Silent()], parts, None).read()  # type: ignore[list-item]
    assert math.isnan(value("simpul_dead_letters_parked", service="verification"))
    assert value("simpul_consumer_lag_records", service="verification") == 0
    assert (value("simpul_part_up", part="state"), value("simpul_part_up", part="log")) == (0, 1)
    assert value("simpul_ready", service="verification") == 0


async def test_readings_that_are_cancelled_before_they_begin_leave_nothing_behind(harness: RuntimeHarness):
    collector = GaugeCollector([await harness.service(VERIFICATION)], (), harness.file.path.parent)
    reading = asyncio.create_task(collector.read())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def test_a_log_that_is_down_leaves_a_service_ready(harness: RuntimeHarness):
    async def down() -> None:
        raise OSError

    await read(harness, HealthCheck("log", down, critical=False))
    assert value("simpul_ready", service="verification") == 1
    assert value("simpul_data_free_bytes") > 0
    assert value("simpul_temporary_free_bytes") > 0


async def test_the_outbox_has_a_size_and_an_age(harness: RuntimeHarness):
    harness.log.down = True
    intake = await harness.service(INTAKE)
    await submit(intake)
    await Relay("intake", intake.store, harness.log).sweep_leftovers()
    assert value("simpul_outbox_entries", service="intake") == 1
    assert value("simpul_outbox_oldest_timestamp_seconds", service="intake") == harness.now.timestamp()
    harness.log.down = False
    await intake.relay.drain()
    await intake.relay.sweep_leftovers()
    assert value("simpul_outbox_entries", service="intake") == 0
    assert value("simpul_outbox_oldest_timestamp_seconds", service="intake") == 0


async def test_documents_are_counted_by_outcome(tmp_path: Path):
    def refuse(file: object) -> str:
        raise DocumentRefused("type", "no")

    names = ("stored", "opened", "refused", "missing")
    before = {name: value("simpul_documents_total", outcome=name) for name in names}
    into, out = (value("simpul_document_bytes_total", direction=way) for way in ("in", "out"))
    store = InstrumentedDocumentStore(FolderDocumentStore(tmp_path / "documents", lambda: "k" * 20, min_free_bytes=0))
    kept = await store.put(BytesIO(b"x" * 300), lambda file: "text/plain", limit=300)
    assert b"".join([piece async for piece in await store.open(kept.key)]) == b"x" * 300
    with pytest.raises(TooLarge):
        await store.put(BytesIO(b"x" * 301), lambda file: "text/plain", limit=300)
    with pytest.raises(DocumentRefused):
        await store.put(BytesIO(b"x"), refuse, limit=300)
    with pytest.raises(DocumentMissing):
        await store.open("m" * 20)
    after = {name: value("simpul_documents_total", outcome=name) - before[name] for name in names}
    assert after == {"stored": 1, "opened": 1, "refused": 2, "missing": 1}
    assert value("simpul_document_bytes_total", direction="in") - into == 300
    assert value("simpul_document_bytes_total", direction="out") - out == 300


async def test_page_images_are_timed_by_outcome():
    async def nothing() -> AsyncIterator[bytes]:
        yield b"%PDF-"

    before = value("simpul_page_image_seconds_count", outcome="failed")
    with pytest.raises(Unrenderable):
        await PageRenderer().render(nothing(), "application/pdf", 1)
    assert value("simpul_page_image_seconds_count", outcome="failed") - before == 1


async def test_sign_ins_are_counted_by_outcome(tmp_path: Path):
    before = {name: value("simpul_sign_ins_total", outcome=name) for name in ("refused", "limited")}
    async with web(tmp_path) as simpul, simpul.client() as client:
        for _ in range(11):
            await client.post("/api/session", json={"username": "nobody", "password": "wrong"})
    after = {name: value("simpul_sign_ins_total", outcome=name) - before[name] for name in before}
    assert after == {"refused": 10, "limited": 1}


@pytest.mark.parametrize(
    ("kind", "tries", "counted"),
    [("sent", 99, "sent"), ("permanent", 1, "permanent"), ("temporary", 1, "temporary"), ("unknown", 99, "given_up")],
)
def test_an_email_without_further_attempts_is_counted_as_given_up(kind: Any, tries: int, counted: str):
    message = Message(NOON, "1", "verified", "applicant", VerifiedEmail(), tries=tries)
    assert _metric_label(Outcome(kind), message) == counted


async def test_rejected_files_are_counted_before_they_reach_a_store(tmp_path: Path):
    before = value("simpul_documents_total", outcome="refused")
    async with web(tmp_path) as simpul, simpul.client() as client:
        files = [("letter", ("a.exe", b"MZ", "application/pdf")), ("requirements", ("b.exe", b"MZ", "application/pdf"))]
        answer = await client.post("/api/requests", data={"name": "R", "letter_date": "2026-11-20"}, files=files)
    assert answer.status_code == 415
    assert value("simpul_documents_total", outcome="refused") - before == 2


async def test_metrics_have_few_labels_and_no_personal_data(tmp_path: Path):
    platform = open_platform(Settings(data=tmp_path, public_rate=0))
    app = create_application(platform)
    sent = value("simpul_messages_total", outcome="sent")
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=platform.settings.origin) as client:
            assert (await client.post("/api/requests", data=FORM, files=list(FILES))).status_code == 201

        async def one_is_sent() -> bool:
            return value("simpul_messages_total", outcome="sent") > sent

        await until(one_is_sent)
        metric_lines = [
            line.rpartition(" ")[0] for line in generate_latest().decode().splitlines()
        ]  # a number has any digits
    for personal in ("Rahmat", "dishub", "19850214", "0812", "INT-2026", "500/1", "nurlaila"):
        assert not any(personal in line for line in metric_lines)
    ours = [line for line in metric_lines if line.startswith("simpul_")]
    labels = {name for line in ours for name in re.findall(r'(\w+)="', line)}
    assert labels <= {
        "service",
        "command",
        "outcome",
        "part",
        "direction",
        "method",
        "status",
        "reason",
        "limit",
        "state",
        "le",
    }
    assert {service for line in ours for service in re.findall(r'service="(\w+)"', line)} >= set(SERVICE_NAMES)
    for label in labels - {"le"}:
        assert len({found for line in ours for found in re.findall(rf'\b{label}="([^"]*)"', line)}) < 60, label
