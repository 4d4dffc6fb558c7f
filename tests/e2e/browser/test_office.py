"""What an office arranges for itself: substitutes, saved views, filters, files of lists, and who takes over open work."""

from __future__ import annotations

import io
import re

import openpyxl
import pytest
from playwright.sync_api import Locator, Page, expect

from shared.web.views.formats import MONTHS
from shared.work_units import WORK_UNITS
from tests.support.browser.browser_sessions import BrowserSession, BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Head, Lead, Officer, Staff, field, put
from tests.support.e2e.request_steps import STEPS, request_in_status
from tests.support.e2e.server_session import TODAY

both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])

UNITS = iter(unit.name for unit in WORK_UNITS if unit.active and "(" not in unit.name)
"""Each run of a test takes another one, so that its list is its own."""


def put_today(group: Locator, year: int = TODAY.year) -> None:
    parts = {"Tanggal": str(TODAY.day), "Bulan": MONTHS[TODAY.month - 1], "Tahun": str(year)}
    for label, text in parts.items():
        put(group.get_by_label(label), text)


@both
def test_a_substitute_acts_for_the_head_until_it_ends(site: SiteUnderTest, sessions: BrowserSessions, script: bool):
    asked = request_in_status(site.harness, "verified")
    head, substitute = Head(sessions("hasan", script=script)), Head(sessions("nurlaila", script=script))
    substitute.session.open("/penugasan")
    forbidden = substitute.page.get_by_role("heading", name="Tidak berwenang")
    expect(forbidden).to_be_visible()
    page = head.session.open("/penugasan")
    page.get_by_role("navigation").get_by_role("link", name="Pengganti").click()
    head.press("Tetapkan Pengganti")
    expect(page.get_by_role("alert").first.get_by_role("listitem")).to_have_count(4)
    field(page, "Yang digantikan").select_option(label="Hasan Umpama (Penanggung Jawab Struktural)")
    field(page, "Pengganti").select_option(label="Nurlaila Ibarat (Petugas Layanan TI)")
    page.get_by_role("radio", name=re.compile("^Plt")).check()
    put_today(page.get_by_role("group", name="Hari pertama"))
    put_today(page.get_by_role("group", name="Hari terakhir"), TODAY.year - 1)
    head.press("Tetapkan Pengganti")
    expect(page.get_by_role("alert").first).to_contain_text("Hari terakhir tidak boleh sebelum hari pertama.")
    put_today(page.get_by_role("group", name="Hari terakhir"))
    head.press("Tetapkan Pengganti")
    head.expect_success("Nurlaila Ibarat ditetapkan sebagai pengganti.")
    expect(page.get_by_role("row").filter(has_text="Plt. Hasan Umpama")).to_contain_text("Sedang bertugas")

    substitute.session.open("/penugasan")
    substitute.open_request(asked.number)
    substitute.appoint("Dewi Andaian")
    substitute.expect_success("sudah ditunjuk")
    asked.wait_for_status("assigned")
    assert "Nurlaila Ibarat (Plt. Hasan Umpama)" in str(asked.seen()[2]["timeline"])

    page.get_by_role("button", name="Akhiri tugas Nurlaila Ibarat").click()
    head.expect_success("Tugas pengganti berakhir.")
    substitute.page.reload()
    expect(forbidden).to_be_visible()


def filter_by(page: Page, label: str, choice: str) -> None:
    page.locator("summary").filter(has_text="Saring").click()
    field(page, label).select_option(label=choice)
    page.get_by_role("button", name="Saring").click()


