"""The server is killed and started again while pages are open: they connect by themselves and catch up."""

from __future__ import annotations

import contextlib

from playwright.sync_api import Route, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.support.browser.browser_sessions import THIN, WIDE, BrowserSession, BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import BIG, DICTIONARY, Applicant, Officer, field, payloads
from tests.support.e2e.request_steps import STEPS, request_in_status

AWAY = ("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_SOCKET", "502", "503")


def test_a_queue_that_was_open_catches_up_with_what_happened_meanwhile(house: SiteUnderTest, visits: BrowserSessions):
    asked = request_in_status(house.gate, "submitted")
    officer, late = Officer(visits("nurlaila")), Officer(visits("nurlaila"))
    officer.watches()
    late.visit.open(f"/verifikasi/{asked.id}")
    late.listens()
    for person in (officer, late):
        person.visit.watch.expect(*AWAY)
    house.gate.server.kill()
    for person in (officer, late):
        expect(person.page.get_by_text("Sambungan langsung terputus")).to_be_visible()

    house.gate.server.start()
    made = house.gate.submitted().wait_for_status("submitted")
    assert STEPS["verification"](asked).status_code == 200

    officer.listens()
    officer.is_told("1 perubahan baru")
    expect(officer.row(asked.number).get_by_text("Terverifikasi", exact=True)).to_be_visible()
    officer.finds(made.number)
    expect(late.page.get_by_role("status").filter(has_text="baru saja berubah")).to_contain_text("Terverifikasi")


def test_a_file_whose_sending_was_cut_is_sent_again(house: SiteUnderTest, visits: BrowserSessions):
    applicant = Applicant(visits())
    applicant.begins()
    applicant.fills()
    applicant.attaches("Dokumen Persyaratan", DICTIONARY)
    applicant.visit.line(THIN)
    applicant.visit.watch.expect(*AWAY)
    field(applicant.page, "Surat Permohonan").set_input_files(payloads(BIG))
    expect(applicant.page.get_by_role("progressbar", name=BIG.name)).to_be_visible()
    house.gate.server.kill()
    # A gateway whose service is away answers in its place.
    expect(applicant.stored("Surat Permohonan")).to_contain_text("pengiriman dicoba lagi")
    house.gate.server.start()
    applicant.visit.line(WIDE)
    with contextlib.suppress(PlaywrightTimeoutError):  # it may have been sent again by itself by now
        applicant.page.get_by_role("button", name=f"Coba lagi {BIG.name}").click(timeout=2000)
    expect(applicant.stored("Surat Permohonan")).to_contain_text(", tersimpan")
    applicant.sends()


def refused_once(visit: BrowserSession, path: str) -> list[str]:
    """A gateway that has nobody behind it the first time that it is asked for this; what it refused."""
    refusals: list[str] = []
    visit.watch.expect("502")

    def refuse_once(route: Route) -> None:
        if refusals:
            route.continue_()
        else:
            refusals.append(route.request.url)
            route.fulfill(status=502)

    visit.page.route(path, refuse_once)
    return refusals


def test_a_file_that_a_gateway_refused_is_sent_again(visits: BrowserSessions):
    applicant = Applicant(visits())
    refusals = refused_once(applicant.visit, "**/berkas")
    applicant.begins()
    applicant.fills()
    applicant.attaches_all()
    applicant.sends()
    assert len(refusals) == 1


def test_a_queue_whose_stream_a_gateway_refused_connects_again_by_itself(house: SiteUnderTest, visits: BrowserSessions):
    officer = Officer(visits("nurlaila"))
    refusals = refused_once(officer.visit, "**/live*")
    officer.watches()
    officer.visit.until(lambda: refusals != [])
    made = house.gate.submitted().wait_for_status("submitted")
    officer.finds(made.number)
