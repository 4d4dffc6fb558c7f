"""Problems of applicants: missing fields, wrong files, double clicks, a slow connection, a lost link."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser.browser_sessions import THIN, WIDE, BrowserSession, BrowserSessions, SiteUnderTest
from tests.support.browser.email_links import open_contact_link, open_tracking_link
from tests.support.browser.sample_requests import ODD_NUMBER
from tests.support.browser.user_actions import (
    BIG,
    CHECK,
    DICTIONARY,
    LETTER,
    PICTURE,
    PROGRAM,
    REPORT,
    SUBMIT,
    TEXTS,
    Applicant,
    Officer,
    field,
    payloads,
)
from tests.support.e2e.request_steps import request_in_status
from tests.support.e2e.server_session import TODAY, SubmittedRequest

VALUES = {"Jabatan": "", "Bulan": str(TODAY.month)}


def followed(session: BrowserSession, asked: SubmittedRequest) -> Applicant:
    """Open the tracking page of a request by its link."""
    session.open(f"/lacak/{asked.number}?kunci={asked.token}")
    return Applicant(session)


def test_only_what_was_returned_is_asked_for_again(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "submitted")
    officer = Officer(sessions("nurlaila"))
    officer.watch_queue()
    officer.open_request(asked.number)
    officer.return_request("Halaman 2 belum ditandatangani.")
    officer.expect_success("dikembalikan")
    asked.wait_for_status("returned")

    applicant = followed(sessions(), asked)
    applicant.expect_status("Perlu Dilengkapi")
    applicant.open_action("Lengkapi Permohonan")
    expect(applicant.page.get_by_text("Halaman 2 belum ditandatangani.").first).to_be_visible()
    expect(field(applicant.page, "Surat Permohonan pengganti")).to_be_visible()
    for label in ("Nama", "Nomor Pegawai", "Jabatan", "Alamat surel", "Berkas baru"):
        expect(field(applicant.page, label)).to_have_count(0)
    applicant.press("Kirim Ulang")
    expect(applicant.page.get_by_role("alert")).to_be_focused()
    applicant.attach("Surat Permohonan pengganti", REPORT)
    applicant.press("Kirim Ulang")
    expect(applicant.page.get_by_role("status").filter(has_text="sudah dikirim ulang")).to_be_visible()
    applicant.expect_status("Diajukan")
    seen = asked.wait_for_status("submitted").seen()[1]
    assert seen["round"] == 2
    assert [one["name"] for one in seen["documents"] if one["round"] == 2] == [REPORT.name]


def test_an_answer_ends_the_pause_and_is_not_asked_for_twice(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "on_hold")
    applicant = followed(sessions(), asked)
    applicant.expect_status("Menunggu Pemohon")
    applicant.answer("Alamatnya uji.dishub.example.")
    applicant.expect_status("Sedang Dikerjakan")
    asked.wait_for_status("in_progress")
    applicant.page.go_back()
    assert "RequestSubmitted" in [entry["event"] for entry in asked.seen()[0]["timeline"]]
    applicant.session.open(f"/lacak/{asked.number}/jawab")
    expect(field(applicant.page, "Jawaban Anda")).to_have_count(0)
    expect(applicant.page.get_by_role("link", name="Lihat keadaan terbaru")).to_be_visible()


def test_an_objection_reopens_the_work_and_the_second_delivery_is_confirmed(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = request_in_status(site.harness, "delivered")
    applicant = followed(sessions(), asked)
    applicant.expect_status("Menunggu Konfirmasi Serah Terima")
    applicant.read_document("Surat permohonan.pdf")
    applicant.contest("Panduan belum ada.")
    applicant.expect_status("Sedang Dikerjakan")
    asked.wait_for_status("in_progress")
    files = {"data": {"summary": "Dengan panduan."}, "files": [("documents", REPORT)]}
    assert asked.step("dewi", "completion", **files).status_code == 200
    asked.wait_for_status("delivered")
    applicant.wait_for("Menunggu Konfirmasi Serah Terima")
    applicant.confirm()
    applicant.expect_status("Selesai")


def test_a_wrong_file_costs_nothing_that_was_typed_or_sent(site: SiteUnderTest, sessions: BrowserSessions):
    before = site.harness.requests
    applicant = Applicant(sessions())
    applicant.start()
    applicant.fill()
    applicant.attach("Surat Permohonan", LETTER)
    applicant.attach("Dokumen Persyaratan", DICTIONARY)
    field(applicant.page, "Dokumen Persyaratan").set_input_files(payloads(PROGRAM))
    wrong = applicant.stored("Dokumen Persyaratan").filter(has_text=PROGRAM.name)
    field(applicant.page, "Jabatan").fill("")
    applicant.page.get_by_role("button", name=CHECK).click()
    expect(wrong.get_by_role("button", name="Coba lagi")).to_be_focused()
    wrong.get_by_role("button", name="Hapus").click()
    applicant.page.get_by_role("button", name=CHECK).click()
    expect(applicant.page.get_by_role("alert")).to_be_focused()
    assert site.harness.requests == before
    for label, text in TEXTS.items():
        expect(field(applicant.page, label)).to_have_value(VALUES.get(label, text))
    expect(applicant.page.get_by_role("radio", name="Integrasi Data")).to_be_checked()
    expect(applicant.stored("Surat Permohonan")).to_contain_text([LETTER.name])
    expect(applicant.stored("Dokumen Persyaratan")).to_contain_text([DICTIONARY.name])
    applicant.page.get_by_role("alert").get_by_role("link", name=re.compile("jabatan")).click()
    expect(field(applicant.page, "Jabatan")).to_be_focused()
    field(applicant.page, "Jabatan").fill("Pranata Komputer")
    number = applicant.submit_form()
    applicant.session.until(lambda: TEXTS["Nama"] in officers_names(site, number))


def officers_names(site: SiteUnderTest, number: str) -> list[str]:
    """Return the applicants with this number in the officers' queue; none until the event has arrived."""
    path = "/api/verification/requests?limit=200"
    items = site.harness.call(site.session("nurlaila"), "GET", path).json()["items"]
    return [one["name"] for one in items if one["number"] == number]