@both
def test_a_filtered_list_is_saved_opened_downloaded_and_gone_through(
    site: SiteUnderTest, sessions: BrowserSessions, script: bool
):
    unit = next(UNITS)
    forget_views(site)
    asked = [site.harness.submitted(unit=unit).wait_for_status("submitted") for _ in range(2)]
    other = site.harness.submitted(unit="Inspektorat").wait_for_status("submitted")
    officer = Officer(sessions("nurlaila", script=script))
    page = officer.session.open("/verifikasi")
    filter_by(page, "Dinas", unit)
    expect(officer.row(asked[0].number)).to_be_visible()
    expect(officer.row(other.number)).to_have_count(0)
    page.get_by_role("link", name="Simpan tampilan").click()
    officer.press("Simpan Tampilan")
    expect(page.get_by_role("alert").first).to_contain_text("Nama tampilan wajib diisi.")
    officer.fill("Nama tampilan", f"Dari {unit}")
    officer.press("Simpan Tampilan")
    views = page.get_by_role("navigation", name="Tampilan")
    expect(views.get_by_role("link", name=f"Dari {unit}")).to_have_attribute("aria-current", "true")
    officer.session.open("/verifikasi")
    views.get_by_role("link", name=f"Dari {unit}").click()
    expect(page.get_by_text("1-2 dari 2")).to_be_visible()

    with page.expect_download() as coming:
        page.get_by_role("link", name="XLSX").click()
    [sheet] = openpyxl.load_workbook(io.BytesIO(coming.value.path().read_bytes())).worksheets
    assert [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] == [one.number for one in asked]

    goes_through_the_list(officer, [one.number for one in asked])
    page.get_by_role("link", name="Antrean").click()
    assert "status=returned" in page.url
    assert "unit=" in page.url
    page.get_by_role("link", name="Kelola tampilan").click()
    saved = page.get_by_role("form", name=f"Dari {unit}")
    saved.get_by_label("Nama tampilan").fill(f"Kabar {unit}")
    saved.get_by_role("button", name="Simpan").click()
    officer.expect_success("Perubahan tampilan tersimpan.")
    page.get_by_role("button", name=f"Hapus Kabar {unit}").click()
    expect(page.get_by_text("Belum ada tampilan")).to_be_visible()


def forget_views(site: SiteUnderTest) -> None:
    """Delete the views that an earlier run of this test has left."""
    token = site.session("nurlaila")
    for view in site.harness.call(token, "GET", "/api/views").json()["items"]:
        assert site.harness.call(token, "DELETE", f"/api/views/{view['id']}").status_code == 200


def goes_through_the_list(officer: Officer, numbers: list[str]) -> None:
    """Go to the next request and back, after a claim, another page of the viewer, a refusal and a decision."""
    page, (first, second) = officer.page, numbers
    officer.open_request(first)
    expect(page.get_by_text("1 dari 2")).to_be_visible()
    page.get_by_role("button", name="Ambil").first.click()
    expect(page.get_by_role("button", name="Lepas").first).to_be_visible()
    page.get_by_role("button", name="Putar ke kanan").click()
    expect(page.get_by_text("1 dari 2")).to_be_visible()
    page.get_by_role("link", name="Berikutnya").click()
    expect(page).to_have_title(re.compile(second))
    page.get_by_role("link", name="Sebelumnya").click()
    expect(page).to_have_title(re.compile(first))
    officer.return_request("Belum ditandatangani.")
    officer.expect_success("dikembalikan")
    expect(officer.row(second)).to_be_visible()
    page.get_by_role("navigation", name="Status").get_by_role("link", name="Dikembalikan").click()
    officer.open_request(first)
    expect(page.get_by_role("heading", name="Hasil pemeriksaan")).to_be_visible()
    page.get_by_role("navigation", name="Pilih dokumen").get_by_role("link", name="Kamus data").click()
    expect(page.get_by_text("Dokumen DOCX tidak ditampilkan di sini.")).to_be_visible()


@both
def test_lists_of_the_head_are_filtered_by_stage_and_delay(
    site: SiteUnderTest, sessions: BrowserSessions, script: bool
):
    working, waiting = request_in_status(site.harness, "in_progress"), request_in_status(site.harness, "verified")
    head = Head(sessions("hasan", script=script))
    page = head.session.open("/penugasan?tab=open")
    expect(head.row(waiting.number)).to_be_visible()
    filter_by(page, "Tahap", "Pengerjaan")
    expect(head.row(working.number)).to_be_visible()
    expect(head.row(waiting.number)).to_have_count(0)
    assert "stage=work" in page.url
    page.get_by_role("navigation", name="Tampilan").get_by_role("link", name="Lewat batas").click()
    expect(page.get_by_text("Tidak ada yang cocok")).to_be_visible()
    page.get_by_role("link", name="Lepas penyaring").click()
    expect(head.row(working.number)).to_be_visible()
    page.get_by_role("columnheader", name="Nomor").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Nomor")).to_have_attribute("aria-sort", "ascending")


