"""The officer's request page on a common screen: checklist and document side by side, and both versions of a replaced file."""

from __future__ import annotations

from playwright.sync_api import Page, ViewportSize, expect

from simpul.client_types import Upload
from tests.support.browser.browser_sessions import BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import Officer, pick
from tests.support.e2e.server_session import FILES, LETTER, SubmittedRequest
from tests.support.services.staff_harness import pdf

NOTE = "Halaman terakhir belum ditandatangani."
LETTER_OF_THREE = Upload("surat.pdf", pdf(3), "application/pdf")
PAPERS = [("letter", LETTER_OF_THREE), ("requirements", LETTER)]
VIEWPORT: ViewportSize = {"width": 1366, "height": 768}


def shown_image(page: Page) -> str:
    """Return the address of the image of the last sheet, once it is loaded."""
    sheet = page.locator("img.paper").last
    expect(sheet).to_have_js_property("complete", True)
    assert sheet.evaluate("one => one.naturalWidth") > 0
    return str(sheet.get_attribute("src")).partition("/pages/")[2]


def is_within_window(page: Page, selector: str) -> bool:
    boxes = [each.bounding_box() for each in page.locator(selector).all()]
    return bool(boxes) and all(box and box["y"] >= 0 and box["y"] + box["height"] <= 768 for box in boxes)


def test_checklist_and_document_stand_side_by_side_and_the_signature_is_one_press_away(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = SubmittedRequest.of(site.harness, site.harness.submit(PAPERS)).wait_for_status("submitted")
    officer = Officer(sessions("nurlaila"))
    officer.page.set_viewport_size(VIEWPORT)
    page = officer.session.open(f"/verifikasi/{asked.id}")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert is_within_window(page, ".check")
    assert is_within_window(page, ".deck .btn")
    assert page.locator("img.paper").evaluate("one => one.getBoundingClientRect().left") > 460
    expect(page.get_by_text("Halaman 1 dari 3", exact=True)).to_be_visible()
    expect(page.get_by_text("Nomor Pegawai", exact=True)).to_be_hidden()
    pick(officer.letter(), "Belum")
    officer.letter().get_by_role("textbox").fill(NOTE)
    officer.letter().get_by_role("button", name="hal. 3").click()
    expect(page.get_by_text("Halaman 3 dari 3", exact=True)).to_be_visible()
    assert shown_image(page) == "3"
    for button in ("Putar ke kanan", "Perbesar", "Perbesar", "Perbesar"):
        page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text("200%", exact=True)).to_be_visible()
    assert shown_image(page) == "3?width=2000&rotation=90"
    page.get_by_role("list", name="Halaman dokumen").get_by_role("button", name="Halaman 2").click()
    expect(page.get_by_text("Halaman 2 dari 3", exact=True)).to_be_visible()
    page.keyboard.press("d")
    expect(page.get_by_text("Halaman 1 dari 1", exact=True)).to_be_visible()
    page.get_by_text("Rahmat Contoh").first.click()
    expect(page.get_by_text("Nomor Pegawai", exact=True)).to_be_visible()
    expect(officer.letter().get_by_role("textbox")).to_have_value(NOTE)
    for item in ("Formulir", "Surat dan keterangan", "Dokumen persyaratan"):
        pick(page.get_by_role("radiogroup", name=item), "Sesuai")
    expect(page.get_by_role("button", name="Nyatakan Lengkap")).to_be_disabled()
    officer.press("Kembalikan untuk Dilengkapi")
    officer.expect_success("dikembalikan")
    asked.wait_for_status("returned")

    assert asked.act_as_applicant("resubmission", files=FILES[:1]).status_code == 200
    asked.wait_for_status("submitted")
    again = Officer(sessions("nurlaila"))
    again.page.set_viewport_size(VIEWPORT)
    page = again.session.open(f"/verifikasi/{asked.id}")
    expect(page.locator(".duo img.paper")).to_have_count(2)
    expect(page.get_by_role("heading", name="Lama putaran 1")).to_be_visible()
    assert [item.get_attribute("id") for item in again.items()] == ["ok_letter"]
    expect(page.get_by_text("3 butir lain")).to_be_visible()
    page.get_by_role("button", name="Hanya yang baru").click()
    expect(page.locator("img.paper")).to_have_count(1)
    pick(again.letter(), "Sesuai")
    again.press("Nyatakan Lengkap")
    again.expect_success("dinyatakan lengkap")
    asked.wait_for_status("verified")


def test_without_a_script_the_pages_of_a_document_are_read_and_nothing_typed_is_lost(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = SubmittedRequest.of(site.harness, site.harness.submit(PAPERS)).wait_for_status("submitted")
    officer = Officer(sessions("nurlaila", script=False))
    page = officer.session.open(f"/verifikasi/{asked.id}")
    pick(officer.letter(), "Belum")
    officer.letter().get_by_role("textbox").fill(NOTE)
    for button in ("hal. 3", "Putar ke kanan", "Selebar jendela"):
        page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text("Halaman 3 dari 3", exact=True)).to_be_visible()
    assert shown_image(page) == "3?rotation=90"
    expect(officer.letter().get_by_role("textbox")).to_have_value(NOTE)
    officer.press("Nyatakan Lengkap")
    expect(page.get_by_role("alert").get_by_role("link")).to_have_count(4)
    assert shown_image(page) == "3?rotation=90"
    officer.assess(NOTE)
    officer.press("Kembalikan untuk Dilengkapi")
    officer.expect_success("dikembalikan")