def test_a_wrong_file_without_a_script_costs_nothing_either(site: SiteUnderTest, sessions: BrowserSessions):
    applicant = Applicant(sessions(script=False))
    applicant.start()
    applicant.fill()
    applicant.attach("Surat Permohonan", LETTER)
    applicant.attach("Dokumen Persyaratan", DICTIONARY, PROGRAM)
    applicant.page.get_by_role("button", name=CHECK).click()
    expect(applicant.page.get_by_role("alert")).to_contain_text("Alat.exe")
    expect(applicant.stored("Surat Permohonan")).to_contain_text([LETTER.name])
    expect(applicant.stored("Dokumen Persyaratan")).to_contain_text([DICTIONARY.name])
    applicant.submit_form()


def test_an_impatient_applicant_makes_one_request(site: SiteUnderTest, sessions: BrowserSessions):
    before = site.harness.requests
    applicant = Applicant(sessions())
    applicant.start()
    applicant.fill()
    applicant.attach_all()
    applicant.page.get_by_role("button", name=CHECK).dblclick()
    applicant.checks_answers()
    applicant.page.get_by_role("button", name=SUBMIT).dblclick()
    number = applicant.confirmation_number()
    applicant.page.reload()
    assert applicant.confirmation_number() == number
    applicant.page.go_back()
    expect(field(applicant.page, "Nama")).to_have_value("")
    applicant.page.go_back()
    field(applicant.page, "Nomor Pegawai").fill(TEXTS["Nomor Pegawai"])
    expect(applicant.stored("Surat Permohonan")).to_contain_text([LETTER.name])
    expect(applicant.stored("Dokumen Persyaratan")).to_contain_text([DICTIONARY.name])
    applicant.page.get_by_role("button", name=CHECK).click()
    assert applicant.confirmation_number() == number
    assert site.harness.requests == before + 1


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_answers_are_checked_and_changed_before_they_are_sent(
    site: SiteUnderTest, sessions: BrowserSessions, script: bool
):
    before = site.harness.requests
    applicant = Applicant(sessions(script=script))
    page = applicant.start()
    applicant.fill(**{"Nomor Pegawai": ODD_NUMBER})
    applicant.attach_all()
    page.get_by_role("button", name=CHECK).click()
    applicant.checks_answers()
    expect(page.get_by_text("tidak ada di kalender")).to_be_visible()
    page.get_by_role("button", name="Ubah Jabatan").click()
    expect(page).to_have_url(re.compile("/#position$"))
    if script:
        expect(field(page, "Jabatan")).to_be_focused()
    expect(field(page, "Nama")).to_have_value(TEXTS["Nama"])
    expect(applicant.stored("Dokumen Persyaratan")).to_contain_text([DICTIONARY.name])
    field(page, "Jabatan").fill("Arsiparis")
    assert site.harness.requests == before
    applicant.submit_form()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Arsiparis")
    expect(main).not_to_contain_text("tidak ada di kalender")
    expect(page.get_by_role("img", name="Kode QR tautan lacak")).to_be_visible()
    if script:
        applicant.session.context.grant_permissions(["clipboard-write"])
        page.get_by_role("button", name="Salin tautan").click()
        expect(page.get_by_role("status").filter(has_text="Tautan tersalin.")).to_be_visible()


