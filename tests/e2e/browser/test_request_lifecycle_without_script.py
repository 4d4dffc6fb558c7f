"""The same life with JavaScript switched off: pages are loaded again, forms do the rest; the link comes from the mail viewer."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser.browser_sessions import BrowserSessions
from tests.support.browser.email_links import open_tracking_link
from tests.support.browser.user_actions import LETTER, REPORT, TEXTS, Applicant, Head, Lead, Officer, field, payloads


def test_a_request_lives_its_whole_life_without_any_script(visits: BrowserSessions):
    officer, head, lead = Officer(visits(script=False)), Head(visits(script=False)), Lead(visits(script=False))
    for person, who in ((officer, "nurlaila"), (head, "hasan"), (lead, "dewi")):
        person.signs_in(who)
        person.watches()

    applicant = Applicant(visits(script=False))
    number = applicant.submits()
    reader = Applicant(visits(script=False))
    open_tracking_link(reader.visit, TEXTS["Alamat surel"], number)
    reader.sees("Diajukan")

    officer.finds(number)
    officer.opens(number)
    officer.returns("Belum ditandatangani.")
    officer.succeeds("dikembalikan")
    reader.finds("Perlu Dilengkapi")
    reader.goes("Lengkapi Permohonan")
    field(reader.page, "Surat Permohonan pengganti").set_input_files(payloads(LETTER))
    reader.presses("Kirim Ulang")
    expect(reader.page.get_by_role("status").filter(has_text="sudah dikirim ulang")).to_be_visible()
    officer.watches()
    officer.finds(number)
    officer.opens(number)
    officer.verifies()
    officer.succeeds("dinyatakan lengkap")

    head.finds(number)
    head.opens(number)
    head.appoints("Dewi Andaian")
    head.succeeds("sudah ditunjuk")

    lead.finds(number)
    lead.opens(number)
    lead.presses("Mulai Pekerjaan")
    lead.succeeds("Pekerjaan dimulai")
    lead.pauses("Mohon alamat server uji.")
    reader.visit.open(f"/lacak/{number}")
    reader.finds("Menunggu Pemohon")
    reader.answers("Server uji sudah siap.")
    lead.watches()
    lead.row_becomes(number, "Sedang Dikerjakan")
    lead.opens(number)
    lead.delivers("Data tersinkron setiap malam.", REPORT)

    reader.visit.open(f"/lacak/{number}")
    reader.finds("Menunggu Konfirmasi Serah Terima")
    assert reader.downloads(REPORT.name) == REPORT.content
    reader.confirms()
    reader.judges()
    reader.sees("Selesai")
