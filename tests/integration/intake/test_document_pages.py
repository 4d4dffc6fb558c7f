"""Applicants read their own documents and those of the handover page by page."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from shared.web.documents import previews
from tests.support.domain import request_events as story
from tests.support.services.intake_harness import ApplicantClient, IntakeHarness, intake_harness


@pytest.fixture
async def intake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[IntakeHarness]:
    monkeypatch.setattr(previews, "RENDER_WAIT_SECONDS", 30.0)  # however busy the machine is
    async with intake_harness(tmp_path) as opened:
        yield opened


async def seen(intake: IntakeHarness, applicant: ApplicantClient, path: str, token: str = "") -> httpx.Response:
    async with intake.client(timeout=60) as client:
        return await client.get(
            f"/lacak/{applicant.number}{path}", headers={"Cookie": f"lacak={token or applicant.token}"}
        )


async def test_an_applicant_reads_documents_page_by_page(intake: IntakeHarness, caplog: pytest.LogCaptureFixture):
    applicant = await intake.new_applicant()
    documents = (await applicant.get()).json()["documents"]
    letter = documents[0]["id"]
    tracked = (await seen(intake, applicant, "")).text
    assert re.findall(r'href="[^"]*/lihat\?dokumen=([^"]+)"', tracked) == [
        document["id"] for document in documents if document["name"].endswith((".pdf", ".png"))
    ]
    page = await seen(intake, applicant, f"/lihat?dokumen={letter}")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "Halaman 1 dari 1" in page.text
    assert "<script" not in page.text
    [image] = re.findall(r'<img class="paper" src="([^"]+)"', page.text)
    assert unescape(image) == f"/lacak/{applicant.number}/lihat/{letter}/pages/1"
    caplog.set_level(logging.INFO, previews.__name__)
    drawn = await seen(intake, applicant, f"/lihat/{letter}/pages/1")
    assert (drawn.status_code, drawn.headers["content-type"], drawn.content[:4]) == (200, "image/png", b"\x89PNG")
    assert f"the applicant of {applicant.number} looked at page 1 of document {letter}" in caplog.text
    [table] = [document["id"] for document in documents if document["name"].endswith(".docx")]
    other = await seen(intake, applicant, f"/lihat?dokumen={table}")
    assert (other.status_code, "<img class=" in other.text) == (200, False)
    assert f'href="/lacak/{applicant.number}/dokumen/{table}"' in other.text


async def test_the_documents_of_the_handover_are_read_too(intake: IntakeHarness):
    applicant = await intake.new_applicant()
    await intake.publish(applicant.id, *story.DELIVERED[1:])
    names = [document["name"] for document in (await applicant.get()).json()["documents"]]
    page = await seen(intake, applicant, "/lihat")
    tabs = re.findall(r'<span class="name">([^<]+)</span>', page.text)
    assert len(tabs) == len(names)
    assert {"Surat Permohonan", "Berita Acara Serah Terima"} <= set(tabs)


async def test_nobody_else_sees_a_document(intake: IntakeHarness):
    mine, other = await intake.new_applicant(), await intake.new_applicant()
    mine_letter, other_letter = [(await one.get()).json()["documents"][0]["id"] for one in (mine, other)]
    for path, token in (
        ("/lihat", other.token),
        ("/lihat", "wrong"),
        (f"/lihat/{mine_letter}/pages/1", other.token),
        (f"/lihat/{other_letter}/pages/1", mine.token),
    ):
        answer = await seen(intake, mine, path, token)
        assert (answer.status_code, "image/png" in answer.headers["content-type"]) == (404, False), path
        assert "Rahmat" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("pages/2", 404),
        ("pages/0", 404),
        ("pages/x", 404),
        ("pages/1?width=5000", 422),
        ("pages/1?rotation=45", 422),
        ("pages/1?other=1", 422),
    ],
)
async def test_what_cannot_be_drawn_is_refused(intake: IntakeHarness, path: str, status: int):
    applicant = await intake.new_applicant()
    letter = (await applicant.get()).json()["documents"][0]["id"]
    assert (await seen(intake, applicant, f"/lihat/{letter}/{path}")).status_code == status
