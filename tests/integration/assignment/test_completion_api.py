"""Handovers: uploaded files, the handover record, and the page that checks its validity."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pypdfium2
import pytest

from shared.contracts.assignment import WorkCompleted
from shared.contracts.facts import DocumentKind
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import APPLICANT, confirmed, contested, verified
from tests.support.services.staff_harness import StaffHarness, pdf, staff_harness

HERE = f"/api/assignment/requests/{REQUEST}"
SUMMARY = "Data tersinkron setiap malam."
REPORT, MANUAL = pdf(1, "Laporan"), pdf(2, "Petunjuk")
FILES = [("documents", ("laporan.pdf", REPORT)), ("documents", ("petunjuk.pdf", MANUAL))]
RECORD = "BAST-INT-2026-000001-1"


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path, file_limit=200_000) as opened:
        await opened.submitted(await opened.store_document("surat.pdf", pdf(), DocumentKind.LETTER))
        await opened.publish(verified)
        body = {"lead": "dewi", "complexity": "low", "target_date": "2026-12-14"}
        assert (await opened.post("hasan", f"{HERE}/assignment", body)).status_code == 200
        yield opened


async def started(harness: StaffHarness) -> None:
    assert (await harness.post("dewi", f"{HERE}/start")).status_code == 200


async def complete(
    harness: StaffHarness, who: str = "dewi", key: str = "", files: Any = None, **fields: str
) -> httpx.Response:
    form = {"summary": SUMMARY, **fields}
    return await harness.post(who, f"{HERE}/completion", data=form, files=FILES if files is None else files, key=key)


async def check(harness: StaffHarness, name: str, code: str) -> httpx.Response:
    return await harness.get("", f"/periksa/{name}", params={"kode": code})


def code_of(harness: StaffHarness, delivery: int = 1) -> str:
    return harness.platform.tracking.record_code(f"BAST/INT-2026-000001/{delivery}")


async def test_results_are_handed_over_with_a_record(harness: StaffHarness):
    await started(harness)
    answer = await complete(harness)
    assert (answer.status_code, answer.json()["status"]) == (200, "delivered")
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, WorkCompleted)
    assert [document.name for document in fact.documents] == ["laporan.pdf", "petunjuk.pdf", f"{RECORD}.pdf"]
    assert [document.kind for document in fact.documents] == ["result", "result", "handover_record"]
    for document, content in zip(fact.documents, (REPORT, MANUAL, None), strict=True):
        got = (await harness.get("dewi", f"{HERE}/documents/{document.id}")).content
        assert hashlib.sha256(got).hexdigest() == document.sha256
        assert content in (None, got)


async def test_the_record_contains_the_parties_the_date_and_every_digest(harness: StaffHarness):
    await started(harness)
    await complete(harness)
    shown = (await harness.get("hasan", HERE)).json()
    record = next(document for document in shown["documents"] if document["kind"] == "handover_record")
    content = (await harness.get("hasan", f"{HERE}/documents/{record['id']}")).content
    text = " ".join(" ".join(page.get_textpage().get_text_bounded().split()) for page in pypdfium2.PdfDocument(content))
    for words in ("BAST/INT-2026-000001/1", "Dewi Andaian", APPLICANT.name, "19850230 201001 1 001", SUMMARY):
        assert words in text
    assert "Senin tanggal dua puluh tiga bulan November" in text
    for result in (REPORT, MANUAL):
        assert hashlib.sha256(result).hexdigest()[:32] in text


async def test_the_date_of_the_record_is_that_of_maba(harness: StaffHarness):
    await started(harness)
    await harness.sign_in_again_after(hours=12, minutes=30)
    await complete(harness)
    page = await check(harness, RECORD, code_of(harness))
    assert "24 November 2026" in page.text
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, WorkCompleted)
    pieces = await harness.platform.documents.open(fact.documents[-1].key)
    assert b"D:20261124" in b"".join([piece async for piece in pieces])


async def test_a_handover_before_the_start_is_refused_and_stores_nothing(harness: StaffHarness):
    before = await harness.stored_keys()
    harness.made_ids.clear()
    answer = await complete(harness)
    assert len(harness.made_ids) == 1, "the call itself has an id, but no file was given one"
    assert answer.status_code == 409
    assert "Hasan Umpama" in answer.json()["detail"]
    assert await harness.stored_keys() == before


@pytest.mark.parametrize(
    ("files", "fields", "status", "field"),
    [
        ([], {}, 422, "documents"),
        ([("documents", (f"{n}.pdf", REPORT)) for n in range(21)], {}, 422, "documents"),
        (FILES, {"summary": " "}, 422, "summary"),
        (FILES, {"status": "completed"}, 422, "status"),
        ([("documents", ("hasil.exe", b"MZ\x90\x00 program"))], {}, 415, "documents"),
        ([("documents", ("hasil.pdf", b"not a pdf at all"))], {}, 415, "documents"),
        ([*FILES, ("documents", ("besar.pdf", REPORT + bytes(200_000)))], {}, 413, "documents"),
        ([*FILES, ("letter", ("surat.pdf", REPORT))], {}, 422, "letter"),
    ],
    ids=lambda value: str(value) if isinstance(value, int | dict) else "",
)
async def test_an_invalid_form_stores_nothing(
    harness: StaffHarness, files: Any, fields: dict[str, str], status: int, field: str
):
    await started(harness)
    before = await harness.stored_keys()
    answer = await complete(harness, files=files or [("other", ("", b""))], **fields)
    assert answer.status_code == status, answer.text
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert await harness.stored_keys() == before
    assert (await harness.get("dewi", HERE)).json()["status"] == "in_progress"


async def test_json_instead_of_a_form_is_415(harness: StaffHarness):
    await started(harness)
    assert (await harness.post("dewi", f"{HERE}/completion", {"summary": SUMMARY})).status_code == 415


async def test_a_repeated_key_gets_the_same_response_and_stores_nothing(harness: StaffHarness):
    await started(harness)
    first = await complete(harness, key="k")
    before = await harness.stored_keys()
    again = await complete(harness, key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    for files, fields in ((FILES[:1], {}), (FILES, {"summary": "Lain."}), ([FILES[0], FILES[0]], {})):
        assert (await complete(harness, key="k", files=files, **fields)).status_code == 422
    assert await harness.stored_keys() == before
    assert len([event for event in await harness.events("assignment") if event.type == "WorkCompleted"]) == 1


async def test_a_repeat_after_an_objection_is_still_the_first_delivery(harness: StaffHarness):
    await started(harness)
    first = await complete(harness, key="k")
    await harness.publish(contested)
    before = await harness.stored_keys()
    again = await complete(harness, key="k")
    assert again.json() == first.json()
    assert (await complete(harness, key="k", summary="Lain.")).status_code == 422
    assert await harness.stored_keys() == before
    assert (await complete(harness, key="new")).json()["status"] == "delivered"
    assert (await harness.get("hasan", HERE)).json()["record_number"] == "BAST/INT-2026-000001/2"


async def test_of_twelve_concurrent_handovers_one_wins_and_no_other_file_stays(harness: StaffHarness):
    await started(harness)
    before = await harness.stored_keys()
    answers = await asyncio.gather(*(complete(harness, summary=f"Percobaan {n}.") for n in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 11]
    assert all("Dewi Andaian" in answer.json()["detail"] for answer in answers if answer.status_code == 409)
    assert len(await harness.stored_keys() - before) == 3


async def test_twelve_concurrent_equal_handovers_are_one(harness: StaffHarness):
    await started(harness)
    before = await harness.stored_keys()
    answers = await asyncio.gather(*(complete(harness, key="k") for _ in range(12)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert len(await harness.stored_keys() - before) == 3


async def test_a_valid_record_is_shown_with_digests_and_without_personal_data(harness: StaffHarness):
    await started(harness)
    await complete(harness)
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, WorkCompleted)
    page = await check(harness, RECORD, code_of(harness))
    assert page.status_code == 200
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert "Berita acara ini sah" in page.text
    assert all(document.sha256 in page.text for document in fact.documents)
    for secret in (APPLICANT.name, APPLICANT.employee_number, APPLICANT.unit, "Dewi", "laporan.pdf", SUMMARY):
        assert secret not in page.text
    await harness.publish(confirmed)
    assert "Penerima telah mengonfirmasi" in (await check(harness, RECORD, code_of(harness))).text


async def test_a_record_number_without_its_code_shows_nothing(harness: StaffHarness):
    await started(harness)
    await complete(harness)
    right = code_of(harness)
    wrong = [(RECORD, ""), (RECORD, right[:-1]), (RECORD, code_of(harness, 2)), ("BAST-INT-2026-000001-2", right)]
    wrong += [("BAST-INT-2026-000001-01", right), ("x", right), (RECORD, "é"), (RECORD, "<script>")]
    pages = [await check(harness, name, code) for name, code in wrong]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1
    unissued = await check(harness, "BAST-INT-2026-000001-2", code_of(harness, 2))
    assert unissued.text == pages[0].text


async def test_a_contested_or_replaced_record_is_no_longer_valid(harness: StaffHarness):
    await started(harness)
    await complete(harness)
    await harness.publish(contested)
    assert "tidak berlaku lagi" in (await check(harness, RECORD, code_of(harness))).text
    await complete(harness, summary="Dilengkapi.")
    first = await check(harness, RECORD, code_of(harness))
    assert "tidak berlaku lagi" in first.text
    assert not re.search(r"[0-9a-f]{64}", first.text)
    second = await check(harness, "BAST-INT-2026-000001-2", code_of(harness, 2))
    assert "Berita acara ini sah" in second.text
