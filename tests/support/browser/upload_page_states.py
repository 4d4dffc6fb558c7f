"""Forms whose files are on their way, or did not arrive."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser.browser_sessions import BrowserSession
from tests.support.browser.sample_requests import SampleRequests
from tests.support.browser.user_actions import PROGRAM, REPORT, SUBMIT, Applicant, Lead, field, payloads


def form_filled(session: BrowserSession, samples: SampleRequests) -> None:
    applicant = Applicant(session)
    applicant.start()
    applicant.fill()
    applicant.attach_all()


def form_file_failed(session: BrowserSession, samples: SampleRequests) -> None:
    """The form stops at a file that was refused ahead of it."""
    form_filled(session, samples)
    field(session.page, "Dokumen Persyaratan").set_input_files(payloads(PROGRAM))
    session.page.get_by_role("button", name=SUBMIT).click()
    stops(session)


def form_waiting(session: BrowserSession, samples: SampleRequests) -> None:
    """The form was sent while a file is on its way, and another waits for its turn."""
    form_filled(session, samples)
    session.page.route("**/berkas", lambda route: None)
    field(session.page, "Dokumen Persyaratan").set_input_files(payloads(REPORT, PROGRAM))
    session.page.get_by_role("button", name=SUBMIT).click()
    expect(session.page.get_by_role("status").filter(has_text="Menunggu 2 berkas")).to_be_visible()


def form_file_lost(session: BrowserSession, samples: SampleRequests) -> None:
    """The form came to the server without a file that was chosen."""
    form_file_failed(session, samples)
    session.page.get_by_role("form", name="Formulir permohonan").evaluate("form => form.submit()")
    expect(session.page.get_by_role("alert").first).to_be_focused()


def deliver_file_failed(session: BrowserSession, samples: SampleRequests) -> None:
    session.open(f"/pekerjaan/{samples.asked['in_progress'].id}/serahkan")
    Lead(session).fill("Ringkasan hasil", "Data tersinkron setiap malam.")
    field(session.page, "Dokumen hasil").set_input_files(payloads(REPORT, PROGRAM))
    Lead(session).press("Serahkan Dokumen")
    stops(session)


def complete_file_failed(session: BrowserSession, samples: SampleRequests) -> None:
    asked = samples.asked["returned"]
    session.open(f"/lacak/{asked.number}?kunci={asked.token}")
    session.open(f"/lacak/{asked.number}/lengkapi")
    field(session.page, "Surat Permohonan pengganti").set_input_files(payloads(PROGRAM))
    Applicant(session).press("Kirim Ulang")
    stops(session)


def stops(session: BrowserSession) -> None:
    expect(session.page.get_by_role("alert").filter(has_text="belum dikirim")).to_be_visible()
