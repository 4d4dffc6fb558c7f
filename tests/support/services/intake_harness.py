"""The intake service in the real application on a data folder of its own, with generated documents."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import docx
import httpx
from fastapi import FastAPI
from fpdf import FPDF
from PIL import Image

from services.intake.app import build
from shared.backends.platform import Platform, open_platform
from shared.contracts.envelope import encode_event
from shared.contracts.facts import Fact
from shared.runtime.executor import CommandKey
from shared.runtime.service_runtime import ServiceApp
from shared.settings import Settings
from shared.web.app import create_app
from tests.support.domain import request_events as story
from tests.support.domain.given_when_then import NOON, make_event
from tests.support.services.identity_harness import ManualClock

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

FORM = {
    "name": "Rahmat Contoh",
    "employee_number": "19850214 201001 1 001",
    "unit": "Dinas Perhubungan",
    "position": "Pranata Komputer",
    "description": "Data trayek angkutan dihubungkan ke portal data setiap malam.",
    "scope": "data",
    "email": "rahmat@dishub.example",
    "phone": "0812 3456 7890",
    "letter_number": "500/1/DISHUB",
    "letter_date": "2026-11-20",
}


def pdf_upload(words: str = "Surat permohonan") -> bytes:
    pdf = FPDF()
    pdf.set_creation_date(datetime(2026, 11, 20, tzinfo=UTC))
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(text=words)
    return bytes(pdf.output())


def png_upload() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "navy").save(buffer, "PNG")
    return buffer.getvalue()


def docx_upload() -> bytes:
    document, buffer = docx.Document(), io.BytesIO()
    document.add_heading("Kamus Data")
    document.save(buffer)
    return buffer.getvalue()


LETTER = pdf_upload()
DICTIONARY = docx_upload()
DIAGRAM = png_upload()

File = tuple[str, tuple[str, bytes, str]]
FILES: tuple[File, ...] = (
    ("letter", ("Surat permohonan.pdf", LETTER, PDF)),
    ("requirements", ("Kamus data.docx", DICTIONARY, DOCX)),
    ("requirements", ("Alur.png", DIAGRAM, "image/png")),
)


def files_with(name: str, content: bytes, field_name: str = "requirements") -> tuple[File, ...]:
    """The files of a form, one of which has this name and content."""
    others = FILES[:1] if field_name == "requirements" else FILES[1:2]
    return (*others, (field_name, (name, content, "application/octet-stream")))


@dataclass
class IntakeHarness:
    platform: Platform
    app: FastAPI
    service: ServiceApp
    clock: ManualClock
    sequences: Counter[tuple[str, str]] = field(default_factory=Counter)

    def client(self, address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url=self.platform.settings.origin, **options)

    async def submit(
        self,
        files: Sequence[File] = FILES,
        headers: dict[str, str] | None = None,
        address: str = "127.0.0.1",
        **fields: Any,
    ) -> httpx.Response:
        """Submit a form; a field that is None is left out."""
        data = {name: value for name, value in {**FORM, **fields}.items() if value is not None}
        async with self.client(address, headers=headers, timeout=60) as client:
            return await client.post("/api/requests", data=data, files=list(files))

    async def new_applicant(self) -> ApplicantClient:
        result = (await self.submit()).json()
        return ApplicantClient(self, result["id"], result["number"], result["tracking_token"])

    async def store_legacy_request(self, number: str = story.SUBMIT.number, **applicant: str) -> ApplicantClient:
        """Store a request with field values that the form no longer accepts."""
        form = story.SUBMIT.applicant.model_copy(update=applicant)
        command = replace(story.SUBMIT, number=number, applicant=form)
        key = CommandKey(str(uuid4()), digest="")
        result = await self.service.runtime.executor.execute(str(uuid4()), command, key, new=True)
        return ApplicantClient(self, result.id, result.number, self.platform.tracking.token(result.id))

    async def publish(self, request_id: str, *facts: Fact) -> None:
        """Publish facts of other services and wait until intake has consumed them."""
        for fact in facts:
            self.sequences[request_id, fact.owner] += 1
            event = make_event(fact, self.sequences[request_id, fact.owner], self.clock.now, request_id)
            await self.platform.log.append([(request_id, encode_event(event))])
        async with asyncio.timeout(30):
            while await self.platform.log.lag("intake"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    @property
    def stored_documents(self) -> set[str]:
        """The names of the stored document files."""
        return {path.name for path in self.platform.settings.documents.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class ApplicantClient:
    """A client with the tracking token of one request."""

    harness: IntakeHarness
    id: str
    number: str
    token: str

    async def get(self, path: str = "", **headers: str) -> httpx.Response:
        return await self._call("GET", path, headers)

    async def post(self, path: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        return await self._call("POST", path, headers or {}, **body)

    async def patch(self, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        return await self._call("PATCH", "", headers or {}, **body)

    async def _call(self, method: str, path: str, headers: dict[str, str], **body: Any) -> httpx.Response:
        async with self.harness.client(timeout=60) as client:
            all_headers = {"Authorization": f"Bearer {self.token}", **headers}
            return await client.request(method, f"/api/requests/{self.number}{path}", headers=all_headers, **body)

    async def status(self) -> str:
        return str((await self.get()).json()["status"])


@asynccontextmanager
async def intake_harness(folder: Path, **settings: Any) -> AsyncIterator[IntakeHarness]:
    clock = ManualClock()
    clock.now = NOON
    platform = open_platform(Settings(**{"data": folder, "public_rate": 0, **settings}), clock)
    await platform.prepare()
    intake = build(platform)
    app = create_app(
        platform=platform, version="1", routers=intake.routers, lifespan=None, stores=[intake.runtime.store]
    )
    opened = IntakeHarness(platform, app, intake, clock)
    await intake.start()
    try:
        yield opened
    finally:
        await intake.stop()
        await platform.close()


def errors(answer: httpx.Response) -> dict[str, str]:
    """Return the messages of a problem by field."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


async def nothing_is_stored(intake: IntakeHarness) -> bool:
    return not intake.stored_documents and await intake.service.runtime.store.greatest("number", "") is None
