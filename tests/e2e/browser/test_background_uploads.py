"""Files uploaded before their form: none is lost silently, whatever happens to its upload."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from simpul.client_types import Upload
from tests.support.browser.browser_sessions import THIN, WIDE, BrowserSession, BrowserSessions, SiteUnderTest
from tests.support.browser.user_actions import (
    BIG,
    CHECK,
    DICTIONARY,
    LETTER,
    PICTURE,
    PROGRAM,
    REPORT,
    Applicant,
    Lead,
    field,
    payloads,
    stored,
)
from tests.support.e2e.request_steps import request_in_status
from tests.support.e2e.server_session import running_server

PAPERS, SIGNED = "Dokumen Persyaratan", "Surat Permohonan"
HUGE = Upload("Video.pdf", LETTER.content + bytes(2_000_000), "application/pdf")
LIMIT = 1_500_000
RETRIES_END = 60_000
"""Milliseconds of the page's clock after which it stops retrying, per attempt of the user."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteUnderTest]:
    with running_server(tmp_path_factory.mktemp("house"), SIMPUL_FILE_LIMIT=str(LIMIT)) as opened:
        yield SiteUnderTest(opened)


def filled(session: BrowserSession) -> Applicant:
    """A completed form whose page clock the test controls."""
    session.page.clock.install()
    applicant = Applicant(session)
    applicant.start()
    applicant.fill()
    applicant.attach_all()
    return applicant


def choose(page: Page, label: str, *files: Upload) -> None:
    field(page, label).set_input_files(payloads(*files))


def line(page: Page, label: str, file: Upload) -> Locator:
    return stored(page, label).filter(has_text=file.name)


def again(item: Locator) -> Locator:
    return item.get_by_role("button", name=re.compile("^(Coba|Pilih) lagi"))


def gives_up(session: BrowserSession, item: Locator) -> None:
    """Wait until the page stops retrying and lists the file with the reason and the possible actions."""

    def given_up() -> bool:
        if item.get_by_text("mengirim").count() or item.get_by_text("dicoba lagi").count():
            session.page.clock.run_for(RETRIES_END)
        return again(item).count() == 1 and not item.get_by_text("dicoba lagi").count()

    session.until(given_up)
    expect(again(item)).to_be_visible()
    expect(item.get_by_role("button", name=re.compile("^Hapus"))).to_be_visible()


def stopped(page: Page, item: Locator) -> None:
    """Expect that the form was not sent, that the page says so, and that the focus is on the possible action."""
    expect(page.get_by_role("alert").filter(has_text="belum dikirim")).to_be_visible()
    expect(again(item)).to_be_focused()


def sends(page: Page) -> None:
    page.get_by_role("button", name=CHECK).click()


def names(site: SiteUnderTest, number: str) -> list[str]:
    """Return the documents of this request as the officer sees them."""
    path = "/api/verification/requests"
    items = site.harness.call(site.session("nurlaila"), "GET", f"{path}?limit=200").json()["items"]
    found = next((one["id"] for one in items if one["number"] == number), "")
    seen = site.harness.call(site.session("nurlaila"), "GET", f"{path}/{found}").json() if found else {}
    return sorted(one["name"] for one in seen.get("documents", ()))


def arrives(session: BrowserSession, number: str, *files: Upload) -> None:
    """Expect exactly these files in the request."""
    session.until(lambda: names(session.site, number) == sorted(file.name for file in files))


Fault = Callable[[BrowserSession], None]


def none(session: BrowserSession) -> None:
    pass


def answered(status: int, **headers: str) -> Fault:
    """Answer uploads with this status instead of the service, like a proxy."""

    def fault(session: BrowserSession) -> None:
        session.monitor.expect(str(status))
        session.page.route("**/berkas", lambda route: route.fulfill(status=status, headers=headers))

    return fault


def cut(session: BrowserSession) -> None:
    session.monitor.expect("ERR_CONNECTION")
    session.page.route("**/berkas", lambda route: route.abort("connectionreset"))


