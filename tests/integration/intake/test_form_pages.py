"""The submission page without script: nothing is lost after an error, and nothing is submitted twice."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.services.forms_harness import Browser, hidden_fields
from tests.support.services.intake_harness import (
    DICTIONARY,
    FILES,
    FORM,
    LETTER,
    PDF,
    File,
    IntakeHarness,
    intake_harness,
)

FIRST = "INT-2026-000001"


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[IntakeHarness]:
    async with intake_harness(tmp_path) as opened:
        yield opened


@dataclass
class Visitor:
    """A visitor at the form, with a browser that keeps cookies."""

    browser: Browser
    page: httpx.Response

    async def send(self, files: Sequence[File] | None = None, /, **fields: Any) -> httpx.Response:
        """Send the form of the current page with these fields; the response becomes the current page unless it redirects."""
        answer = await self.browser.send("/", self.page, list(files) if files else None, **{**FORM, **fields})
        if answer.status_code != 303:
            self.page = answer
        return answer


@pytest.fixture
async def visitor(intake: IntakeHarness) -> AsyncIterator[Visitor]:
    async with intake.client(timeout=60) as client:
        browser = Browser(client)
        yield Visitor(browser, await browser.get("/"))


def field_error(answer: httpx.Response, field: str) -> str:
    """The error shown beside a field."""
    found = re.search(rf'id="{field}-e">.*?</svg> ([^<]*)</p>', answer.text)
    return found[1] if found else ""


async def count_requests(intake: IntakeHarness) -> int:
    numbers = await intake.service.runtime.store.all_ids()
    return len(numbers)


async def test_the_page_describes_the_service_and_has_the_six_fields_in_order(visitor: Visitor):
    page = visitor.page
    assert page.status_code == 200
    for words in ("Tanpa biaya", "ASN", "Siapkan lebih dulu", "Setelah diajukan", "Siapa yang menjawab"):
        assert words in page.text
    six = ["Nama", "Nomor Pegawai", "Dinas", "Jabatan", "Keterangan Permohonan Layanan", "Dokumen Persyaratan"]
    labels = re.findall(r'<label for="\w+">([^<]+)', page.text)
    assert [label for label in labels if label in six] == six
    assert "1 sampai 10 berkas: PDF, DOCX" in page.text
    assert "paling besar 25 MB" in page.text
    assert "paling besar 60 MB" in page.text
    assert '<optgroup label="Kecamatan">' in page.text


async def test_a_local_installation_says_where_staff_sign_in_and_emails_are_read(visitor: Visitor, tmp_path: Path):
    assert "Simpul berjalan di komputer ini" in visitor.page.text
    assert visitor.page.text.count('href="/surel"') == 2
    async with (
        intake_harness(tmp_path / "public", base_url="https://simpul.example") as public,
        public.client() as client,
    ):
        assert "Simpul berjalan di komputer ini" not in (await client.get("/")).text


async def test_a_valid_form_leads_to_the_receipt(intake: IntakeHarness, visitor: Visitor):
    sent = await visitor.send(FILES)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/lacak/{FIRST}/diterima")
    assert f"Path=/lacak/{FIRST}" in sent.headers["set-cookie"]
    receipt = await visitor.browser.get(sent.headers["location"])
    assert receipt.status_code == 200
    for words in (FIRST, "19850214 201001 1 001", "rahmat@dishub.example", "Kamus data.docx", "Alur.png", "?kunci="):
        assert words in receipt.text
    assert len(intake.stored_documents) == 3


async def test_texts_and_files_are_kept_when_a_field_is_invalid(intake: IntakeHarness, visitor: Visitor):
    wrong = await visitor.send(FILES, description="Terlalu singkat", email="rahmat@dishub")
    assert wrong.status_code == 422
    assert "Permohonan belum terkirim" in wrong.text
    assert '<a href="#description">' in wrong.text
    assert field_error(wrong, "description").startswith("Tulis paling sedikit 20 huruf")
    assert field_error(wrong, "email")
    assert 'value="Rahmat Contoh"' in wrong.text
    assert ">Terlalu singkat</textarea>" in wrong.text.replace("\n", "")
    for name in ("Surat permohonan.pdf", "Kamus data.docx", "Alur.png"):
        assert f"<b>{name}</b>" in wrong.text
    assert await count_requests(intake) == 0
    right = await visitor.send()
    assert right.status_code == 303
    assert len(intake.stored_documents) == 3


async def test_missing_fields_are_listed_in_the_order_of_the_page(visitor: Visitor):
    empty = await visitor.send(**dict.fromkeys(FORM, ""))
    assert empty.status_code == 422
    missing_fields = re.findall(r'<li><a href="#(\w+)">', empty.text)
    assert missing_fields == [
        *("letter", "letter_number", "letter_date", "name", "employee_number", "unit", "position"),
        *("scope", "description", "requirements", "email"),
    ]


async def test_an_empty_field_says_what_to_do_beside_it_and_in_the_summary(visitor: Visitor):
    empty = await visitor.send(**dict.fromkeys(FORM, ""))
    assert "Wajib di" not in empty.text
    assert field_error(empty, "name") == "Isi nama lengkap Anda, seperti pada surat permohonan."
    assert field_error(empty, "scope") == "Pilih lingkup layanan yang dimohon."
    assert field_error(empty, "letter") == "Unggah Surat Permohonan yang sudah ditandatangani."
    summary = re.findall(r'<li><a href="#\w+">([^<]+)</a>', empty.text)
    assert summary[3] == "Isi nama lengkap Anda, seperti pada surat permohonan."


DATE_FIELDS = ("letter_date_day", "letter_date_month", "letter_date_year")


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        (("", "", ""), "Isi tanggal surat: tanggal, bulan, dan tahunnya."),
        (("20", "", ""), "Isi juga bulan dan tahun."),
        (("30", "2", "2026"), "30 Februari 2026 tidak ada di kalender. Periksa tanggal, bulan, dan tahunnya."),
        (("dua", "11", "2026"), "dua November 2026 tidak ada di kalender. Periksa tanggal, bulan, dan tahunnya."),
        (("24", "11", "2026"), "Tanggal surat tidak boleh melewati hari ini."),
        (("20", "11", "26"), "Tanggal surat tidak boleh sebelum tahun 2000. Periksa tahunnya, misalnya 2026."),
    ],
)
async def test_a_date_in_three_fields_has_one_error(visitor: Visitor, typed: tuple[str, str, str], error: str):
    wrong = await visitor.send(FILES, letter_date=None, **dict(zip(DATE_FIELDS, typed, strict=True)))
    assert field_error(wrong, "letter_date") == error
    assert len(re.findall(r'<li><a href="#\w+">', wrong.text)) == 1
    for field, text in zip(DATE_FIELDS, typed, strict=True):
        assert f'name="{field}"' in wrong.text
        assert not text or f'value="{text}"' in wrong.text


async def test_the_answers_are_shown_to_be_checked_before_anything_is_sent(intake: IntakeHarness, visitor: Visitor):
    day = dict(zip(DATE_FIELDS, ("20", "11", "2026"), strict=True))
    odd = "19850230 201001 1 001"
    checked = await visitor.send(FILES, letter_date=None, employee_number=odd, _do="review", **day)
    assert checked.status_code == 200
    for words in (
        *("Periksa isian Anda", "Jumat, 20 November 2026", "Kamus data.docx", "Alur.png", "Integrasi Data"),
        *("rahmat@dishub.example", odd, "tidak ada di kalender", "1 isian mohon diperiksa lagi:"),
    ):
        assert words in checked.text, words
    assert await count_requests(intake) == 0
    assert len(intake.stored_documents) == 3
    sent = await visitor.browser.send("/", checked, None, **kept_texts(checked))
    assert (sent.status_code, sent.headers["location"]) == (303, f"/lacak/{FIRST}/diterima")
    assert len(intake.stored_documents) == 3


async def test_going_back_from_the_answers_keeps_everything(intake: IntakeHarness, visitor: Visitor):
    checked = await visitor.send(FILES, _do="review")
    assert 'formaction="/#position"' in checked.text
    back = await visitor.browser.send("/", checked, None, _resume="1", **kept_texts(checked))
    assert back.status_code == 200
    for words in ('value="Rahmat Contoh"', "<b>Surat permohonan.pdf</b>", "<b>Alur.png</b>", "Lanjut ke pemeriksaan"):
        assert words in back.text
    assert 'id="sum"' not in back.text
    visitor.page = back
    assert (await visitor.send(position="Arsiparis", _do="review")).status_code == 200
    assert await count_requests(intake) == 0


async def test_a_form_that_was_sent_is_not_checked_again(intake: IntakeHarness, visitor: Visitor):
    first = await visitor.send(FILES)
    again = await visitor.send(FILES, _do="review")
    assert (again.status_code, again.headers["location"]) == (303, first.headers["location"])
    changed = await visitor.send(FILES, _do="review", description="Isian yang lain sama sekali dari yang tadi.")
    assert (changed.status_code, "Permohonan ini sudah terkirim" in changed.text) == (409, True)
    assert await count_requests(intake) == 1


def kept_texts(page: httpx.Response) -> dict[str, str]:
    """The texts that a page carries in hidden fields."""
    return {
        name: html.unescape(text)
        for name, text in re.findall(r'<textarea name="(\w+)" hidden>\n([^<]*)</textarea>', page.text)
    }


async def test_a_refused_file_is_named_and_the_others_are_kept(visitor: Visitor):
    files = (*FILES[:2], ("requirements", ("halaman.html", b"<html>", "text/html")))
    wrong = await visitor.send(files)
    assert wrong.status_code == 422
    assert "halaman.html" in field_error(wrong, "requirements")
    assert "<b>Kamus data.docx</b>" in wrong.text
    assert (await visitor.send()).status_code == 303


async def test_removing_a_file_does_not_validate_the_form(visitor: Visitor):
    wrong = await visitor.send(FILES, email="")
    alur = re.search(r'value="([^"]+)">Hapus<span class="vh"> Alur.png', wrong.text)
    assert alur
    fewer = await visitor.send(remove=alur[1], email="")
    assert fewer.status_code == 200
    assert "Alur.png" not in fewer.text
    assert "Kamus data.docx" in fewer.text
    assert field_error(fewer, "email") == ""


async def test_files_uploaded_in_advance_belong_to_their_form(visitor: Visitor):
    hidden = hidden_fields(visitor.page)
    held: dict[str, str] = {}
    for field, file in FILES[:2]:
        ahead = await visitor.browser.client.post("/berkas", data={**hidden, "field": field}, files=[(field, file)])
        assert ahead.status_code == 200
        held |= dict(re.findall(r'name="(held\.\w+)" value="([^"]+)"', ahead.text))
    assert (await visitor.send(**held)).status_code == 303


async def test_an_unlisted_unit_can_be_written(intake: IntakeHarness, visitor: Visitor):
    blank = await visitor.send(FILES, unit="other")
    assert field_error(blank, "unit_other") == "Isi nama unit kerja lainnya."
    sent = await visitor.send(unit="other", unit_other="Puskesmas Subaim")
    assert sent.status_code == 303
    assert "Puskesmas Subaim" in (await visitor.browser.get(f"/lacak/{FIRST}")).text


async def test_an_implausible_employee_number_warns_but_does_not_block(visitor: Visitor):
    implausible = "19850230 201001 1 001"
    shown = await visitor.send(FILES, employee_number=implausible, email="")
    assert 'aria-describedby="employee_number-h employee_number-w"' in shown.text
    assert "tidak ada di kalender" in shown.text
    assert field_error(shown, "employee_number") == ""
    assert (await visitor.send(employee_number=implausible)).status_code == 303
    receipt = await visitor.browser.get(f"/lacak/{FIRST}/diterima")
    assert "tidak ada di kalender" not in receipt.text


async def test_a_form_sent_twice_makes_one_request_and_its_second_files_are_deleted(
    intake: IntakeHarness, visitor: Visitor
):
    first, second = await visitor.send(FILES), await visitor.send(FILES)
    assert first.headers["location"] == second.headers["location"]
    assert await count_requests(intake) == 1
    assert len(intake.stored_documents) == 3


async def test_a_form_sent_again_with_other_content_can_become_another_request(intake: IntakeHarness, visitor: Visitor):
    await visitor.send(FILES)
    again = await visitor.send(FILES, description="Isian yang lain sama sekali dari yang tadi.")
    assert again.status_code == 409
    assert "Permohonan ini sudah terkirim" in again.text
    assert f'href="/lacak/{FIRST}"' in again.text
    assert await count_requests(intake) == 1
    texts = dict(re.findall(r'<textarea name="(\w+)" hidden>\n([^<]*)</textarea>', again.text))
    anew = await visitor.browser.send("/", again, None, **texts)
    assert anew.status_code == 200
    assert "Isian yang lain sama sekali" in anew.text
    assert "Kamus data.docx" in anew.text
    sent = await visitor.browser.send("/", anew, None, **{**FORM, "description": texts["description"]})
    assert sent.headers["location"] == "/lacak/INT-2026-000002/diterima"


async def test_a_form_without_csrf_token_is_shown_again(intake: IntakeHarness, visitor: Visitor):
    stale = await visitor.browser.client.post(
        "/", data={**hidden_fields(visitor.page), **FORM, "_csrf": ""}, files=[FILES[0]]
    )
    assert (stale.status_code, "Isian Anda masih ada" in stale.text) == (200, True)
    assert "Data trayek angkutan" in stale.text
    assert await count_requests(intake) == 0


async def test_a_file_over_the_limit_is_refused_and_the_rest_is_kept(tmp_path: Path):
    async with intake_harness(tmp_path, file_limit=40_000, body_limit=400_000) as intake, intake.client() as client:
        browser = Browser(client)
        visitor = Visitor(browser, await browser.get("/"))
        assert "39 KB" in visitor.page.text
        large = ("requirements", ("besar.pdf", LETTER + b"\n" * 50_000, PDF))
        wrong = await visitor.send([FILES[0], ("requirements", ("kamus.docx", DICTIONARY, PDF)), large])
        assert wrong.status_code == 422
        assert "besar.pdf" in field_error(wrong, "requirements")
        assert "<b>kamus.docx</b>" in wrong.text
        assert "<b>Surat permohonan.pdf</b>" in wrong.text


async def test_submitted_text_is_escaped_when_it_is_shown_again(visitor: Visitor):
    wrong = await visitor.send(name='"><script>alert(1)</script>', description="</textarea><b>", email="")
    assert "<script>alert" not in wrong.text
    assert "</textarea><b>" not in wrong.text


@pytest.mark.parametrize(("path", "words"), [("/standar-pelayanan", "Biaya"), ("/pelindungan-data", "Hak Anda")])
async def test_the_service_standard_and_the_privacy_notice_are_published(visitor: Visitor, path: str, words: str):
    page = await visitor.browser.get(path)
    assert (page.status_code, words in page.text) == (200, True)
    assert "[perlu dipastikan]" in page.text
