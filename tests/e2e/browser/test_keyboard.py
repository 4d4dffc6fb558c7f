"""A submission and a verification by keyboard alone: Tab, Space, arrows and Enter."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import FileChooser, Locator, Page, expect

from simpul.client_types import Upload
from tests.support.browser.browser_sessions import BrowserSession, BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import (
    CHECK,
    DICTIONARY,
    LETTER,
    NUMBER,
    SUBMIT,
    TEXTS,
    UNIT,
    Officer,
    field,
    payloads,
    stored,
)
from tests.support.e2e.request_steps import request_in_status
from tests.support.e2e.server_session import ALL_OK, SubmittedRequest

MOST_STOPS = 80


def tabs_to(page: Page, wanted: Locator) -> None:
    """Press Tab until this control has the focus."""
    for _ in range(MOST_STOPS):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not come to {wanted}")


def chooses_file(session: BrowserSession, asked: list[FileChooser], label: str, file: Upload) -> None:
    """Open the file dialog with Enter and choose a file."""
    tabs_to(session.page, field(session.page, label))
    session.page.keyboard.press("Enter")
    session.until(lambda: asked != [])
    asked.pop().set_files(payloads(file))
    expect(stored(session.page, label).filter(has_text=file.name)).to_contain_text("tersimpan")


def test_a_request_is_submitted_by_keyboard(sessions: BrowserSessions):
    session = sessions()
    page = session.open("/")
    asked: list[FileChooser] = []
    page.on("filechooser", lambda chooser: asked.append(chooser))  # noqa: PLW0108 (Playwright marks its handlers)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Langsung ke isi halaman")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    fillings = {
        **TEXTS,
        "Dinas": UNIT,
    }
    files = {"Surat Permohonan": LETTER, "Dokumen Persyaratan": DICTIONARY}
    for label in in_order(page, [*fillings, *files, "Integrasi Data"]):
        if label in files:
            chooses_file(session, asked, label, files[label])
        elif label == "Integrasi Data":
            group = page.get_by_role("group", name="Lingkup layanan")
            tabs_to(page, group.get_by_role("radio").first)
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
            expect(page.get_by_role("radio", name="Integrasi Data")).to_be_checked()
        else:
            tabs_to(page, field(page, label))
            page.keyboard.type(fillings[label])
    tabs_to(page, page.get_by_role("button", name=CHECK))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Periksa isian Anda")
    tabs_to(page, page.get_by_role("button", name=SUBMIT))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Permohonan Anda sudah kami terima")


def in_order(page: Page, labels: list[str]) -> list[str]:
    """Return the labels in the order of their controls on the page."""
    tops = {}
    for label in labels:
        control = page.get_by_role("radio", name=label) if label == "Integrasi Data" else field(page, label)
        tops[label] = control.evaluate("one => [...document.querySelectorAll('input, select, textarea')].indexOf(one)")
    return sorted(labels, key=lambda label: int(tops[label]))


def test_a_request_is_verified_by_keyboard(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "submitted")
    officer = Officer(sessions())
    page = officer.session.open("/masuk")
    tabs_to(page, field(page, "Nama pengguna"))
    page.keyboard.type("nurlaila")
    page.keyboard.press("Tab")
    page.keyboard.type("tujuh-ombak-biru-di-maba")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Antrean verifikasi")
    tabs_to(page, officer.row(asked.number).get_by_role("link", name=asked.number))
    page.keyboard.press("Enter")
    expect(page).to_have_title(NUMBER)
    for item in officer.items():
        tabs_to(page, item.get_by_role("radio", name="Sesuai"))
        page.keyboard.press("Space")
        expect(item.get_by_role("radio", name="Sesuai")).to_be_checked()
    tabs_to(page, page.get_by_role("button", name="Nyatakan Lengkap"))
    page.keyboard.press("Enter")
    officer.expect_success("dinyatakan lengkap")
    asked.wait_for_status("verified")


@dataclass
class CountedKeys:
    """Presses keys, and counts the strokes; a key held with Shift is one."""

    page: Page
    count: int = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.count += 1


def decide_what_waits(site: SiteUnderTest) -> None:
    """Verify the requests of other tests, so that the queue begins with that of this one."""
    token, waiting = site.session("nurlaila"), {"status": "submitted"}
    for item in site.harness.call(token, "GET", "/api/verification/requests", params=waiting).json()["items"]:
        decision = {"checklist": ALL_OK, "acknowledged_warnings": item["warnings"]}
        answer = site.harness.call(
            token, "POST", f"/api/verification/requests/{item['id']}/verification", json=decision
        )
        assert answer.status_code == 200, answer.text


def test_an_officer_decides_in_under_ten_keystrokes(site: SiteUnderTest, sessions: BrowserSessions):
    decide_what_waits(site)
    asked = SubmittedRequest.of(site.harness, site.harness.submit(employee_number="19850230 201001 1 001"))
    asked.wait_for_status("submitted")
    officer = Officer(sessions("nurlaila"))
    page, keys = officer.session.open("/verifikasi"), CountedKeys(officer.page)
    expect(officer.row(asked.number)).to_be_visible()
    keys.press("j")
    expect(page.locator(".list .go").first).to_be_focused()
    keys.press("Enter")
    verify, send_back = (page.get_by_role("button", name=name) for name in ("Nyatakan Lengkap", "Kembalikan"))
    expect(verify).to_be_disabled()
    expect(send_back).to_be_disabled()
    keys.press("1", "2", "3", "4")
    expect(page.get_by_role("radio", name="Sesuai", checked=True)).to_have_count(4)
    expect(page.get_by_role("status").filter(has_text="Centang peringatan")).to_be_visible()
    expect(verify).to_be_disabled()
    keys.press("w")
    expect(verify).to_be_enabled()
    keys.press("v")
    officer.expect_success("dinyatakan lengkap")
    asked.wait_for_status("verified")
    assert keys.count == 8


def test_shortcuts_are_explained_switched_off_and_never_steal_what_is_typed(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = request_in_status(site.harness, "submitted")
    officer = Officer(sessions("nurlaila"))
    page = officer.session.open(f"/verifikasi/{asked.id}")
    page.keyboard.press("Shift+Digit2")
    note = officer.letter().get_by_role("textbox")
    expect(note).to_be_focused()
    page.keyboard.type("v1x?u belum")
    expect(note).to_have_value("v1x?u belum")
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    help_overlay = page.get_by_role("dialog", name="Pintasan papan tik")
    expect(help_overlay).to_be_visible()
    page.keyboard.press("1")
    help_overlay.get_by_role("checkbox", name="Pintasan aktif").press("Space")
    page.keyboard.press("Escape")
    expect(help_overlay).to_be_hidden()
    page.keyboard.press("1")
    page.reload()
    page.keyboard.press("3")
    expect(page.get_by_role("radio", checked=True)).to_have_count(0)
    page.get_by_role("button", name="Pintasan").click()
    help_overlay.get_by_role("checkbox", name="Pintasan aktif").check()
    help_overlay.get_by_role("button", name="Tutup").click()
    page.keyboard.press("Shift+Digit2")
    page.keyboard.type("Belum bertanda tangan.")
    page.keyboard.press("Escape")
    for key in ("1", "3", "4", "x"):
        page.keyboard.press(key)
    officer.expect_success("dikembalikan")
    asked.wait_for_status("returned")


def test_after_an_error_the_keyboard_begins_at_the_summary_and_goes_on_to_the_field(sessions: BrowserSessions):
    page = sessions().open("/")
    page.get_by_role("button", name=CHECK).press("Enter")
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(page).to_have_title(re.compile("^Kesalahan:"))
    page.keyboard.press("Tab")
    expect(summary.get_by_role("link").first).to_be_focused()
    first = summary.get_by_role("link").first.inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("[aria-invalid=true]").first).to_be_focused()
    name = page.evaluate("document.activeElement.labels[0].innerText.trim()")
    assert re.sub(r" \(.*", "", name).lower() in first.lower(), (first, name)
    described = page.evaluate(
        "document.activeElement.getAttribute('aria-describedby').split(' ')"
        ".map(id => document.getElementById(id).innerText).join(' ')"
    )
    assert first in described
