"""Pages of an administrator: emails, accounts and the own password."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.email_links import arrived, open_tracking_link
from tests.support.browser.user_actions import Applicant, Officer, Staff, field

PASSWORD = "empat-perahu-menuju-buli"
OTHER = "lima-kerang-di-tepi-subaim"


def test_a_message_is_sent_again(site: SiteUnderTest, sessions: BrowserSessions):
    asked = site.harness.submitted(email="ulang@dishub.example").wait_for_status("submitted")
    admin = Staff(sessions("admin"))
    admin.session.until(lambda: _listed(admin, asked.number))
    before = arrived(site)
    row = admin.page.get_by_role("row").filter(has_text=asked.number).filter(has_not_text="petugas")
    row.get_by_role("button", name="Kirim Ulang").click()
    expect(admin.page.get_by_role("status").filter(has_text="antre")).to_be_visible()
    admin.session.until(lambda: arrived(site) - before != set())
    admin.session.until(lambda: _listed(admin, asked.number))
    open_tracking_link(Applicant(sessions()).session, "ulang@dishub.example", asked.number)


def _listed(admin: Staff, number: str) -> bool:
    admin.session.open("/surel-keluar")
    return admin.page.get_by_role("row").filter(has_text=number).filter(has_text="Terkirim").count() == 2


def test_an_account_is_added_and_signs_in(sessions: BrowserSessions):
    admin = Staff(sessions("admin"))
    admin.session.open("/akun")
    admin.page.get_by_role("link", name="Tambah akun").click()
    admin.fill("Nama", "Sahril Teladan")
    admin.fill("Nama pengguna", "sahril")
    admin.fill("Alamat surel", "sahril@diskominfo.example")
    admin.page.get_by_role("checkbox", name="Petugas Layanan TI").check()
    admin.fill("Kata sandi", PASSWORD)
    admin.press("Tambah akun")
    admin.expect_success("Akun sahril ditambahkan")
    expect(admin.page.get_by_role("row").filter(has_text="Sahril Teladan")).to_contain_text("Aktif")

    officer = Officer(sessions())
    officer.sign_in("sahril", PASSWORD)
    expect(officer.page).to_have_url(re.compile("/verifikasi$"))

    admin.page.get_by_role("row").filter(has_text="Sahril Teladan").get_by_role("link").first.click()
    admin.page.get_by_role("checkbox", name="Akun aktif").uncheck()
    admin.press("Simpan perubahan")
    admin.expect_success("Perubahan akun sahril tersimpan")
    officer.page.reload()
    expect(field(officer.page, "Kata sandi")).to_be_visible()


def test_everybody_changes_the_own_password(sessions: BrowserSessions):
    person, elsewhere = Staff(sessions()), Staff(sessions())
    for each in (person, elsewhere):
        each.sign_in("yusuf")
    person.page.get_by_role("link", name="Yusuf Misal").click()
    person.fill("Kata sandi sekarang", "bukan-yang-benar-ini")
    person.fill("Kata sandi baru", OTHER)
    person.press("Simpan")
    expect(person.page.get_by_role("alert")).to_be_focused()
    person.fill("Kata sandi sekarang", "tujuh-ombak-biru-di-maba")
    person.fill("Kata sandi baru", OTHER)
    person.press("Simpan")
    person.expect_success("Tersimpan")
    elsewhere.page.reload()
    expect(field(elsewhere.page, "Kata sandi")).to_be_visible()
    elsewhere.type_password("yusuf")
    expect(elsewhere.page.get_by_role("alert")).to_be_visible()
    elsewhere.type_password("yusuf", OTHER)
    expect(elsewhere.page.get_by_role("button", name="Keluar")).to_be_visible()