FAULTS: dict[str, tuple[Upload, Fault, str]] = {
    "wrong type": (PROGRAM, none, "Jenis berkas yang diterima"),
    "too large": (HUGE, none, "batas"),
    "429": (PICTURE, answered(429, **{"Retry-After": "3"}), "sibuk"),
    "503": (PICTURE, answered(503), "sibuk"),
    "500": (PICTURE, answered(500), "belum tersimpan"),
    "cut": (PICTURE, cut, "Sambungan terputus"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_form_is_not_sent_while_a_chosen_file_is_not_stored(
    site: SiteUnderTest, sessions: BrowserSessions, fault: str
):
    before = site.harness.requests
    applicant = filled(sessions())
    file, happens, reason = FAULTS[fault]
    happens(applicant.session)
    choose(applicant.page, PAPERS, file)
    item = line(applicant.page, PAPERS, file)
    gives_up(applicant.session, item)
    expect(item).to_contain_text(reason)
    sends(applicant.page)
    stopped(applicant.page, item)
    assert site.harness.requests == before
    applicant.page.unroute_all()
    item.get_by_role("button", name=re.compile("^Hapus")).click()
    expect(item).to_have_count(0)
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY)


@pytest.mark.parametrize("fault", ["429", "503", "cut"])
def test_a_file_that_failed_is_sent_again_by_its_button(sessions: BrowserSessions, fault: str):
    applicant = filled(sessions())
    file, happens, _ = FAULTS[fault]
    happens(applicant.session)
    choose(applicant.page, PAPERS, file)
    item = line(applicant.page, PAPERS, file)
    gives_up(applicant.session, item)
    again(item).focus()
    applicant.page.unroute_all()
    applicant.page.keyboard.press("Enter")
    expect(item).to_contain_text("tersimpan")
    expect(item.get_by_role("button", name=re.compile("^Hapus"))).to_be_focused()
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY, file)


def test_sending_before_a_file_has_arrived_waits_for_it_and_says_so(sessions: BrowserSessions):
    applicant = filled(sessions())
    applicant.session.limit_bandwidth(THIN)
    choose(applicant.page, SIGNED, BIG)
    sends(applicant.page)
    expect(applicant.page.get_by_role("status").filter(has_text="Menunggu 1 berkas")).to_be_visible()
    expect(applicant.page.get_by_role("progressbar", name=BIG.name)).to_be_visible()
    applicant.session.limit_bandwidth(WIDE)
    arrives(applicant.session, applicant.send_answers(), BIG, DICTIONARY)


@pytest.mark.parametrize("fault", ["503", "cut", "wrong type"])
def test_sending_before_a_file_has_failed_stops_at_it(site: SiteUnderTest, sessions: BrowserSessions, fault: str):
    before = site.harness.requests
    applicant = filled(sessions())
    file, happens, _ = FAULTS[fault]
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    happens(applicant.session)
    applicant.page.route("**/berkas", hold)
    choose(applicant.page, PAPERS, file)
    applicant.session.until(lambda: held != [])
    sends(applicant.page)
    expect(applicant.page.get_by_role("status").filter(has_text="Menunggu 1 berkas")).to_be_visible()
    applicant.page.unroute("**/berkas", hold)
    held[0].fallback()
    item = line(applicant.page, PAPERS, file)
    gives_up(applicant.session, item)
    stopped(applicant.page, item)
    assert site.harness.requests == before


def test_of_several_files_the_one_that_failed_is_named_and_the_others_are_stored(sessions: BrowserSessions):
    applicant = filled(sessions())
    choose(applicant.page, PAPERS, PICTURE, PROGRAM, REPORT)
    sends(applicant.page)
    item = line(applicant.page, PAPERS, PROGRAM)
    stopped(applicant.page, item)
    for file in (PICTURE, REPORT):
        expect(line(applicant.page, PAPERS, file)).to_contain_text("tersimpan")
    applicant.page.keyboard.press("Tab")
    applicant.page.keyboard.press("Enter")
    expect(item).to_have_count(0)
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY, PICTURE, REPORT)


def test_a_replacement_that_fails_leaves_the_letter_that_was_stored(sessions: BrowserSessions):
    applicant = filled(sessions())
    choose(applicant.page, SIGNED, PROGRAM)
    gives_up(applicant.session, line(applicant.page, SIGNED, PROGRAM))
    expect(line(applicant.page, SIGNED, LETTER)).to_contain_text("tersimpan")
    line(applicant.page, SIGNED, PROGRAM).get_by_role("button", name=re.compile("^Hapus")).click()
    applicant.attach(SIGNED, REPORT)
    expect(line(applicant.page, SIGNED, LETTER)).to_have_count(0)
    arrives(applicant.session, applicant.submit_form(), REPORT, DICTIONARY)


