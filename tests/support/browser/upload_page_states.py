"""Forms whose files are on their way, or did not arrive."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser.browser_sessions import BrowserSession
from tests.support.browser.sample_requests import SampleRequests
from tests.support.browser.user_actions import PROGRAM, REPORT, SUBMIT, Applicant, Lead, field, payloads


def form_filled(visit: BrowserSession, world: SampleRequests) -> None:
    applicant = Applicant(visit)
    applicant.begins()
    applicant.fills()
    applicant.attaches_all()


def form_file_failed(visit: BrowserSession, world: SampleRequests) -> None:
    """The form stops at a file that was refused ahead of it."""
    form_filled(visit, world)
    field(visit.page, "Dokumen Persyaratan").set_input_files(payloads(PROGRAM))
    visit.page.get_by_role("button", name=SUBMIT).click()
    stops(visit)


def form_waiting(visit: BrowserSession, world: SampleRequests) -> None:
    """The form was sent while a file is on its way, and another waits for its turn."""
    form_filled(visit, world)
    visit.page.route("**/berkas", lambda route: None)
    field(visit.page, "Dokumen Persyaratan").set_input_files(payloads(REPORT, PROGRAM))
    visit.page.get_by_role("button", name=SUBMIT).click()
    expect(visit.page.get_by_role("status").filter(has_text="Menunggu 2 berkas")).to_be_visible()


def form_file_lost(visit: BrowserSession, world: SampleRequests) -> None:
    """The form came to the server without a file that was chosen."""
    form_file_failed(visit, world)
    visit.page.get_by_role("form", name="Formulir permohonan").evaluate("form => form.submit()")
    expect(visit.page.get_by_role("alert").first).to_be_focused()


def deliver_file_failed(visit: BrowserSession, world: SampleRequests) -> None:
    visit.open(f"/pekerjaan/{world.asked['in_progress'].id}/serahkan")
    Lead(visit).fills("Ringkasan hasil", "Data tersinkron setiap malam.")
    field(visit.page, "Dokumen hasil").set_input_files(payloads(REPORT, PROGRAM))
    Lead(visit).presses("Serahkan Dokumen")
    stops(visit)


def complete_file_failed(visit: BrowserSession, world: SampleRequests) -> None:
    asked = world.asked["returned"]
    visit.open(f"/lacak/{asked.number}?kunci={asked.token}")
    visit.open(f"/lacak/{asked.number}/lengkapi")
    field(visit.page, "Surat Permohonan pengganti").set_input_files(payloads(PROGRAM))
    Applicant(visit).presses("Kirim Ulang")
    stops(visit)


def stops(visit: BrowserSession) -> None:
    expect(visit.page.get_by_role("alert").filter(has_text="belum dikirim")).to_be_visible()
