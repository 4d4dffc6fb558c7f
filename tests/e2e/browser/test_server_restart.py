"""The server is killed and restarted while pages are open; they reconnect and catch up."""

from __future__ import annotations

import contextlib

from playwright.sync_api import Route, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.support.browser.browser_sessions import THIN, WIDE, BrowserSession, BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import BIG, DICTIONARY, Applicant, Officer, field, payloads
from tests.support.e2e.request_steps import STEPS, request_in_status

AWAY = ("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_SOCKET", "502", "503")


def test_a_queue_that_was_open_catches_up_with_what_happened_meanwhile(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "submitted")
    officer, late = Officer(sessions("nurlaila")), Officer(sessions("nurlaila"))
    officer.watch_queue()
    late.session.open(f"/verifikasi/{asked.id}")
    late.listen()
    for person in (officer, late):
        person.session.monitor.expect(*AWAY)
    site.harness.server.kill()
    for person in (officer, late):
        expect(person.page.get_by_text("Sambungan langsung terputus")).to_be_visible()

    site.harness.server.start()
    made = site.harness.submitted().wait_for_status("submitted")
    assert STEPS["verification"](asked).status_code == 200

    officer.listen()
    officer.expect_announcement("1 perubahan baru")
    expect(officer.row(asked.number).get_by_text("Terverifikasi", exact=True)).to_be_visible()
    officer.wait_for(made.number)
    expect(late.page.get_by_role("status").filter(has_text="baru saja berubah")).to_contain_text("Terverifikasi")


def test_a_file_whose_sending_was_cut_is_sent_again(site: SiteUnderTest, sessions: BrowserSessions):
    applicant = Applicant(sessions())
    applicant.start()
    applicant.fill()
    applicant.attach("Dokumen Persyaratan", DICTIONARY)
    applicant.session.limit_bandwidth(THIN)
    applicant.session.monitor.expect(*AWAY)
    field(applicant.page, "Surat Permohonan").set_input_files(payloads(BIG))
    expect(applicant.page.get_by_role("progressbar", name=BIG.name)).to_be_visible()
    site.harness.server.kill()
    # A gateway whose service is away answers in its place.
    expect(applicant.stored("Surat Permohonan")).to_contain_text("pengiriman dicoba lagi")
    site.harness.server.start()
    applicant.session.limit_bandwidth(WIDE)
    with contextlib.suppress(PlaywrightTimeoutError):  # it may have been sent again by itself by now
        applicant.page.get_by_role("button", name=f"Coba lagi {BIG.name}").click(timeout=2000)
    expect(applicant.stored("Surat Permohonan")).to_contain_text(", tersimpan")
    applicant.submit_form()


def refused_once(session: BrowserSession, path: str) -> list[str]:
    """Answer the first request for this path like a gateway without a backend; the refused requests."""
    refusals: list[str] = []
    session.monitor.expect("502")

    def refuse_once(route: Route) -> None:
        if refusals:
            route.continue_()
        else:
            refusals.append(route.request.url)
            route.fulfill(status=502)

    session.page.route(path, refuse_once)
    return refusals


def test_a_file_that_a_gateway_refused_is_sent_again(sessions: BrowserSessions):
    applicant = Applicant(sessions())
    refusals = refused_once(applicant.session, "**/berkas")
    applicant.start()
    applicant.fill()
    applicant.attach_all()
    applicant.submit_form()
    assert len(refusals) == 1


def test_a_queue_whose_stream_a_gateway_refused_connects_again_by_itself(
    site: SiteUnderTest, sessions: BrowserSessions
):
    officer = Officer(sessions("nurlaila"))
    refusals = refused_once(officer.session, "**/live*")
    officer.watch_queue()
    officer.session.until(lambda: refusals != [])
    made = site.harness.submitted().wait_for_status("submitted")
    officer.wait_for(made.number)