def test_a_file_that_is_chosen_twice_is_sent_once(sessions: BrowserSessions, tmp_path: Path):
    path = tmp_path / REPORT.name
    path.write_bytes(REPORT.content)
    applicant = filled(sessions())
    for _ in range(2):
        field(applicant.page, PAPERS).set_input_files(path)
        expect(line(applicant.page, PAPERS, REPORT)).to_contain_text("tersimpan")
    expect(applicant.page.get_by_role("status").filter(has_text=f"{REPORT.name} sudah ada di daftar")).to_be_visible()
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY, REPORT)


def test_a_file_that_failed_and_is_chosen_again_stands_there_once(sessions: BrowserSessions, tmp_path: Path):
    path = tmp_path / REPORT.name
    path.write_bytes(REPORT.content)
    applicant = filled(sessions())
    cut(applicant.session)
    field(applicant.page, PAPERS).set_input_files(path)
    gives_up(applicant.session, line(applicant.page, PAPERS, REPORT))
    applicant.page.unroute_all()
    field(applicant.page, PAPERS).set_input_files(path)
    expect(line(applicant.page, PAPERS, REPORT)).to_contain_text("tersimpan")
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY, REPORT)


def test_a_file_that_is_removed_on_its_way_is_sent_no_further(site: SiteUnderTest, sessions: BrowserSessions):
    applicant = filled(sessions())
    before = site.harness.documents
    applicant.session.limit_bandwidth(THIN)
    choose(applicant.page, PAPERS, BIG)
    item = line(applicant.page, PAPERS, BIG)
    expect(item.get_by_role("progressbar")).to_be_visible()
    with applicant.page.expect_event("requestfailed", lambda call: call.url.endswith("/berkas")):
        item.get_by_role("button", name=re.compile("^Hapus")).click()
    expect(item).to_have_count(0)
    applicant.session.limit_bandwidth(WIDE)
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY)
    assert site.harness.documents == before


def test_a_page_that_is_loaded_again_shows_what_was_stored_and_what_was_not(
    site: SiteUnderTest, sessions: BrowserSessions
):
    before = site.harness.requests
    applicant = filled(sessions())
    choose(applicant.page, PAPERS, PROGRAM)
    gives_up(applicant.session, line(applicant.page, PAPERS, PROGRAM))
    applicant.page.reload()
    applicant.fill()
    expect(line(applicant.page, SIGNED, LETTER)).to_contain_text("tersimpan")
    expect(line(applicant.page, PAPERS, DICTIONARY)).to_contain_text("tersimpan")
    item = line(applicant.page, PAPERS, PROGRAM)
    expect(item).to_contain_text("Pilih kembali berkasnya")
    sends(applicant.page)
    stopped(applicant.page, item)
    assert site.harness.requests == before
    with applicant.page.expect_file_chooser() as coming:
        again(item).click()
    coming.value.set_files(payloads(PICTURE))
    expect(item).to_have_count(0)
    expect(line(applicant.page, PAPERS, PICTURE)).to_contain_text("tersimpan")
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY, PICTURE)


def test_a_page_that_the_browser_brings_back_as_it_was_forgets_no_file(sessions: BrowserSessions):
    applicant = filled(sessions())
    choose(applicant.page, PAPERS, PROGRAM)
    item = line(applicant.page, PAPERS, PROGRAM)
    gives_up(applicant.session, item)
    applicant.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    sends(applicant.page)
    stopped(applicant.page, item)
    expect(item).to_contain_text("Jenis berkas yang diterima")


def test_a_form_that_is_sent_past_its_script_is_refused_and_names_the_file(
    site: SiteUnderTest, sessions: BrowserSessions
):
    before = site.harness.requests
    applicant = filled(sessions())
    choose(applicant.page, PAPERS, PROGRAM)
    gives_up(applicant.session, line(applicant.page, PAPERS, PROGRAM))
    applicant.page.get_by_role("form", name="Formulir permohonan").evaluate("form => form.submit()")
    expect(applicant.page.get_by_role("alert").filter(has_text=f"{PROGRAM.name} belum tersimpan")).to_be_focused()
    assert site.harness.requests == before
    item = line(applicant.page, PAPERS, PROGRAM)
    sends(applicant.page)
    stopped(applicant.page, item)
    item.get_by_role("button", name=re.compile("^Hapus")).click()
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY)


def test_enter_in_a_field_sends_the_form_and_removes_no_file(sessions: BrowserSessions):
    applicant = filled(sessions())
    field(applicant.page, "Jabatan").press("Enter")
    arrives(applicant.session, applicant.send_answers(), LETTER, DICTIONARY)


