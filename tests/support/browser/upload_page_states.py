"""Page states with uploads that are in progress or failed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser.browser_sessions import BrowserSession
from tests.support.browser.sample_requests import SampleRequests
from tests.support.browser.user_actions import CHECK, PROGRAM, REPORT, Applicant, Lead, field, payloads


def form_filled(session: BrowserSession, samples: SampleRequests) -> None:
    applicant = Applicant(session)
    applicant.start()
    applicant.fill()
    applicant.attach_all()


def form_file_failed(session: BrowserSession, samples: SampleRequests) -> None:
    """A form whose background upload was refused."""
    form_filled(session, samples)
    field(session.page, "Dokumen Persyaratan").set_input_files(payloads(PROGRAM))
    session.page.get_by_role("button", name=CHECK).click()
    stops(session)


def form_waiting(session: BrowserSession, samples: SampleRequests) -> None:
    """A form submitted while one upload is in progress and another is queued."""
    form_filled(session, samples)
    session.page.route("**/berkas", lambda route: None)
    field(session.page, "Dokumen Persyaratan").set_input_files(payloads(REPORT, PROGRAM))
    session.page.get_by_role("button", name=CHECK).click()
    expect(session.page.get_by_role("status").filter(has_text="Menunggu 2 berkas")).to_be_visible()


def form_file_lost(session: BrowserSession, samples: SampleRequests) -> None:
    """A form that arrived without a chosen file."""
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
