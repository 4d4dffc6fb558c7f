"""What officers share about a request: who checks it, who has it open, notes, and ready-made sentences."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Officer, pick
from tests.support.e2e.server_session import SubmittedRequest

STAMP = "Surat permohonan belum ditandatangani dan dicap oleh pimpinan. Mohon unggah surat yang sudah ditandatangani."


def test_a_claim_a_note_and_a_ready_made_sentence_leave_what_is_typed_as_it_is(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked: SubmittedRequest = site.harness.submitted().wait_for_status("submitted")
    officer = Officer(sessions("nurlaila"))
    page = officer.session.open(f"/verifikasi/{asked.id}")
    pick(officer.letter(), "Belum")
    box = officer.letter().get_by_role("textbox")
    box.press_sequentially("Halaman 2. ::ttd ")
    expect(box).to_have_value(f"Halaman 2. {STAMP} ")
    page.get_by_text("Kalimat siap pakai").click()
    page.get_by_role("button", name="Sisipkan Surat bukan untuk Diskominfo").click()
    expect(box).to_have_value(
        f"Halaman 2. {STAMP} Surat permohonan belum ditujukan kepada Kepala Dinas Komunikasi dan Informatika. "
        "Mohon perbaiki tujuannya."
    )
    box.fill("Ketikan yang belum dikirim.")
    page.get_by_role("searchbox", name="Cari kata").fill("PERMOHONAN integrasi")
    page.keyboard.press("Enter")
    expect(page.get_by_text('"PERMOHONAN integrasi" ada 1 kali di 1 halaman.')).to_be_visible()
    page.get_by_role("button", name="Hal. 1", exact=True).click()
    expect(page.get_by_role("listitem").filter(has_text="Surat permohonan integrasi data.")).to_be_visible()
    page.get_by_role("button", name="Ambil").first.click()
    expect(page.get_by_role("button", name="Lepas").first).to_be_visible()
    page.get_by_text("Pemeriksa dan catatan").click()
    page.get_by_label("Catatan baru").fill("Pemohon sudah ditelepon.")
    page.get_by_role("button", name="Simpan Catatan").click()
    expect(page.get_by_text("Pemohon sudah ditelepon.")).to_have_count(1)
    expect(page.get_by_text("1 catatan")).to_be_visible()
    expect(page.get_by_label("Catatan baru")).to_have_value("")
    expect(box).to_have_value("Ketikan yang belum dikirim.")
    expect(page.locator(".toast")).to_be_hidden()

    head = sessions("hasan")
    other = head.open(f"/penugasan/{asked.id}")
    expect(other.get_by_text("Sedang dibuka juga oleh")).to_be_visible()
    expect(other.get_by_text("Pemohon sudah ditelepon.")).to_be_visible()
    other.get_by_label("Catatan baru").fill("Baik, ditunggu.")
    other.get_by_role("button", name="Simpan Catatan").click()
    expect(other.get_by_text("Baik, ditunggu.")).to_have_count(1)
    expect(page.get_by_text("Sedang dibuka juga oleh")).to_be_visible()
    expect(page.locator("[data-here] b")).to_have_text("Hasan Umpama")


def test_without_a_script_a_request_is_claimed_and_a_sentence_is_copied(site: SiteUnderTest, sessions: BrowserSessions):
    asked: SubmittedRequest = site.harness.submitted().wait_for_status("submitted")
    officer = Officer(sessions("nurlaila", script=False))
    page = officer.session.open(f"/verifikasi/{asked.id}")
    page.get_by_role("button", name="Ambil").first.click()
    expect(page.get_by_role("button", name="Lepas").first).to_be_visible()
    pick(officer.letter(), "Belum")
    page.get_by_role("searchbox", name="Cari kata").fill("kabupaten")
    page.get_by_role("button", name="Cari", exact=True).click()
    expect(page.get_by_text('"kabupaten" tidak ada dalam teks dokumen ini.')).to_be_visible()
    expect(officer.letter().get_by_role("radio", name="Belum")).to_be_checked()
    page.get_by_text("Kalimat siap pakai").click()
    expect(page.get_by_text(STAMP)).to_be_visible()
    expect(page.get_by_role("button", name="Sisipkan")).to_have_count(0)
