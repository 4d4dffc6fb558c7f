"""The pages of a lead: own requests, and every step with its errors."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.assignment import WorkPaused, WorkProgressed, WorkResumed
from shared.identity.accounts import Role
from tests.support.domain.given_when_then import REQUEST
from tests.support.domain.request_events import APPLICANT, answered, withdrawn
from tests.support.services.assignment_pages import (
    API,
    ASSIGN,
    QUEUE,
    WORK,
    advance_to,
    error_beside,
    page,
    rows,
    send,
    submit_form,
    visible_text,
)
from tests.support.services.staff_harness import OTHER, PEOPLE, StaffHarness, pdf, staff_harness

LEADS = [who for who, (_, roles) in PEOPLE.items() if Role.TECHNICAL in roles]
NOTE = "Uji sambungan berhasil untuk tiga puskesmas."


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StaffHarness]:
    async with staff_harness(tmp_path, file_limit=200_000) as opened:
        yield opened


async def test_own_work_is_listed_with_the_nearest_target_first(harness: StaffHarness):
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in (101, 102, 103)]
    targets = ("2026-12-18", "2026-11-24", "2026-12-02")
    for number, (request_id, target) in enumerate(zip(ids, targets, strict=True), 101):
        await advance_to(harness, "verified", subject=request_id, number=f"INT-2026-{number:06d}")
        await harness.post("hasan", f"{API}/{request_id}/assignment", {**ASSIGN, "target_date": target})
    await harness.sign_in_again_after(days=2)
    shown = await page(harness, "dewi", "/pekerjaan")
    assert rows(shown) == [ids[1], ids[2], ids[0]]
    assert ">lewat 1<" in shown.text
    assert 'data-count="/pekerjaan">3<' in shown.text
    assert rows(await page(harness, "jafar", "/pekerjaan")) == []
    found = await page(harness, "dewi", "/pekerjaan?search=int-2026-000103")
    assert rows(found) == [ids[2]]


async def test_ended_work_is_found_among_all_of_it(harness: StaffHarness):
    await advance_to(harness, "assigned")
    await harness.publish(withdrawn)
    shown = await page(harness, "dewi", "/pekerjaan")
    assert "Tidak ada pekerjaan terbuka" in shown.text
    assert rows(await page(harness, "dewi", "/pekerjaan?tab=all")) == [REQUEST]
    vain = await page(harness, "dewi", "/pekerjaan?search=rahmat")
    assert "Tidak ada yang cocok" in vain.text
    assert 'href="/pekerjaan?tab=all&amp;search=rahmat"' in vain.text
    assert "Pemohon membatalkan permohonannya pada Senin, 23 November 2026" in visible_text(
        await page(harness, "dewi", WORK)
    )


async def test_percentage_and_status_are_listed(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    await submit_form(harness, "dewi", f"{WORK}/perkembangan", note=NOTE, percent="60")
    shown = await page(harness, "dewi", "/pekerjaan")
    assert ">60%</td>" in shown.text
    assert '<span class="st in_progress">Sedang Dikerjakan</span>' in shown.text


async def test_work_is_started_by_a_button(harness: StaffHarness):
    document = await harness.store_document("kamus.pdf", pdf())
    await advance_to(harness, "assigned", document)
    shown = await page(harness, "dewi", WORK)
    for words in (APPLICANT.name, "Mohon didahulukan.", "kamus.pdf", "Mulai Pekerjaan", "Dinyatakan lengkap"):
        assert words in shown.text, words
    answer = await send(harness, "dewi", WORK, shown)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{WORK}?done=start")
    after = await page(harness, "dewi", answer.headers["location"])
    assert "Pekerjaan dimulai." in after.text
    assert re.findall(r'<a href="([^"]+)"( aria-current="page")?>(?:Catat|Tunda|Serahkan)', after.text) == [
        (f"{WORK}/perkembangan", ' aria-current="page"'),
        (f"{WORK}/tunda", ""),
        (f"{WORK}/serahkan", ""),
    ]
    got = await page(harness, "dewi", f"{WORK}/dokumen/{document.id}")
    assert got.headers["content-disposition"].startswith("attachment")


async def test_progress_is_recorded(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    answer = await submit_form(harness, "dewi", f"{WORK}/perkembangan", note=NOTE, percent="60")
    assert answer.headers["location"] == f"{WORK}?done=progress"
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, WorkProgressed)
    assert (fact.note, fact.percent) == (NOTE, 60)
    assert "Sekarang 60%." in (await page(harness, "dewi", WORK)).text


async def test_the_form_on_the_request_goes_to_the_page_of_its_step(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    assert f'action="{WORK}/perkembangan"' in (await page(harness, "dewi", WORK)).text


@pytest.mark.parametrize(
    ("step", "fields", "field", "sentence"),
    [
        ("perkembangan", {"note": " ", "percent": "50"}, "note", "Wajib diisi."),
        ("perkembangan", {"note": NOTE, "percent": "101"}, "percent", "Isi dengan angka paling besar 100."),
        ("perkembangan", {"note": NOTE, "percent": "separuh"}, "percent", "Isi dengan bilangan bulat."),
        ("tunda", {"question": ""}, "question", "Wajib diisi."),
        ("serahkan", {"summary": ""}, "summary", "Wajib diisi."),
        ("serahkan", {"summary": NOTE}, "documents", "Wajib diunggah."),
    ],
)
async def test_an_invalid_step_is_shown_again_with_the_input(
    harness: StaffHarness, step: str, fields: dict[str, str], field: str, sentence: str
):
    await advance_to(harness, "in_progress")
    before = await harness.events("assignment")
    answer = await submit_form(harness, "dewi", f"{WORK}/{step}", **fields)
    assert answer.status_code == 422
    assert error_beside(answer, field) == sentence
    assert f'<a href="#{field}">' in answer.text
    for typed in fields.values():
        assert not typed.strip() or typed in answer.text
    assert await harness.events("assignment") == before


async def test_a_question_stops_the_clock_and_is_shown_until_the_work_resumes(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    await submit_form(harness, "dewi", f"{WORK}/tunda", question="Alamat server uji?\nDan narahubungnya?")
    fact = (await harness.events("assignment"))[-1].fact
    assert isinstance(fact, WorkPaused)
    await harness.sign_in_again_after(days=2)
    shown = await page(harness, "dewi", WORK)
    said = visible_text(shown)
    assert "Dan narahubungnya?" in said
    assert "Ditunda sejak Senin, 23 November 2026" in said
    assert "target selesai menjadi Rabu, 16 Desember 2026" in said
    answer = await send(harness, "dewi", f"{WORK}/lanjutkan", shown, note="Dijawab lewat telepon.")
    assert answer.headers["location"] == f"{WORK}?done=resume"
    resumed = (await harness.events("assignment"))[-1].fact
    assert isinstance(resumed, WorkResumed)
    assert str(resumed.target_date) == "2026-12-16"


async def test_an_earlier_answer_is_a_conflict_that_keeps_the_note(harness: StaffHarness):
    await advance_to(harness, "on_hold")
    form = await page(harness, "dewi", f"{WORK}/lanjutkan")
    await harness.publish(answered)
    await harness.wait_for_status("assignment", "in_progress")
    answer = await send(harness, "dewi", f"{WORK}/lanjutkan", form, note="Dijawab lewat telepon.")
    assert (answer.status_code, "Dijawab lewat telepon.</textarea>" in answer.text) == (409, True)
    assert "Muat keadaan terbaru" in answer.text


async def test_a_withdrawal_is_a_conflict_that_keeps_the_note(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    form = await page(harness, "dewi", f"{WORK}/perkembangan")
    await harness.publish(withdrawn)
    answer = await send(harness, "dewi", f"{WORK}/perkembangan", form, note=NOTE)
    assert answer.status_code == 409
    assert "Permohonan dibatalkan oleh Pemohon pada 23 November 2026" in answer.text
    assert f"{NOTE}</textarea>" in answer.text


@pytest.mark.parametrize("step", ["perkembangan", "tunda", "lanjutkan", "serahkan"])
async def test_an_impossible_step_redirects_to_the_request(harness: StaffHarness, step: str):
    await advance_to(harness, "assigned")
    answer = await page(harness, "dewi", f"{WORK}/{step}")
    assert (answer.status_code, answer.headers["location"]) == (303, WORK)


async def test_requests_of_other_leads_are_404(harness: StaffHarness):
    document = await harness.store_document("kamus.pdf", pdf())
    await advance_to(harness, "in_progress", document)
    form = await page(harness, "dewi", f"{WORK}/perkembangan")
    for who in ("jafar", "kepala"):
        for path in ("", "/perkembangan", "/tunda", "/lanjutkan", "/serahkan", f"/dokumen/{document.id}"):
            shown = await page(harness, who, WORK + path)
            assert (shown.status_code, APPLICANT.name in shown.text) == (404, False), path
    own = await page(harness, "jafar", "/pekerjaan")
    for path in ("", "/perkembangan", "/tunda", "/lanjutkan", "/serahkan", "/serahkan/berkas"):
        csrf = re.findall(r'name="_csrf" value="([^"]+)"', own.text)[0]
        answer = await send(harness, "jafar", WORK + path, form, _csrf=csrf, note=NOTE, field="documents")
        assert answer.status_code == 404, path
    assert (await harness.events("assignment"))[-1].type == "WorkStarted"


@pytest.mark.parametrize("path", ["/pekerjaan", WORK, f"{WORK}/serahkan"])
async def test_the_pages_are_for_leads_only(harness: StaffHarness, path: str):
    await advance_to(harness, "in_progress")
    for who in PEOPLE:
        shown = await page(harness, who, path)
        assert (shown.status_code != 403) == (who in LEADS), who


async def test_the_note_survives_an_ended_session(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    form = await page(harness, "dewi", f"{WORK}/perkembangan")
    harness.clock.advance(minutes=31)
    answer = await send(harness, "dewi", f"{WORK}/perkembangan", form, note=NOTE)
    assert (answer.status_code, NOTE in answer.text) == (401, True)


async def test_a_note_sent_twice_is_recorded_once(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    form = await page(harness, "dewi", f"{WORK}/perkembangan")
    answers = [await send(harness, "dewi", f"{WORK}/perkembangan", form, note=NOTE) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert [event.type for event in await harness.events("assignment")].count("WorkProgressed") == 1


async def test_a_reassigned_request_leaves_the_list(harness: StaffHarness):
    await advance_to(harness, "in_progress")
    await harness.post("hasan", f"{API}/{REQUEST}/reassignment", {"lead": "jafar", "reason": "Cuti."})
    assert (await page(harness, "dewi", WORK)).status_code == 404
    assert rows(await page(harness, "dewi", "/pekerjaan")) == []
    assert rows(await page(harness, "jafar", "/pekerjaan")) == [REQUEST]


async def test_a_person_with_both_roles_can_use_all_pages(harness: StaffHarness):
    await advance_to(harness, "verified")
    await submit_form(harness, "kepala", QUEUE, **{**ASSIGN, "lead": "kepala"})
    assert (await submit_form(harness, "kepala", WORK)).headers["location"] == f"{WORK}?done=start"
    assert f"/penugasan/{OTHER}" not in (await page(harness, "kepala", "/penugasan?tab=open")).text
