"""The pages of applicants' actions, without script.

An action is done once, its form survives an error, a late one is told what happened, and nothing works without the token.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.contracts.facts import ChecklistItem, Fact
from shared.contracts.verification import RequestClaimed
from tests.support.domain import request_events as story
from tests.support.services.forms_harness import Browser, hidden_fields
from tests.support.services.intake_harness import (
    FILES,
    FORM,
    PDF,
    ApplicantClient,
    IntakeHarness,
    intake_harness,
    pdf_upload,
)

STEPS = ("lengkapi", "perbaiki", "kontak", "jawab", "konfirmasi", "keberatan", "batalkan", "survei")
NEW_LETTER = ("letter", ("Surat baru.pdf", pdf_upload("Surat bertanda tangan"), PDF))
WHOLE_FORM = {
    **{name: text for name, text in FORM.items() if name != "letter_date"},
    "letter_date_day": "20",
    "letter_date_month": "11",
    "letter_date_year": "2026",
}
MARKS = {f"u{place}": str(mark) for place, mark in enumerate(story.surveyed.answers, 1)}


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path) as opened:
        yield opened


@dataclass
class TrackedBrowser:
    """An applicant whose browser holds the tracking cookie of a request."""

    client: ApplicantClient
    browser: Browser

    async def publish(self, *facts: Fact) -> None:
        await self.client.harness.publish(self.client.id, *facts)

    def path(self, step: str = "") -> str:
        return f"/lacak/{self.client.number}/{step}".rstrip("/")

    async def page(self, step: str = "") -> httpx.Response:
        return await self.browser.get(self.path(step))

    async def send(self, step: str, page: httpx.Response, files: Any = None, /, **fields: Any) -> httpx.Response:
        return await self.browser.send(self.path(step), page, files, **fields)


@pytest.fixture
async def applicant(intake: IntakeHarness) -> AsyncIterator[TrackedBrowser]:
    client = await intake.new_applicant()
    async with intake.client(timeout=60) as http:
        await http.get(intake.platform.tracking.link(client.id, client.number))
        yield TrackedBrowser(client, Browser(http))


def redirects_to_tracking(answer: httpx.Response, applicant: TrackedBrowser, step: str) -> bool:
    return (answer.status_code, answer.headers.get("location")) == (303, f"{applicant.path()}?sudah={step}")


# Access


@pytest.mark.parametrize("step", STEPS)
async def test_action_pages_do_nothing_without_the_tracking_token(
    intake: IntakeHarness, applicant: TrackedBrowser, step: str
):
    other = await intake.new_applicant()
    async with intake.client() as client:
        lost = Browser(client)
        form = await lost.get("/lacak")
        for key in ("", "lacak=wrong", f"lacak={other.token}"):
            headers = {"Cookie": key} if key else {}
            assert (await client.get(applicant.path(step), headers=headers)).status_code == 404
            visitor = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            sent = await client.post(
                applicant.path(step),
                data={**hidden_fields(form), "reason": "Batal.", "text": "Ya.", **MARKS},
                headers={"Cookie": f"{visitor}; {key}"},
            )
            assert (sent.status_code, "Kirim tautan lacak" in sent.text) == (404, True)
    assert await applicant.client.status() == "submitted"


async def test_no_file_is_stored_without_the_tracking_token(intake: IntakeHarness, applicant: TrackedBrowser):
    before = intake.stored_documents
    async with intake.client() as client:
        form = hidden_fields(await Browser(client).get("/lacak"))
        ahead = await client.post(
            applicant.path("lengkapi/berkas"), data={**form, "field": "letter"}, files=[NEW_LETTER]
        )
    assert ahead.status_code == 404
    assert intake.stored_documents == before


@pytest.mark.parametrize("step", [step for step in STEPS if step not in ("perbaiki", "kontak", "batalkan")])
async def test_the_page_of_a_closed_action_says_what_happened(applicant: TrackedBrowser, step: str):
    page = await applicant.page(step)
    assert page.status_code == 409
    assert "Permohonan diajukan oleh Pemohon" in page.text
    assert "Permohonan sekarang berstatus Diajukan." in page.text, (
        "no action was sent, so none can be reported as not saved"
    )
    assert f'href="{applicant.path()}"' in page.text


# Correction


async def test_a_correction_shows_the_whole_form_and_is_told_in_the_history(applicant: TrackedBrowser):
    page = await applicant.page("perbaiki")
    assert page.status_code == 200
    for words in ('value="Rahmat Contoh"', 'value="20"', "Kamus data.docx", "selama permohonan belum mulai diperiksa"):
        assert words in page.text
    same = await applicant.send("perbaiki", page, **WHOLE_FORM)
    assert (same.status_code, "Belum ada isian yang diubah" in same.text) == (422, True)
    empty = await applicant.send("perbaiki", page, **{**WHOLE_FORM, "position": " "})
    assert (empty.status_code, "Isi jabatan Anda saat ini." in empty.text) == (422, True)
    sent = await applicant.send("perbaiki", page, **{**WHOLE_FORM, "position": "Arsiparis"})
    assert redirects_to_tracking(sent, applicant, "perbaiki")
    tracked = await applicant.page("")
    assert "Isian diperbaiki pemohon" in tracked.text


async def test_a_correction_after_the_check_began_is_refused_and_gives_nothing_away(applicant: TrackedBrowser):
    page = await applicant.page("perbaiki")
    await applicant.publish(RequestClaimed(round=1, officer=story.NURLAILA, by=story.NURLAILA))
    late = await applicant.send("perbaiki", page, **{**WHOLE_FORM, "position": "Arsiparis"})
    assert (late.status_code, "mulai diperiksa petugas" in late.text) == (409, True)
    assert story.NURLAILA.name not in late.text
    assert (await applicant.page("perbaiki")).status_code == 409
    assert "/perbaiki" not in (await applicant.page("")).text


# Contact


async def test_a_new_address_is_used_after_it_was_confirmed_from_there(
    intake: IntakeHarness, applicant: TrackedBrowser
):
    page = await applicant.page("kontak")
    assert 'value="rahmat@dishub.example"' in page.text
    empty = await applicant.send("kontak", page, email="", phone="")
    assert (empty.status_code, "Isi alamat surel Anda" in empty.text) == (422, True)
    asked = await applicant.send("kontak", page, email="baru@dishub.example", phone="0811 2222 333")
    assert redirects_to_tracking(asked, applicant, "kontak")
    assert "rahmat@dishub.example" in (await applicant.page("diterima")).text
    assert "yang baru belum berlaku" in (await applicant.page("")).text
    link = intake.platform.tracking.contact_link(applicant.client.id, applicant.client.number, 1)
    async with intake.client() as client:
        elsewhere = Browser(client)
        wrong = await elsewhere.get(link.replace("kode=", "kode=x"))
        assert (wrong.status_code, "baru@dishub" in wrong.text) == (404, False)
        shown = await elsewhere.get(link)
        assert (shown.status_code, "baru@dishub.example" in shown.text) == (200, True)
        assert "rahmat@dishub.example" in (await applicant.page("diterima")).text, "opening the link changes nothing"
        confirmed = await elsewhere.send(applicant.path("kontak/1"), shown)
        assert confirmed.headers["location"] == f"{applicant.path()}?sudah=kontak-baru"
        tracked = await elsewhere.get(confirmed.headers["location"])
        assert "Surel atau HP pemohon diganti" in tracked.text
        assert "yang baru belum berlaku" not in tracked.text
        again = await elsewhere.get(link)
        assert (again.status_code, "tidak berlaku lagi" in again.text) == (409, True)
    receipt = (await applicant.page("diterima")).text
    assert "baru@dishub.example" in receipt
    assert "0811 2222 333" in receipt


# Withdrawal


async def test_a_request_is_withdrawn_once_with_a_reason(applicant: TrackedBrowser):
    page = await applicant.page("batalkan")
    empty = await applicant.send("batalkan", page, reason=" ")
    assert (empty.status_code, "Isi alasan pembatalan." in empty.text) == (422, True)
    assert await applicant.client.status() == "submitted"
    assert redirects_to_tracking(await applicant.send("batalkan", page, reason="Tidak jadi."), applicant, "batalkan")
    assert redirects_to_tracking(await applicant.send("batalkan", page, reason="Tidak jadi."), applicant, "batalkan")
    other = await applicant.send("batalkan", page, reason="Alasan lain.")
    assert other.status_code == 409
    assert "sudah pernah dikirim" in other.text
    assert "Alasan lain." in other.text
    assert await applicant.client.status() == "withdrawn"
    assert (
        "Permohonan ini sudah dibatalkan." in (await applicant.browser.get(f"{applicant.path()}?sudah=batalkan")).text
    )


async def test_a_late_withdrawal_says_what_happened_and_keeps_the_text(applicant: TrackedBrowser):
    page = await applicant.page("batalkan")
    await applicant.publish(story.rejected)
    late = await applicant.send("batalkan", page, reason="Tidak jadi, terima kasih.")
    assert late.status_code == 409
    assert "Permohonan ditolak oleh Hasan Umpama" in late.text
    assert "tindakan Anda tidak disimpan" in late.text
    assert "Tidak jadi, terima kasih." in late.text


# Answers


async def test_a_question_is_answered(applicant: TrackedBrowser):
    await applicant.publish(*story.ON_HOLD[1:])
    page = await applicant.page("jawab")
    assert "Alamat server uji?" in page.text
    assert redirects_to_tracking(await applicant.send("jawab", page, text="10.0.0.1"), applicant, "jawab")
    assert await applicant.client.status() == "in_progress"


async def test_an_answer_to_an_earlier_question_is_kept_for_the_current_one(applicant: TrackedBrowser):
    await applicant.publish(*story.ON_HOLD[1:])
    page = await applicant.page("jawab")
    await applicant.publish(story.resumed, story.paused.model_copy(update={"pause": 2, "question": "Portnya berapa?"}))
    late = await applicant.send("jawab", page, text="10.0.0.1")
    assert late.status_code == 409
    for words in ("tindakan Anda tidak disimpan", "Portnya berapa?", ">10.0.0.1</textarea>"):
        assert words in late.text.replace("\n", "")
    assert await applicant.client.status() == "on_hold"
    assert redirects_to_tracking(await applicant.send("jawab", late, text="443"), applicant, "jawab")


# Deliveries


async def test_a_handover_is_confirmed_after_its_documents_were_shown(applicant: TrackedBrowser):
    await applicant.publish(*story.DELIVERED[1:])
    page = await applicant.page("konfirmasi")
    assert "Data tersinkron setiap malam." in page.text
    assert page.text.count(f'href="{applicant.path()}/dokumen/') == 2
    assert redirects_to_tracking(await applicant.send("konfirmasi", page), applicant, "konfirmasi")
    assert await applicant.client.status() == "completed"


@pytest.mark.parametrize(("step", "fields"), [("konfirmasi", {}), ("keberatan", {"reason": "Belum sesuai."})])
async def test_an_earlier_delivery_is_neither_confirmed_nor_contested(
    applicant: TrackedBrowser, step: str, fields: dict[str, str]
):
    await applicant.publish(*story.DELIVERED[1:])
    page = await applicant.page(step)
    objection = await applicant.page("keberatan")
    await applicant.send("keberatan", objection, reason="Hasil uji belum ada.")
    await applicant.publish(story.completed.model_copy(update={"delivery": 2}))
    late = await applicant.send(step, page, **fields)
    assert (late.status_code, "Dokumen hasil diserahkan oleh Dewi Andaian" in late.text) == (409, True)
    assert await applicant.client.status() == "delivered"


async def test_an_objection_needs_a_reason_and_reopens_the_work(applicant: TrackedBrowser):
    await applicant.publish(*story.DELIVERED[1:])
    page = await applicant.page("keberatan")
    assert (await applicant.send("keberatan", page, reason="")).status_code == 422
    assert redirects_to_tracking(
        await applicant.send("keberatan", page, reason="Hasil uji belum ada."), applicant, "keberatan"
    )
    assert await applicant.client.status() == "in_progress"


# The survey


async def test_the_survey_is_answered_once_and_missing_answers_are_named(applicant: TrackedBrowser):
    await applicant.publish(*story.DELIVERED[1:])
    await applicant.send("konfirmasi", await applicant.page("konfirmasi"))
    page = await applicant.page("survei")
    assert page.text.count('type="radio"') == 36
    partly = await applicant.send("survei", page, **{**MARKS, "u7": None, "comment": "Cepat."})
    assert partly.status_code == 422
    assert re.findall(r'<li><a href="#(\w+)">', partly.text) == ["u7"]
    assert partly.text.count(" checked") == 8
    assert ">Cepat.</textarea>" in partly.text.replace("\n", "")
    assert (await applicant.send("survei", page, **{**MARKS, "u1": "5"})).status_code == 422
    assert redirects_to_tracking(await applicant.send("survei", page, **MARKS), applicant, "survei")
    again = await applicant.page("survei")
    assert (again.status_code, "sudah diisi pada" in again.text) == (409, True)


# Resubmission


async def test_only_failed_items_are_shown_with_the_officers_notes(applicant: TrackedBrowser):
    await applicant.publish(story.returned)
    page = await applicant.page("lengkapi")
    assert page.status_code == 200
    assert "letter: mohon dilengkapi." in page.text
    names = re.findall(r'<(?:input|select|textarea)[^>]* id="(\w+)"', page.text)
    assert names == [
        *("letter_number", "letter_date_day", "letter_date_month", "letter_date_year", "letter"),
    ]
    untouched = await applicant.send("lengkapi", page, letter_number="500/1/DISHUB", letter_date="2026-11-20")
    assert untouched.status_code == 422
    assert '<a href="#letter">' in untouched.text


async def test_a_new_letter_survives_an_error_and_replaces_the_old_one(applicant: TrackedBrowser):
    await applicant.publish(story.returned)
    page = await applicant.page("lengkapi")
    wrong = await applicant.send("lengkapi", page, [NEW_LETTER], letter_number="", letter_date="2026-11-20")
    assert wrong.status_code == 422
    assert '<a href="#letter_number">' in wrong.text
    assert "<b>Surat baru.pdf</b>" in wrong.text
    right = await applicant.send("lengkapi", wrong, letter_number="500/2/DISHUB", letter_date="2026-11-21")
    assert redirects_to_tracking(right, applicant, "lengkapi")
    seen = (await applicant.client.get()).json()
    assert (seen["status"], seen["round"], seen["letter_number"]) == ("submitted", 2, "500/2/DISHUB")
    assert [one["name"] for one in seen["documents"]] == ["Kamus data.docx", "Alur.png", "Surat baru.pdf"]


async def test_new_documents_replace_the_selected_ones(applicant: TrackedBrowser):
    await applicant.publish(story.returned_for(ChecklistItem.DOCUMENTS))
    page = await applicant.page("lengkapi")
    kamus = re.search(r'name="replaces" value="([^"]+)"[^>]*><span>Kamus data.docx', page.text)
    assert kamus
    ahead = await applicant.browser.client.post(
        applicant.path("lengkapi/berkas"),
        data={**hidden_fields(page), "field": "requirements"},
        files=[("requirements", ("Kamus bersatuan.docx", FILES[1][1][1], PDF))],
    )
    held = dict(re.findall(r'name="(held\.\w+)" value="([^"]+)"', ahead.text))
    assert redirects_to_tracking(
        await applicant.send("lengkapi", page, replaces=kamus[1], **held), applicant, "lengkapi"
    )
    names = [one["name"] for one in (await applicant.client.get()).json()["documents"]]
    assert names == ["Surat permohonan.pdf", "Alur.png", "Kamus bersatuan.docx"]


async def test_an_emptied_field_is_required_and_a_changed_one_is_saved(applicant: TrackedBrowser):
    await applicant.publish(story.returned_for(ChecklistItem.FORM))
    page = await applicant.page("lengkapi")
    assert 'value="19850214 201001 1 001"' in page.text
    shown = {
        "name": "Rahmat Contoh",
        "employee_number": "19850214 201001 1 001",
        "unit": "Dinas Perhubungan",
        "position": "Pranata Komputer",
        "description": "Data trayek angkutan dihubungkan ke portal data setiap malam.",
        "email": "rahmat@dishub.example",
    }
    empty = await applicant.send("lengkapi", page, **{**shown, "position": ""})
    assert re.findall(r'<li><a href="#(\w+)">', empty.text) == ["position"]
    other = await applicant.send("lengkapi", page, **{**shown, "unit": "other", "unit_other": ""})
    assert re.findall(r'<li><a href="#(\w+)">', other.text) == ["unit_other"]
    changed = {**shown, "unit": "other", "unit_other": "Puskesmas Subaim"}
    assert redirects_to_tracking(await applicant.send("lengkapi", page, **changed), applicant, "lengkapi")
    assert (await applicant.client.get()).json()["unit"] == "Puskesmas Subaim"


async def test_a_completion_sent_twice_counts_once_and_its_second_files_are_deleted(
    intake: IntakeHarness, applicant: TrackedBrowser
):
    await applicant.publish(story.returned)
    page = await applicant.page("lengkapi")
    letter = {"letter_number": "500/2/DISHUB", "letter_date": "2026-11-21"}
    for _ in range(2):
        assert redirects_to_tracking(
            await applicant.send("lengkapi", page, [NEW_LETTER], **letter), applicant, "lengkapi"
        )
    assert (await applicant.client.get()).json()["round"] == 2
    assert len(intake.stored_documents) == 4