def test_an_error_goes_away_when_its_field_is_mended(sessions: BrowserSessions):
    applicant = Applicant(sessions())
    page = applicant.start()
    page.get_by_role("button", name=CHECK).click()
    alert = page.get_by_role("alert").first
    expect(alert).to_be_focused()
    expect(alert.get_by_role("listitem")).to_have_count(11)
    wrong = page.locator("[aria-invalid]:not(fieldset)")
    many = wrong.count()
    field(page, "Alamat surel").fill("rahmat")
    expect(wrong).to_have_count(many)
    applicant.fill()
    expect(alert.get_by_role("listitem")).to_have_count(2)
    applicant.attach_all()
    expect(alert).to_have_count(0)
    expect(wrong).to_have_count(0)
    applicant.submit_form()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_request_is_corrected_until_it_is_claimed(site: SiteUnderTest, sessions: BrowserSessions, script: bool):
    asked = request_in_status(site.harness, "submitted")
    applicant = followed(sessions(script=script), asked)
    page = applicant.page
    applicant.open_action("Perbaiki Isian")
    field(page, "Jabatan").fill("Arsiparis")
    field(page, "Tanggal").fill("31")
    field(page, "Bulan").select_option(label="Februari")
    applicant.press("Simpan Perbaikan")
    expect(page.get_by_role("alert")).to_contain_text("Februari")
    expect(page.get_by_role("alert")).to_contain_text("tidak ada di kalender")
    field(page, "Tanggal").fill("28")
    field(page, "Bulan").select_option(label="Januari")
    applicant.attach("Surat Permohonan pengganti", REPORT)
    applicant.press("Simpan Perbaikan")
    expect(page.get_by_role("status").filter(has_text="sudah tersimpan dan terlihat oleh petugas")).to_be_visible()
    expect(page.get_by_text("Isian diperbaiki pemohon")).to_be_visible()
    path = f"/api/verification/requests/{asked.id}"
    applicant.session.until(lambda: officers_view(site, "GET", path)["position"] == "Arsiparis")
    names = [document["name"] for document in officers_view(site, "GET", path)["documents"]]
    assert REPORT.name in names
    officers_view(site, "POST", f"{path}/claim")
    correct = page.get_by_role("link", name="Perbaiki Isian")
    applicant.session.until(lambda: page.reload() is not None and correct.count() == 0)


def officers_view(site: SiteUnderTest, method: str, path: str) -> dict[str, Any]:
    answer = site.harness.call(site.session("nurlaila"), method, path)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def test_a_new_address_is_confirmed_from_its_mailbox(site: SiteUnderTest, sessions: BrowserSessions):
    old, new = "lama@dishub.example", "baru@dishub.example"
    asked = site.harness.submitted(email=old).wait_for_status("submitted")
    applicant = followed(sessions(script=False), asked)
    applicant.page.get_by_role("link", name="Ganti alamat surel atau nomor HP").click()
    field(applicant.page, "Alamat surel").fill(new)
    applicant.press("Kirim Konfirmasi")
    expect(applicant.page.get_by_role("status").filter(has_text="surel konfirmasi ke alamat yang baru")).to_be_visible()
    reader = Applicant(sessions(script=False))
    open_contact_link(reader.session, new)
    expect(reader.page.get_by_role("main")).to_contain_text(new)
    reader.press("Ya, pakai alamat ini")
    expect(reader.page.get_by_role("status").filter(has_text="sudah berlaku")).to_be_visible()
    reader.page.get_by_role("link", name="Tanda terima dan isian lengkap").click()
    expect(reader.page.get_by_role("main")).to_contain_text(new)


def test_a_lost_link_is_mailed_again_and_nobody_learns_whose_address_is_known(
    site: SiteUnderTest, sessions: BrowserSessions
):
    address = "hilang@dishub.example"
    asked = site.harness.submitted(email=address).wait_for_status("submitted")
    told = []
    for written in (address, "siapa@lain.example"):
        applicant = Applicant(sessions())
        applicant.session.open("/lacak")
        field(applicant.page, "Alamat surel").fill(written)
        applicant.press("Kirim Tautan Lacak")
        status = applicant.page.get_by_role("status").filter(has_text="tautannya sedang kami kirim")
        expect(status).to_be_visible()
        told.append(status.inner_text())
    assert told[0] == told[1]
    reader = Applicant(sessions())
    open_tracking_link(reader.session, address, asked.number)
    reader.expect_status("Diajukan")


def test_files_tell_how_far_they_are(sessions: BrowserSessions):
    applicant = Applicant(sessions())
    applicant.start()
    applicant.fill()
    applicant.session.limit_bandwidth(THIN)
    field(applicant.page, "Surat Permohonan").set_input_files(payloads(BIG))
    bar = applicant.page.get_by_role("progressbar", name=BIG.name)
    expect(bar).to_be_visible()
    applicant.session.until(lambda: 0 < float(bar.get_attribute("value") or 0) < 100)
    expect(applicant.stored("Surat Permohonan")).to_contain_text(re.compile(r"mengirim [1-9]\d?%"))
    applicant.session.limit_bandwidth(WIDE)
    expect(applicant.stored("Surat Permohonan")).to_contain_text("tersimpan")
    applicant.attach("Dokumen Persyaratan", PICTURE)
    applicant.submit_form()
