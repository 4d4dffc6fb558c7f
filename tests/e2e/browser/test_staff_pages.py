"""Changes while a staff page is open: another decision, a withdrawal, an expired session."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Head, Lead, Officer, Staff, field, pick, put
from tests.support.e2e.request_steps import STEPS, request_in_status

NOTE = "Halaman 2 belum ditandatangani."


def conflict(page: Page) -> str:
    """The message of a decision that came too late."""
    told = page.get_by_role("alert").filter(has_text="tidak disimpan")
    expect(told).to_be_focused()
    return told.inner_text()


def test_a_withdrawal_is_announced_on_the_open_page_and_the_decision_says_so(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = request_in_status(site.harness, "submitted")
    officer = Officer(sessions("nurlaila"))
    officer.session.open(f"/verifikasi/{asked.id}")
    officer.listen()
    officer.assess(NOTE)
    assert STEPS["withdrawal"](asked).status_code == 200
    expect(officer.expect_announcement("baru saja berubah")).to_contain_text("Dibatalkan Pemohon")
    expect(officer.letter().get_by_role("textbox")).to_have_value(NOTE)
    officer.press("Kembalikan untuk Dilengkapi")
    assert "dibatalkan" in conflict(officer.page).lower()
    expect(officer.page.get_by_text("Dibatalkan Pemohon").first).to_be_visible()


def test_of_two_officers_the_second_learns_what_the_first_decided(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "submitted")
    first, second = Officer(sessions("nurlaila")), Officer(sessions("nurlaila"))
    for officer in (first, second):
        officer.session.open(f"/verifikasi/{asked.id}")
        officer.listen()
        officer.assess(NOTE if officer is second else "")
    first.press("Nyatakan Lengkap")
    first.expect_success("dinyatakan lengkap")
    expect(second.expect_announcement("baru saja berubah")).to_contain_text("Terverifikasi")
    second.press("Kembalikan untuk Dilengkapi")
    told = conflict(second.page)
    assert "Nurlaila Ibarat" in told
    assert "WIT" in told
    expect(second.page.get_by_text(NOTE).first).to_be_attached()
    second.page.get_by_role("alert").get_by_role("link").click()
    expect(second.page.get_by_text("Terverifikasi", exact=True).first).to_be_visible()


def test_a_decided_row_is_marked_where_it_stands(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "submitted")
    officer = Officer(sessions("nurlaila"))
    officer.watch_queue()
    expect(officer.row(asked.number)).to_be_visible()
    assert STEPS["verification"](asked).status_code == 200
    expect(officer.row(asked.number).get_by_text("Terverifikasi", exact=True)).to_be_visible()


Ending = Callable[[Staff, str], None]


def cookie_lost(person: Staff, token: str) -> None:
    person.session.context.clear_cookies()


def session_ended(person: Staff, token: str) -> None:
    person.session.site.end_session(token)


@pytest.mark.parametrize("ending", [cookie_lost, session_ended])
@pytest.mark.parametrize("script", [True, False])
def test_a_session_that_ends_in_mid_form_loses_no_checklist(
    site: SiteUnderTest, sessions: BrowserSessions, ending: Ending, script: bool
):
    asked = request_in_status(site.harness, "submitted")
    officer, token = Officer(sessions(script=script)), site.new_session("nurlaila")
    officer.session.use_session(token)
    officer.session.open(f"/verifikasi/{asked.id}")
    officer.assess(NOTE)
    ending(officer, token)
    officer.press("Kembalikan untuk Dilengkapi")
    comes_back(officer, "nurlaila")
    assert [item.get_by_role("radio", name="Belum").is_checked() for item in officer.items()].count(True) == 1
    expect(officer.letter().get_by_role("textbox")).to_have_value(NOTE)
    assert asked.seen()[1]["status"] == "submitted", "nothing is decided before it was seen again"
    officer.press("Kembalikan untuk Dilengkapi")
    officer.expect_success("dikembalikan")
    asked.wait_for_status("returned")


def comes_back(person: Staff, who: str) -> None:
    expect(person.page.get_by_text("tetap kami simpan").first).to_be_visible()
    person.type_password(who)
    if not person.session.script:
        person.page.get_by_role("button", name="Tampilkan isian saya").click()


@pytest.mark.parametrize("ending", [cookie_lost, session_ended])
def test_a_session_that_ends_in_mid_form_loses_no_note(site: SiteUnderTest, sessions: BrowserSessions, ending: Ending):
    asked = request_in_status(site.harness, "in_progress")
    lead, token = Lead(sessions()), site.new_session("dewi")
    lead.session.use_session(token)
    lead.session.open(f"/pekerjaan/{asked.id}")
    lead.take_step("Catat Perkembangan")
    note = "Sambungan uji ke\nlayanan kependudukan berhasil."
    lead.fill("Catatan perkembangan", note)
    lead.fill("Kemajuan (persen)", "60")
    ending(lead, token)
    lead.press("Catat Perkembangan")
    comes_back(lead, "dewi")
    expect(field(lead.page, "Catatan perkembangan")).to_have_value(note)
    expect(field(lead.page, "Kemajuan (persen)")).to_have_value("60")
    lead.press("Catat Perkembangan")
    lead.expect_success("Perkembangan tersimpan")
    expect(lead.page.get_by_text("layanan kependudukan berhasil.").first).to_be_visible()


def test_the_head_replaces_a_lead_and_rejects_what_was_advised(site: SiteUnderTest, sessions: BrowserSessions):
    led, advised = request_in_status(site.harness, "in_progress"), request_in_status(site.harness, "submitted")
    head, officer = Head(sessions("hasan")), Officer(sessions("nurlaila"))
    head.session.open(f"/penugasan/{led.id}")
    head.replace_lead("Yusuf Misal", "Dewi sedang dinas luar.")
    head.expect_success("sudah diganti")
    led.wait_for_status("in_progress")
    assert "Yusuf Misal" in str(led.seen()[2])

    officer.session.open(f"/verifikasi/{advised.id}")
    officer.page.get_by_role("link", name="Rekomendasikan penolakan").click()
    officer.fill("Alasan", "Di luar lingkup layanan.")
    officer.press("Rekomendasikan Penolakan")
    officer.expect_success("direkomendasikan")
    head.session.open(f"/penugasan/{advised.id}")
    head.session.until(lambda: _reloaded(head.page).get_by_text("Di luar lingkup layanan.").count() > 0)
    head.page.get_by_role("link", name="Tolak permohonan").click()
    expect(field(head.page, "Alasan")).to_have_value("Di luar lingkup layanan.")
    head.press("Tolak")
    head.expect_success("sudah ditolak")
    advised.wait_for_status("rejected")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_the_head_changes_a_target_and_takes_the_offered_working_day(
    site: SiteUnderTest, sessions: BrowserSessions, script: bool
):
    asked = request_in_status(site.harness, "in_progress")
    head = Head(sessions("hasan", script=script))
    head.session.open(f"/penugasan/{asked.id}")
    head.page.get_by_role("link", name="Ubah Target").click()
    for label, text in {"Tanggal": "1", "Bulan": "Desember", "Tahun": "2030"}.items():
        put(field(head.page, label), text)
    head.fill("Alasan", "Perangkat baru tiba akhir tahun.")
    head.press("Ubah Target")
    expect(head.page.get_by_role("alert")).to_contain_text("Minggu, 1 Desember 2030 bukan hari kerja.")
    expect(field(head.page, "Alasan")).to_have_value("Perangkat baru tiba akhir tahun.")
    head.press("Pakai Senin, 2 Desember 2030")
    head.expect_success("sudah diubah")
    head.session.open(f"/penugasan/{asked.id}")
    expect(head.page.get_by_text("Senin, 2 Desember 2030").first).to_be_visible()
    head.page.get_by_role("link", name="Lewat batas").click()
    expect(head.page.get_by_role("heading", level=1)).to_contain_text("Lewat batas: 0 permohonan")
    head.session.open("/akun-saya")
    head.page.get_by_role("link", name="Atur pemberitahuan").click()
    pick(head.page.get_by_role("group", name="Penolakan disarankan"), "Ringkasan")
    head.press("Simpan")
    head.expect_success("Pilihan Anda tersimpan")


def _reloaded(page: Page) -> Page:
    page.reload()
    return page


def test_a_choice_that_is_missing_is_named_and_what_was_chosen_stays(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "verified")
    head = Head(sessions("hasan"))
    head.session.open(f"/penugasan/{asked.id}")
    complexity = head.page.get_by_role("group", name="Kerumitan")
    pick(complexity, "Tinggi")
    head.fill("Catatan untuk penanggung jawab", "Utamakan yang ini.")
    head.press("Tunjuk Penanggung Jawab Teknis")
    expect(head.page.get_by_role("alert")).to_be_focused()
    expect(complexity.get_by_role("radio", name="Tinggi")).to_be_checked()
    expect(field(head.page, "Catatan untuk penanggung jawab")).to_have_value("Utamakan yang ini.")
    head.appoint("Yusuf Misal")
    head.expect_success("sudah ditunjuk")
