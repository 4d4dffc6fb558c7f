"""What may happen while a page of the staff is open: somebody else decides, the applicant withdraws, the session ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Head, Lead, Officer, Staff, field, pick
from tests.support.e2e.request_steps import STEPS, request_in_status

NOTE = "Halaman 2 belum ditandatangani."


def conflict(page: Page) -> str:
    """What the page says in the place of a decision that came too late."""
    told = page.get_by_role("alert").filter(has_text="tidak disimpan")
    expect(told).to_be_focused()
    return told.inner_text()


def test_a_withdrawal_is_announced_on_the_open_page_and_the_decision_says_so(
    house: SiteUnderTest, visits: BrowserSessions
):
    asked = request_in_status(house.gate, "submitted")
    officer = Officer(visits("nurlaila"))
    officer.visit.open(f"/verifikasi/{asked.id}")
    officer.listens()
    officer.judges(NOTE)
    assert STEPS["withdrawal"](asked).status_code == 200
    expect(officer.is_told("baru saja berubah")).to_contain_text("Dibatalkan Pemohon")
    expect(officer.letter().get_by_role("textbox")).to_have_value(NOTE)
    officer.presses("Kembalikan untuk Dilengkapi")
    assert "dibatalkan" in conflict(officer.page).lower()
    expect(officer.page.get_by_text("Dibatalkan Pemohon").first).to_be_visible()


def test_of_two_officers_the_second_learns_what_the_first_decided(house: SiteUnderTest, visits: BrowserSessions):
    asked = request_in_status(house.gate, "submitted")
    first, second = Officer(visits("nurlaila")), Officer(visits("nurlaila"))
    for officer in (first, second):
        officer.visit.open(f"/verifikasi/{asked.id}")
        officer.listens()
        officer.judges(NOTE if officer is second else "")
    first.presses("Nyatakan Lengkap")
    first.succeeds("dinyatakan lengkap")
    expect(second.is_told("baru saja berubah")).to_contain_text("Terverifikasi")
    second.presses("Kembalikan untuk Dilengkapi")
    told = conflict(second.page)
    assert "Nurlaila Ibarat" in told
    assert "WIT" in told
    expect(second.page.get_by_text(NOTE).first).to_be_attached()
    second.page.get_by_role("alert").get_by_role("link").click()
    expect(second.page.get_by_text("Terverifikasi", exact=True).first).to_be_visible()


def test_a_decided_row_is_marked_where_it_stands(house: SiteUnderTest, visits: BrowserSessions):
    asked = request_in_status(house.gate, "submitted")
    officer = Officer(visits("nurlaila"))
    officer.watches()
    expect(officer.row(asked.number)).to_be_visible()
    assert STEPS["verification"](asked).status_code == 200
    expect(officer.row(asked.number).get_by_text("Terverifikasi", exact=True)).to_be_visible()


Ending = Callable[[Staff, str], None]


def cookie_lost(person: Staff, token: str) -> None:
    person.visit.context.clear_cookies()


def session_ended(person: Staff, token: str) -> None:
    person.visit.house.end_session(token)


@pytest.mark.parametrize("ending", [cookie_lost, session_ended])
@pytest.mark.parametrize("script", [True, False])
def test_a_session_that_ends_in_mid_form_loses_no_checklist(
    house: SiteUnderTest, visits: BrowserSessions, ending: Ending, script: bool
):
    asked = request_in_status(house.gate, "submitted")
    officer, token = Officer(visits(script=script)), house.new_session("nurlaila")
    officer.visit.be(token)
    officer.visit.open(f"/verifikasi/{asked.id}")
    officer.judges(NOTE)
    ending(officer, token)
    officer.presses("Kembalikan untuk Dilengkapi")
    comes_back(officer, "nurlaila")
    assert [item.get_by_role("radio", name="Belum").is_checked() for item in officer.items()].count(True) == 1
    expect(officer.letter().get_by_role("textbox")).to_have_value(NOTE)
    assert asked.seen()[1]["status"] == "submitted", "nothing is decided before it was seen again"
    officer.presses("Kembalikan untuk Dilengkapi")
    officer.succeeds("dikembalikan")
    asked.wait_for_status("returned")


def comes_back(person: Staff, who: str) -> None:
    expect(person.page.get_by_text("tetap kami simpan").first).to_be_visible()
    person.types_password(who)
    if not person.visit.script:
        person.page.get_by_role("button", name="Tampilkan isian saya").click()


@pytest.mark.parametrize("ending", [cookie_lost, session_ended])
def test_a_session_that_ends_in_mid_form_loses_no_note(house: SiteUnderTest, visits: BrowserSessions, ending: Ending):
    asked = request_in_status(house.gate, "in_progress")
    lead, token = Lead(visits()), house.new_session("dewi")
    lead.visit.be(token)
    lead.visit.open(f"/pekerjaan/{asked.id}")
    lead.steps("Catat Perkembangan")
    note = "Sambungan uji ke\nlayanan kependudukan berhasil."
    lead.fills("Catatan perkembangan", note)
    lead.fills("Kemajuan (persen)", "60")
    ending(lead, token)
    lead.presses("Catat Perkembangan")
    comes_back(lead, "dewi")
    expect(field(lead.page, "Catatan perkembangan")).to_have_value(note)
    expect(field(lead.page, "Kemajuan (persen)")).to_have_value("60")
    lead.presses("Catat Perkembangan")
    lead.succeeds("Perkembangan tersimpan")
    expect(lead.page.get_by_text("layanan kependudukan berhasil.").first).to_be_visible()


def test_the_head_replaces_a_lead_and_rejects_what_was_advised(house: SiteUnderTest, visits: BrowserSessions):
    led, advised = request_in_status(house.gate, "in_progress"), request_in_status(house.gate, "submitted")
    head, officer = Head(visits("hasan")), Officer(visits("nurlaila"))
    head.visit.open(f"/penugasan/{led.id}")
    head.replaces("Yusuf Misal", "Dewi sedang dinas luar.")
    head.succeeds("sudah diganti")
    led.wait_for_status("in_progress")
    assert "Yusuf Misal" in str(led.seen()[2])

    officer.visit.open(f"/verifikasi/{advised.id}")
    officer.page.get_by_role("link", name="Rekomendasikan penolakan").click()
    officer.fills("Alasan", "Di luar lingkup layanan.")
    officer.presses("Rekomendasikan Penolakan")
    officer.succeeds("direkomendasikan")
    head.visit.open(f"/penugasan/{advised.id}")
    head.visit.until(lambda: _reloaded(head.page).get_by_text("Di luar lingkup layanan.").count() > 0)
    head.page.get_by_role("link", name="Tolak permohonan").click()
    expect(field(head.page, "Alasan")).to_have_value("Di luar lingkup layanan.")
    head.presses("Tolak")
    head.succeeds("sudah ditolak")
    advised.wait_for_status("rejected")


def _reloaded(page: Page) -> Page:
    page.reload()
    return page


def test_a_choice_that_is_missing_is_named_and_what_was_chosen_stays(house: SiteUnderTest, visits: BrowserSessions):
    asked = request_in_status(house.gate, "verified")
    head = Head(visits("hasan"))
    head.visit.open(f"/penugasan/{asked.id}")
    complexity = head.page.get_by_role("group", name="Kerumitan")
    pick(complexity, "Tinggi")
    head.fills("Catatan untuk penanggung jawab", "Utamakan yang ini.")
    head.presses("Tunjuk Penanggung Jawab Teknis")
    expect(head.page.get_by_role("alert")).to_be_focused()
    expect(complexity.get_by_role("radio", name="Tinggi")).to_be_checked()
    expect(field(head.page, "Catatan untuk penanggung jawab")).to_have_value("Utamakan yang ini.")
    head.appoints("Yusuf Misal")
    head.succeeds("sudah ditunjuk")