def test_enter_in_a_field_removes_no_file_without_a_script_either(sessions: BrowserSessions):
    applicant = Applicant(sessions(script=False))
    applicant.start()
    applicant.fill(Jabatan="")
    applicant.attach_all()
    sends(applicant.page)
    field(applicant.page, "Jabatan").fill("Pranata Komputer")
    field(applicant.page, "Jabatan").press("Enter")
    arrives(applicant.session, applicant.send_answers(), LETTER, DICTIONARY)


def test_a_file_whose_server_goes_away_for_good_is_named_and_sent_when_it_is_back(
    site: SiteUnderTest, sessions: BrowserSessions
):
    applicant = filled(sessions())
    applicant.session.monitor.expect("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_SOCKET")
    applicant.session.limit_bandwidth(THIN)
    choose(applicant.page, PAPERS, BIG)
    item = line(applicant.page, PAPERS, BIG)
    expect(item.get_by_role("progressbar")).to_be_visible()
    site.harness.server.kill()
    gives_up(applicant.session, item)
    sends(applicant.page)
    stopped(applicant.page, item)
    site.harness.server.start()
    applicant.session.limit_bandwidth(WIDE)
    again(item).click()
    expect(item).to_contain_text("tersimpan")
    arrives(applicant.session, applicant.submit_form(), LETTER, DICTIONARY, BIG)


def test_a_lead_hands_over_no_less_than_was_chosen(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "in_progress")
    lead = Lead(sessions("dewi"))
    lead.session.open(f"/pekerjaan/{asked.id}/serahkan")
    lead.fill("Ringkasan hasil", "Data tersinkron.")
    choose(lead.page, "Dokumen hasil", REPORT, PROGRAM)
    lead.press("Serahkan Dokumen")
    item = line(lead.page, "Dokumen hasil", PROGRAM)
    stopped(lead.page, item)
    item.get_by_role("button", name=re.compile("^Hapus")).click()
    lead.press("Serahkan Dokumen")
    lead.expect_success("sudah diserahkan")
    asked.wait_for_status("delivered")


def test_an_applicant_completes_with_no_less_than_was_chosen(site: SiteUnderTest, sessions: BrowserSessions):
    asked = request_in_status(site.harness, "returned")
    applicant = Applicant(sessions())
    applicant.session.open(f"/lacak/{asked.number}?kunci={asked.token}")
    applicant.session.open(f"/lacak/{asked.number}/lengkapi")
    label = "Surat Permohonan pengganti"
    applicant.attach(label, REPORT)
    choose(applicant.page, label, PROGRAM)
    applicant.press("Kirim Ulang")
    item = line(applicant.page, label, PROGRAM)
    stopped(applicant.page, item)
    item.get_by_role("button", name=re.compile("^Hapus")).click()
    applicant.press("Kirim Ulang")
    expect(applicant.page.get_by_role("status").filter(has_text="sudah dikirim ulang")).to_be_visible()
    seen = asked.wait_for_status("submitted").seen()[1]
    assert [one["name"] for one in seen["documents"] if one["round"] == 2] == [REPORT.name]


def test_a_session_that_ends_before_a_file_is_stored_loses_neither_text_nor_the_file_s_name(
    site: SiteUnderTest, sessions: BrowserSessions
):
    asked = request_in_status(site.harness, "in_progress")
    lead, token = Lead(sessions()), site.new_session("dewi")
    lead.session.use_session(token)
    lead.session.monitor.expect("401")
    lead.session.open(f"/pekerjaan/{asked.id}/serahkan")
    lead.fill("Ringkasan hasil", "Data tersinkron.")
    choose(lead.page, "Dokumen hasil", REPORT)
    expect(line(lead.page, "Dokumen hasil", REPORT)).to_contain_text("tersimpan")
    site.end_session(token)
    choose(lead.page, "Dokumen hasil", PICTURE)
    expect(line(lead.page, "Dokumen hasil", PICTURE)).to_contain_text("Sesi Anda berakhir")
    lead.press("Serahkan Dokumen")
    lead.type_password("dewi")
    expect(field(lead.page, "Ringkasan hasil")).to_have_value("Data tersinkron.")
    expect(line(lead.page, "Dokumen hasil", REPORT)).to_contain_text("tersimpan")
    item = line(lead.page, "Dokumen hasil", PICTURE)
    lead.press("Serahkan Dokumen")
    stopped(lead.page, item)
    choose(lead.page, "Dokumen hasil", PICTURE)
    expect(item).to_contain_text("tersimpan")
    lead.press("Serahkan Dokumen")
    lead.expect_success("sudah diserahkan")
