"""The lifecycle of a request in several browsers with live queues; the tracking link arrives by SMTP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser.browser_sessions import PHONE, BrowserSessions, SiteUnderTest
from tests.support.browser.email_links import open_tracking_link
from tests.support.browser.user_actions import REPORT, TEXTS, Applicant, Head, Lead, Officer
from tests.support.e2e.server_process import smtp_server
from tests.support.e2e.server_session import running_server

ADDRESS = TEXTS["Alamat surel"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteUnderTest]:
    with smtp_server() as (inbox, smtp), running_server(tmp_path_factory.mktemp("house"), SIMPUL_SMTP=smtp) as opened:
        yield SiteUnderTest(opened, inbox)


def test_a_request_lives_its_whole_life_before_everybody(site: SiteUnderTest, sessions: BrowserSessions):
    assert site.inbox is not None
    officer, head, lead = Officer(sessions()), Head(sessions()), Lead(sessions())
    for person, who in ((officer, "nurlaila"), (head, "hasan"), (lead, "dewi")):
        person.sign_in(who)
        person.watch_queue()

    number = Applicant(sessions()).submit_request()
    applicant = Applicant(sessions(width=PHONE))
    open_tracking_link(applicant.session, ADDRESS, number)
    assert applicant.page.url.endswith(f"/lacak/{number}"), "the key is gone from the address"
    applicant.expect_status("Diajukan")

    officer.wait_for(number)
    officer.open_request(number)
    officer.verify()
    officer.expect_success("dinyatakan lengkap")

    head.wait_for(number)
    head.open_request(number)
    head.appoint("Dewi Andaian")
    head.expect_success("sudah ditunjuk")

    lead.wait_for(number)
    lead.open_request(number)
    lead.press("Mulai Pekerjaan")
    lead.expect_success("Pekerjaan dimulai")
    lead.add_note("Sambungan uji berhasil.", "40")
    lead.pause("Mohon alamat server uji.")

    lead.watch_queue()
    lead.wait_for_row(number, "Menunggu Pemohon")
    applicant.wait_for("Menunggu Pemohon")
    expect(applicant.page.get_by_text("Mohon alamat server uji.").first).to_be_visible()
    applicant.answer("Server uji sudah siap.")
    lead.wait_for_row(number, "Sedang Dikerjakan")
    lead.open_request(number)
    expect(lead.page.get_by_text("Server uji sudah siap.")).to_be_visible()
    lead.deliver("Data tersinkron setiap malam.", REPORT)

    applicant.wait_for("Menunggu Konfirmasi Serah Terima")
    assert hashlib.sha256(applicant.download(REPORT.name)).digest() == hashlib.sha256(REPORT.content).digest()
    lead.watch_queue()
    applicant.confirm()
    lead.wait_for_row(number, "Selesai")
    applicant.expect_status("Selesai")
    applicant.assess()
    assert any("selesai" in subject.lower() for subject in site.inbox.subjects(ADDRESS))
