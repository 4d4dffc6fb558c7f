"""What administrators set: days off, targets and checklists, and what follows for requests."""

from __future__ import annotations

import re
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from shared.calendar import official_calendar
from shared.web.views.formats import MONTHS, format_short_date, format_weekday_date
from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Staff, put
from tests.support.e2e.server_session import TODAY

both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
CALENDAR = official_calendar()
DUE, NEXT = CALENDAR.add_working_days(TODAY, 1), CALENDAR.add_working_days(TODAY, 2)


def put_day(page: Page, day: date) -> None:
    for label, text in {"Tanggal": str(day.day), "Bulan": MONTHS[day.month - 1], "Tahun": str(day.year)}.items():
        put(page.get_by_role("group", name="Tanggal").get_by_label(label), text)


@both
def test_an_administrator_adds_a_day_off_changes_a_target_and_takes_both_back(
    site: SiteUnderTest, sessions: BrowserSessions, script: bool
):
    asked = site.harness.submitted().wait_for_status("submitted")
    admin, officer = Staff(sessions("admin", script=script)), sessions("nurlaila", script=script)
    page = admin.session.open("/pengaturan")
    page.get_by_role("link", name="Ubah Hari libur").click()
    admin.press("Tambah")
    expect(page.get_by_role("alert").first.get_by_role("listitem")).to_have_count(2)
    put_day(page, DUE)
    page.get_by_label("Nama").fill("Pemilihan kepala desa")
    page.get_by_label("Dasar").select_option(label="Keputusan Bupati")
    admin.press("Tambah")
    expect(page.get_by_role("heading", name=f"{format_weekday_date(DUE)} menjadi hari libur")).to_be_visible()
    moved = page.get_by_role("row").filter(has_text=asked.number)
    expect(moved).to_contain_text(format_short_date(DUE))
    expect(moved).to_contain_text(format_short_date(NEXT))
    admin.press("Simpan")
    admin.expect_success(f"{format_weekday_date(DUE)} kini hari libur: Pemilihan kepala desa.")
    listed = page.get_by_role("row").filter(has_text="Pemilihan kepala desa")
    expect(listed).to_contain_text("Keputusan Bupati, dicatat Ahli Sistem")
    shown = officer.open(f"/verifikasi/{asked.id}")
    expect(shown.get_by_text(f"Batas {format_short_date(NEXT)}")).to_be_visible()

    page.get_by_role("link", name="Pengaturan").last.click()
    page.get_by_role("link", name="Ubah Target tiap tahap").click()
    page.get_by_label("Verifikasi").fill("0")
    admin.press("Simpan target")
    expect(page.get_by_role("alert").first).to_contain_text("Verifikasi")
    page.get_by_label("Verifikasi").fill("2")
    admin.press("Simpan target")
    expect(page.get_by_role("row").filter(has_text=asked.number)).to_be_visible()
    admin.press("Simpan")
    admin.expect_success("Target tersimpan.")
    expect(page.get_by_label("Verifikasi")).to_have_value("2")

    page.get_by_label("Verifikasi").fill("1")
    admin.press("Simpan target")
    admin.press("Simpan")
    admin.expect_success("Target tersimpan.")
    admin.session.open("/pengaturan/libur")
    listed.get_by_role("button", name="Jadikan hari kerja").click()
    admin.press("Simpan")
    admin.expect_success(f"{format_weekday_date(DUE)} kini hari kerja.")
    expect(listed).to_have_count(0)


@both
def test_an_administrator_adds_an_item_that_officers_answer_for_later_requests(
    site: SiteUnderTest, sessions: BrowserSessions, script: bool
):
    early = site.harness.submitted(scope="data").wait_for_status("submitted")
    admin, officer = Staff(sessions("admin", script=script)), sessions("nurlaila", script=script)
    page, item = admin.session.open("/pengaturan"), f"Kamus data dapat dibuka ({'skrip' if script else 'tanpa skrip'})"
    page.get_by_role("link", name="Ubah Daftar periksa Integrasi Data").click()
    before = page.get_by_label(re.compile("^Butir")).count()
    page.get_by_role("button", name="Tambah butir").click()
    page.get_by_label(f"Butir {before + 1}").fill(item)
    page.get_by_label("Bila belum, pemohon membaca").last.select_option(label="Dokumen persyaratan perlu dilengkapi")
    page.get_by_role("button", name=f"Naikkan butir {before + 1}").click()
    expect(page.get_by_label(f"Butir {before}")).to_have_value(item)
    admin.press("Simpan daftar periksa")
    admin.expect_success("Daftar periksa tersimpan.")

    late = site.harness.submitted(scope="data").wait_for_status("submitted")
    shown = officer.open(f"/verifikasi/{late.id}")
    expect(shown.get_by_role("radiogroup")).to_have_count(before + 1)
    expect(shown.get_by_role("radiogroup", name=item)).to_be_visible()
    officer.open(f"/verifikasi/{early.id}")
    expect(shown.get_by_role("radiogroup")).to_have_count(before)

    page.get_by_role("button", name=f"Hapus butir {before}").click()
    admin.press("Simpan daftar periksa")
    admin.expect_success("Daftar periksa tersimpan.")
    expect(page.get_by_label(f"Butir {before + 1}")).to_have_count(0)
