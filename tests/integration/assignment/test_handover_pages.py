"""The handover page: files are held, uploaded early, removed, and handed over once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.assignment import WorkCompleted
from tests.support.domain.request_events import confirmed, contested, resubmitted, returned, withdrawn
from tests.support.services.assignment_pages import WORK, advance_on, advance_to, page, send, submit_form, visible_text
from tests.support.services.staff_harness import StaffHarness, pdf, staff_harness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path, file_limit=200_000) as opened:
        yield opened


async def test_results_are_handed_over_from_the_page(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    files = [("documents", ("laporan.pdf", pdf(1))), ("documents", ("petunjuk.pdf", pdf(2)))]
    answer = await submit_form(harness, "dewi", f"{WORK}/serahkan", files, summary="Data tersinkron.")
    assert answer.headers["location"] == f"{WORK}?done=handover"
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, WorkCompleted)
    names = [document.name for document in fact.documents]
    assert names == ["laporan.pdf", "petunjuk.pdf", "BAST-INT-2026-000001-1.pdf"]
    shown = await page(harness, "dewi", WORK)
    said = visible_text(shown)
    assert "Konfirmasi pemohon ditunggu sampai Senin, 30 November 2026" in said
    assert all(name in said for name in names)
    assert '<form method="post" class="stack"' not in shown.text
    await harness.publish(confirmed)
    assert "permohonan selesai pada Senin, 23 November 2026" in visible_text(await page(harness, "dewi", WORK))


async def test_files_of_a_refused_form_are_held_for_the_next(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    files = [("documents", ("laporan.pdf", pdf(1)))]
    refused = await submit_form(harness, "dewi", f"{WORK}/serahkan", files, summary="")
    assert (refused.status_code, "laporan.pdf" in refused.text) == (422, True)
    answer = await send(harness, "dewi", f"{WORK}/serahkan", refused, summary="Data tersinkron.")
    assert answer.status_code == 303, answer.text
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, WorkCompleted)
    assert [document.name for document in fact.documents] == ["laporan.pdf", "BAST-INT-2026-000001-1.pdf"]
    pieces = await harness.platform.documents.open(fact.documents[0].key)
    assert b"".join([piece async for piece in pieces]).startswith(b"%PDF")


async def test_a_refused_file_is_named_and_the_others_are_held(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    files = [("documents", ("laporan.pdf", pdf(1))), ("documents", ("hasil.exe", b"MZ\x90\x00 program"))]
    refused = await submit_form(harness, "dewi", f"{WORK}/serahkan", files, summary="Data tersinkron.")
    assert refused.status_code == 422
    assert "hasil.exe" in visible_text(refused)
    assert "laporan.pdf</b>" in refused.text
    assert "Data tersinkron.</textarea>" in refused.text


async def test_a_held_file_can_be_removed_without_script(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    files = [("documents", (name, pdf(1))) for name in ("satu.pdf", "dua.pdf")]
    refused = await submit_form(harness, "dewi", f"{WORK}/serahkan", files, summary="")
    file_id = re.findall(r'name="remove" value="([^"]+)"', refused.text)[0]
    shown = await send(harness, "dewi", f"{WORK}/serahkan", refused, summary="Data.", remove=file_id)
    assert (shown.status_code, "satu.pdf" in shown.text, "dua.pdf" in shown.text) == (200, False, True)
    assert "Data.</textarea>" in shown.text
    assert "Kesalahan" not in shown.text


async def test_files_may_be_uploaded_before_their_form(harness: StaffHarness):
    await advance_to(harness, "submitted")
    await harness.publish(returned, resubmitted)
    await advance_on(harness, "in_progress", round_number=2)
    form = await page(harness, "dewi", f"{WORK}/serahkan")
    assert f'data-files="{WORK}/serahkan/berkas"' in form.text
    files = [("documents", ("laporan.pdf", pdf(1)))]
    line = await send(harness, "dewi", f"{WORK}/serahkan/berkas", form, files, field="documents")
    assert line.status_code == 200
    token = re.findall(r'name="held.documents" value="([^"]+)"', line.text)[0]
    sent = {"summary": "Data tersinkron.", "held.documents": token}
    assert (await send(harness, "dewi", f"{WORK}/serahkan", form, **sent)).status_code == 303
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, WorkCompleted)
    assert [document.round for document in fact.documents] == [2, 2]


async def test_a_handover_sent_concurrently_is_one_and_keeps_its_files(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    files = [("documents", ("laporan.pdf", pdf(1)))]
    refused = await submit_form(harness, "dewi", f"{WORK}/serahkan", files, summary="")
    again = (send(harness, "dewi", f"{WORK}/serahkan", refused, summary="Data.") for _ in range(8))
    assert [answer.status_code for answer in await asyncio.gather(*again)] == [303] * 8
    events = [event for event in await harness.events("assignment") if event.type == "WorkCompleted"]
    assert len(events) == 1
    fact = events[0].fact
    assert isinstance(fact, WorkCompleted)
    for document in fact.documents:
        await harness.platform.documents.stat(document.key)


async def test_a_handover_with_its_files_sent_twice_stores_them_once(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    form = await page(harness, "dewi", f"{WORK}/serahkan")
    before, content = await harness.stored_keys(), pdf(1)
    for _ in range(2):
        files = [("documents", ("laporan.pdf", content))]
        answer = await send(harness, "dewi", f"{WORK}/serahkan", form, files, summary="Data.")
        assert answer.status_code == 303
    assert len(await harness.stored_keys() - before) == 2


async def test_a_handover_that_comes_too_late_keeps_its_text_and_its_files(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    form = await page(harness, "dewi", f"{WORK}/serahkan")
    await harness.publish(withdrawn)
    files = [("documents", ("laporan.pdf", pdf(1)))]
    answer = await send(harness, "dewi", f"{WORK}/serahkan", form, files, summary="Data tersinkron.")
    assert answer.status_code == 409
    assert "laporan.pdf" in answer.text
    assert "Data tersinkron.</textarea>" in answer.text


async def test_an_objection_is_shown_until_the_next_handover(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    files = [("documents", ("laporan.pdf", pdf(1)))]
    await submit_form(harness, "dewi", f"{WORK}/serahkan", files, summary="Data tersinkron.")
    await harness.publish(contested)
    shown = visible_text(await page(harness, "dewi", WORK))
    assert "Pemohon berkeberatan atas hasil yang diserahkan" in shown
    assert contested.reason in shown
    await submit_form(harness, "dewi", f"{WORK}/serahkan", files, summary="Diperbaiki.")
    assert "Pemohon berkeberatan" not in visible_text(await page(harness, "dewi", WORK))