@both
def test_open_work_of_a_lead_who_leaves_goes_to_a_successor(
    site: SiteUnderTest, sessions: BrowserSessions, script: bool
):
    username = "ronal" if script else "sahril"
    made = {"username": username, "name": f"{username.title()} Misal", "roles": ["technical"]}
    made |= {"email": f"{username}@diskominfo.example", "password": "empat-perahu-menuju-buli"}
    assert site.harness.call(site.session("admin"), "POST", "/api/staff", json=made).status_code == 201
    asked = request_in_status(site.harness, "verified")
    body = {"lead": username, "complexity": "low", "target_date": TODAY.replace(year=TODAY.year + 1).isoformat()}
    assert asked.step("hasan", "assignment", body).status_code == 200
    asked.wait_for_status("assigned")

    admin = Staff(sessions("admin", script=script))
    page = admin.session.open("/akun")
    page.get_by_role("row").filter(has_text=f"{username.title()} Misal").get_by_role("link").first.click()
    page.get_by_role("checkbox", name="Akun aktif").uncheck()
    admin.press("Simpan perubahan")
    expect(page.get_by_role("alert").first).to_contain_text("masih mempunyai 1 pekerjaan terbuka")
    expect(page.get_by_role("main")).to_contain_text(asked.number)
    admin.press("Simpan perubahan")
    expect(page.get_by_role("alert").first).to_contain_text("masih mempunyai 1 pekerjaan terbuka")
    field(page, "Diteruskan oleh").select_option("yusuf")
    admin.press("Simpan perubahan")
    admin.expect_success(f"Perubahan akun {username} tersimpan")
    successor = Lead(sessions("yusuf", script=script))
    successor.session.open("/pekerjaan")
    successor.session.until(lambda: reloaded(successor.session).get_by_role("row", name=asked.number).count() > 0)
    successor.open_request(asked.number)
    successor.press("Mulai Pekerjaan")
    successor.expect_success("Pekerjaan dimulai")


def reloaded(session: BrowserSession) -> Page:
    session.page.reload()
    return session.page


def pick_requests(staff: Staff, numbers: list[str], action: str) -> None:
    """Tick these requests in the open list and press a button for all of them."""
    for number in numbers:
        staff.row(number).get_by_role("checkbox").check()
    staff.page.get_by_role("group", name="Untuk yang dipilih").get_by_role("button", name=action).click()


@both
def test_several_requests_are_claimed_appointed_and_given_to_another_lead(
    site: SiteUnderTest, sessions: BrowserSessions, script: bool
):
    asked = [site.harness.submitted().wait_for_status("submitted") for _ in range(2)]
    numbers = [one.number for one in asked]
    officer, head = Officer(sessions("nurlaila", script=script)), Head(sessions("hasan", script=script))
    officer.session.open("/verifikasi?sort=-number")
    pick_requests(officer, numbers, "Ambil")
    officer.expect_success("2 dari 2 berhasil.")
    officer.page.get_by_role("link", name="Kembali ke daftar").click()
    for one in asked:
        assert STEPS["verification"](one).status_code == 200
        one.wait_for_status("verified")

    page = head.session.open("/penugasan?sort=-number")
    pick_requests(head, numbers, "Tunjuk penanggung jawab")
    head.press("Tunjuk penanggung jawab")
    expect(page.get_by_role("alert").first).to_contain_text("Penanggung")
    head.choose_lead("Dewi Andaian")
    page.get_by_role("group", name="Kerumitan").get_by_text("Sedang").click()
    head.press("Tunjuk penanggung jawab")
    head.expect_success("2 dari 2 berhasil.")
    for one in asked:
        one.wait_for_status("assigned")

    head.session.open("/penugasan?tab=running&sort=-number")
    pick_requests(head, numbers, "Ganti penanggung jawab")
    head.choose_lead("Yusuf Misal")
    head.fill("Alasan", "Dewi Andaian bertugas di luar daerah.")
    head.press("Ganti penanggung jawab")
    head.expect_success("2 dari 2 berhasil.")
    for one in asked:
        shown = site.harness.call(site.session("hasan"), "GET", f"/api/assignment/requests/{one.id}").json()
        assert shown["lead"] == "yusuf"
