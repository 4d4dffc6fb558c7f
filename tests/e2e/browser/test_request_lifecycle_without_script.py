"""The lifecycle without JavaScript; the tracking link comes from the mail viewer."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser.browser_sessions import BrowserSessions
from tests.support.browser.email_links import open_tracking_link
from tests.support.browser.user_actions import LETTER, REPORT, TEXTS, Applicant, Head, Lead, Officer, field, payloads


def test_a_request_lives_its_whole_life_without_any_script(sessions: BrowserSessions):
    officer, head, lead = Officer(sessions(script=False)), Head(sessions(script=False)), Lead(sessions(script=False))
    for person, who in ((officer, "nurlaila"), (head, "hasan"), (lead, "dewi")):
        person.sign_in(who)
        person.watch_queue()

    applicant = Applicant(sessions(script=False))
    number = applicant.submit_request()
    reader = Applicant(sessions(script=False))
    open_tracking_link(reader.session, TEXTS["Alamat surel"], number)
    reader.expect_status("Diajukan")

    officer.wait_for(number)
    officer.open_request(number)
    officer.return_request("Belum ditandatangani.")
    officer.expect_success("dikembalikan")
    reader.wait_for("Perlu Dilengkapi")
    reader.open_action("Lengkapi Permohonan")
    field(reader.page, "Surat Permohonan pengganti").set_input_files(payloads(LETTER))
    reader.press("Kirim Ulang")
    expect(reader.page.get_by_role("status").filter(has_text="sudah dikirim ulang")).to_be_visible()
    officer.watch_queue()
    officer.wait_for(number)
    officer.open_request(number)
    officer.verify()
    officer.expect_success("dinyatakan lengkap")

    head.wait_for(number)
    head.open_request(number)
    head.appoint("Dewi Andaian")
    head.expect_success("sudah ditunjuk")

    lead.wait_for(number)
    lead.open_request(number)
    lead.press("Mulai Pekerjaan")
    lead.expect_success("Pekerjaan dimulai")
    lead.pause("Mohon alamat server uji.")
    reader.session.open(f"/lacak/{number}")
    reader.wait_for("Menunggu Pemohon")
    reader.answer("Server uji sudah siap.")
    lead.watch_queue()
    lead.wait_for_row(number, "Sedang Dikerjakan")
    lead.open_request(number)
    lead.deliver("Data tersinkron setiap malam.", REPORT)

    reader.session.open(f"/lacak/{number}")
    reader.wait_for("Menunggu Konfirmasi Serah Terima")
    assert reader.download(REPORT.name) == REPORT.content
    reader.read_document(REPORT.name)
    reader.confirm()
    reader.assess()
    reader.expect_status("Selesai")
