"""What was typed survives a closed page, a lost connection and an ended session, until it is sent or the person signs out."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Lead, Officer, field, pick
from tests.support.e2e.request_steps import request_in_status

NOTE = "Halaman 2 belum ditandatangani."
PROGRESS = "Sambungan uji ke layanan kependudukan berhasil."
OFFER = "Ada isian yang belum terkirim"


def drafts(page: Page) -> list[str]:
    """Return the names of the stored drafts."""
    return list(page.evaluate("Object.keys(localStorage).filter(name => name.startsWith('simpul draft'))"))


def wait_for_draft(officer: Officer | Lead) -> None:
    officer.session.until(lambda: drafts(officer.page) != [])


def test_a_checklist_is_offered_again_after_the_page_was_left_and_forgotten_once_sent(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = request_in_status(site.harness, "submitted")
    officer = Officer(sessions("nurlaila"))
    page = officer.session.open(f"/verifikasi/{asked.id}")
    expect(page.get_by_text(OFFER)).to_have_count(0)
    officer.assess(NOTE)
    page.close()

    officer.session.page = page = officer.session.context.new_page()
    officer.session.open(f"/verifikasi/{asked.id}")
    expect(page.get_by_text(OFFER)).to_be_visible()
    expect(page.get_by_role("radio", checked=True)).to_have_count(0)
    page.get_by_role("button", name="Pakai isian itu").click()
    expect(page.get_by_text(OFFER)).to_have_count(0)
    expect(page.get_by_role("radio", checked=True)).to_have_count(4)
    expect(officer.letter().get_by_role("textbox")).to_have_value(NOTE)
    officer.press("Kembalikan untuk Dilengkapi")
    officer.expect_success("dikembalikan")
    assert drafts(page) == []
    asked.wait_for_status("returned")


def test_a_draft_survives_a_lost_connection_and_a_refusal_and_can_be_dropped(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = request_in_status(site.harness, "in_progress")
    lead = Lead(sessions("dewi"))
    page = lead.session.open(f"/pekerjaan/{asked.id}/perkembangan")
    lead.fill("Kemajuan (persen)", "60")
    lead.press("Catat Perkembangan")
    expect(page.get_by_role("alert")).to_be_focused()
    assert len(drafts(page)) == 1
    expect(page.get_by_text(OFFER)).to_have_count(0)
    lead.fill("Catatan perkembangan", PROGRESS)
    lead.session.until(lambda: PROGRESS in page.evaluate("JSON.stringify(Object.values(localStorage))"))
    page.close()

    lead.session.page = page = lead.session.context.new_page()
    lead.session.open(f"/pekerjaan/{asked.id}/perkembangan")
    page.get_by_role("button", name="Pakai isian itu").click()
    expect(field(page, "Catatan perkembangan")).to_have_value(PROGRESS)
    expect(field(page, "Kemajuan (persen)")).to_have_value("60")
    page.reload()
    page.get_by_role("button", name="Buang").click()
    assert drafts(page) == []


def test_signing_out_deletes_drafts_and_another_person_is_offered_none(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "submitted")
    officer = Officer(sessions())
    officer.session.use_session(site.new_session("nurlaila"))
    page = officer.session.open(f"/verifikasi/{asked.id}")
    pick(officer.letter(), "Belum")
    officer.letter().get_by_role("textbox").fill(NOTE)
    wait_for_draft(officer)
    officer.session.open("/verifikasi")
    page.get_by_role("button", name="Keluar").click()
    expect(page.get_by_role("status")).to_have_text("Anda sudah keluar.")
    assert drafts(page) == []
    assert NOTE not in page.evaluate("JSON.stringify(Object.values(localStorage))")


def test_no_password_and_no_file_is_kept(sessions: BrowserSessions):
    session = sessions()
    page = session.open("/masuk")
    field(page, "Nama pengguna").fill("nurlaila")
    field(page, "Kata sandi").fill("tujuh-ombak-biru-di-maba")
    session.open("/")
    field(page, "Jabatan").fill("Pranata Komputer")
    session.until(lambda: drafts(page) != [])
    kept = page.evaluate("JSON.stringify(Object.values(localStorage))")
    assert "Pranata Komputer" in kept
    assert "nurlaila" not in kept
    assert "ombak" not in kept
    assert "letter" not in [name for name, _ in page.evaluate("JSON.parse(Object.values(localStorage)[0]).fields")]
    page.reload()
    page.get_by_role("button", name="Pakai isian itu").click()
    expect(field(page, "Jabatan")).to_have_value("Pranata Komputer")
