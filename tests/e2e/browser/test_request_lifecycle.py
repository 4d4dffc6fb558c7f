"""The whole life of a request before everybody who has a part in it, with the queues changing live; the link comes by SMTP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser.browser_sessions import PHONE, BrowserSessions, SiteUnderTest
from tests.support.browser.email_links import open_tracking_link
from tests.support.browser.user_actions import REPORT, TEXTS, Applicant, Head, Lead, Officer
from tests.support.e2e.server_process import smtp_server
from tests.support.e2e.server_session import gate

ADDRESS = TEXTS["Alamat surel"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteUnderTest]:
    with smtp_server() as (inbox, smtp), gate(tmp_path_factory.mktemp("house"), SIMPUL_SMTP=smtp) as opened:
        yield SiteUnderTest(opened, inbox)


def test_a_request_lives_its_whole_life_before_everybody(house: SiteUnderTest, visits: BrowserSessions):
    assert house.inbox is not None
    officer, head, lead = Officer(visits()), Head(visits()), Lead(visits())
    for person, who in ((officer, "nurlaila"), (head, "hasan"), (lead, "dewi")):
        person.signs_in(who)
        person.watches()

    number = Applicant(visits()).submits()
    applicant = Applicant(visits(width=PHONE))
    open_tracking_link(applicant.visit, ADDRESS, number)
    assert applicant.page.url.endswith(f"/lacak/{number}"), "the key is gone from the address"
    applicant.sees("Diajukan")

    officer.finds(number)
    officer.opens(number)
    officer.verifies()
    officer.succeeds("dinyatakan lengkap")

    head.finds(number)
    head.opens(number)
    head.appoints("Dewi Andaian")
    head.succeeds("sudah ditunjuk")

    lead.finds(number)
    lead.opens(number)
    lead.presses("Mulai Pekerjaan")
    lead.succeeds("Pekerjaan dimulai")
    lead.notes("Sambungan uji berhasil.", "40")
    lead.pauses("Mohon alamat server uji.")

    lead.watches()
    lead.row_becomes(number, "Menunggu Pemohon")
    applicant.finds("Menunggu Pemohon")
    expect(applicant.page.get_by_text("Mohon alamat server uji.").first).to_be_visible()
    applicant.answers("Server uji sudah siap.")
    lead.row_becomes(number, "Sedang Dikerjakan")
    lead.opens(number)
    expect(lead.page.get_by_text("Server uji sudah siap.")).to_be_visible()
    lead.delivers("Data tersinkron setiap malam.", REPORT)

    applicant.finds("Menunggu Konfirmasi Serah Terima")
    assert hashlib.sha256(applicant.downloads(REPORT.name)).digest() == hashlib.sha256(REPORT.content).digest()
    lead.watches()
    applicant.confirms()
    lead.row_becomes(number, "Selesai")
    applicant.sees("Selesai")
    applicant.judges()
    assert any("selesai" in subject.lower() for subject in house.inbox.subjects(ADDRESS))
