"""Files that go ahead of their form: none is lost without a word, whatever becomes of its upload."""

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
    DICTIONARY,
    LETTER,
    PICTURE,
    PROGRAM,
    REPORT,
    SUBMIT,
    Applicant,
    Lead,
    field,
    payloads,
    stored,
)
from tests.support.e2e.request_steps import request_in_status
from tests.support.e2e.server_session import gate

PAPERS, SIGNED = "Dokumen Persyaratan", "Surat Permohonan"
HUGE = Upload("Video.pdf", LETTER.content + bytes(2_000_000), "application/pdf")
LIMIT = 1_500_000
RETRIES_END = 60_000
"""Milliseconds of the page's clock within which it has given up by itself, for each time that it is asked."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteUnderTest]:
    with gate(tmp_path_factory.mktemp("house"), SIMPUL_FILE_LIMIT=str(LIMIT)) as opened:
        yield SiteUnderTest(opened)


def filled(visit: BrowserSession) -> Applicant:
    """A form that lacks nothing, with a clock that the test can move on."""
    visit.page.clock.install()
    applicant = Applicant(visit)
    applicant.begins()
    applicant.fills()
    applicant.attaches_all()
    return applicant


def choose(page: Page, label: str, *files: Upload) -> None:
    field(page, label).set_input_files(payloads(*files))


def line(page: Page, label: str, file: Upload) -> Locator:
    return stored(page, label).filter(has_text=file.name)


def again(item: Locator) -> Locator:
    return item.get_by_role("button", name=re.compile("^(Coba|Pilih) lagi"))


def gives_up(visit: BrowserSession, item: Locator) -> None:
    """Wait until the page tries no more by itself: the file is listed with the reason, and with what can be done."""

    def given_up() -> bool:
        if item.get_by_text("mengirim").count() or item.get_by_text("dicoba lagi").count():
            visit.page.clock.run_for(RETRIES_END)
        return again(item).count() == 1 and not item.get_by_text("dicoba lagi").count()

    visit.until(given_up)
    expect(again(item)).to_be_visible()
    expect(item.get_by_role("button", name=re.compile("^Hapus"))).to_be_visible()


def stopped(page: Page, item: Locator) -> None:
    """The form was not sent: the page says so, and the keyboard is where something can be done."""
    expect(page.get_by_role("alert").filter(has_text="belum dikirim")).to_be_visible()
    expect(again(item)).to_be_focused()


def sends(page: Page) -> None:
    page.get_by_role("button", name=SUBMIT).click()


def names(house: SiteUnderTest, number: str) -> list[str]:
    """The documents of this request, as its officer sees them."""
    path = "/api/verification/requests"
    items = house.gate.call(house.session("nurlaila"), "GET", f"{path}?limit=200").json()["items"]
    found = next((one["id"] for one in items if one["number"] == number), "")
    seen = house.gate.call(house.session("nurlaila"), "GET", f"{path}/{found}").json() if found else {}
    return sorted(one["name"] for one in seen.get("documents", ()))


def arrives(visit: BrowserSession, number: str, *files: Upload) -> None:
    """The request has these files and no other."""
    visit.until(lambda: names(visit.house, number) == sorted(file.name for file in files))


Fault = Callable[[BrowserSession], None]


def none(visit: BrowserSession) -> None:
    pass


def answered(status: int, **headers: str) -> Fault:
    """What stands before the service answers uploads in its place."""

    def fault(visit: BrowserSession) -> None:
        visit.watch.expect(str(status))
        visit.page.route("**/berkas", lambda route: route.fulfill(status=status, headers=headers))

    return fault


def cut(visit: BrowserSession) -> None:
    visit.watch.expect("ERR_CONNECTION")
    visit.page.route("**/berkas", lambda route: route.abort("connectionreset"))


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
    house: SiteUnderTest, visits: BrowserSessions, fault: str
):
    before = house.gate.requests
    applicant = filled(visits())
    file, happens, reason = FAULTS[fault]
    happens(applicant.visit)
    choose(applicant.page, PAPERS, file)
    item = line(applicant.page, PAPERS, file)
    gives_up(applicant.visit, item)
    expect(item).to_contain_text(reason)
    sends(applicant.page)
    stopped(applicant.page, item)
    assert house.gate.requests == before
    applicant.page.unroute_all()
    item.get_by_role("button", name=re.compile("^Hapus")).click()
    expect(item).to_have_count(0)
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY)


@pytest.mark.parametrize("fault", ["429", "503", "cut"])
def test_a_file_that_failed_is_sent_again_by_its_button(visits: BrowserSessions, fault: str):
    applicant = filled(visits())
    file, happens, _ = FAULTS[fault]
    happens(applicant.visit)
    choose(applicant.page, PAPERS, file)
    item = line(applicant.page, PAPERS, file)
    gives_up(applicant.visit, item)
    again(item).focus()
    applicant.page.unroute_all()
    applicant.page.keyboard.press("Enter")
    expect(item).to_contain_text("tersimpan")
    expect(item.get_by_role("button", name=re.compile("^Hapus"))).to_be_focused()
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY, file)


def test_sending_before_a_file_has_arrived_waits_for_it_and_says_so(visits: BrowserSessions):
    applicant = filled(visits())
    applicant.visit.line(THIN)
    choose(applicant.page, SIGNED, BIG)
    sends(applicant.page)
    expect(applicant.page.get_by_role("status").filter(has_text="Menunggu 1 berkas")).to_be_visible()
    expect(applicant.page.get_by_role("progressbar", name=BIG.name)).to_be_visible()
    applicant.visit.line(WIDE)
    arrives(applicant.visit, applicant.received(), BIG, DICTIONARY)


@pytest.mark.parametrize("fault", ["503", "cut", "wrong type"])
def test_sending_before_a_file_has_failed_stops_at_it(house: SiteUnderTest, visits: BrowserSessions, fault: str):
    before = house.gate.requests
    applicant = filled(visits())
    file, happens, _ = FAULTS[fault]
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    happens(applicant.visit)
    applicant.page.route("**/berkas", hold)
    choose(applicant.page, PAPERS, file)
    applicant.visit.until(lambda: held != [])
    sends(applicant.page)
    expect(applicant.page.get_by_role("status").filter(has_text="Menunggu 1 berkas")).to_be_visible()
    applicant.page.unroute("**/berkas", hold)
    held[0].fallback()
    item = line(applicant.page, PAPERS, file)
    gives_up(applicant.visit, item)
    stopped(applicant.page, item)
    assert house.gate.requests == before


def test_of_several_files_the_one_that_failed_is_named_and_the_others_are_stored(visits: BrowserSessions):
    applicant = filled(visits())
    choose(applicant.page, PAPERS, PICTURE, PROGRAM, REPORT)
    sends(applicant.page)
    item = line(applicant.page, PAPERS, PROGRAM)
    stopped(applicant.page, item)
    for file in (PICTURE, REPORT):
        expect(line(applicant.page, PAPERS, file)).to_contain_text("tersimpan")
    applicant.page.keyboard.press("Tab")
    applicant.page.keyboard.press("Enter")
    expect(item).to_have_count(0)
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY, PICTURE, REPORT)


def test_a_replacement_that_fails_leaves_the_letter_that_was_stored(visits: BrowserSessions):
    applicant = filled(visits())
    choose(applicant.page, SIGNED, PROGRAM)
    gives_up(applicant.visit, line(applicant.page, SIGNED, PROGRAM))
    expect(line(applicant.page, SIGNED, LETTER)).to_contain_text("tersimpan")
    line(applicant.page, SIGNED, PROGRAM).get_by_role("button", name=re.compile("^Hapus")).click()
    applicant.attaches(SIGNED, REPORT)
    expect(line(applicant.page, SIGNED, LETTER)).to_have_count(0)
    arrives(applicant.visit, applicant.sends(), REPORT, DICTIONARY)


def test_a_file_that_is_chosen_twice_is_sent_once(visits: BrowserSessions, tmp_path: Path):
    path = tmp_path / REPORT.name
    path.write_bytes(REPORT.content)
    applicant = filled(visits())
    for _ in range(2):
        field(applicant.page, PAPERS).set_input_files(path)
        expect(line(applicant.page, PAPERS, REPORT)).to_contain_text("tersimpan")
    expect(applicant.page.get_by_role("status").filter(has_text=f"{REPORT.name} sudah ada di daftar")).to_be_visible()
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY, REPORT)


def test_a_file_that_failed_and_is_chosen_again_stands_there_once(visits: BrowserSessions, tmp_path: Path):
    path = tmp_path / REPORT.name
    path.write_bytes(REPORT.content)
    applicant = filled(visits())
    cut(applicant.visit)
    field(applicant.page, PAPERS).set_input_files(path)
    gives_up(applicant.visit, line(applicant.page, PAPERS, REPORT))
    applicant.page.unroute_all()
    field(applicant.page, PAPERS).set_input_files(path)
    expect(line(applicant.page, PAPERS, REPORT)).to_contain_text("tersimpan")
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY, REPORT)


def test_a_file_that_is_removed_on_its_way_is_sent_no_further(house: SiteUnderTest, visits: BrowserSessions):
    applicant = filled(visits())
    before = house.gate.documents
    applicant.visit.line(THIN)
    choose(applicant.page, PAPERS, BIG)
    item = line(applicant.page, PAPERS, BIG)
    expect(item.get_by_role("progressbar")).to_be_visible()
    with applicant.page.expect_event("requestfailed", lambda call: call.url.endswith("/berkas")):
        item.get_by_role("button", name=re.compile("^Hapus")).click()
    expect(item).to_have_count(0)
    applicant.visit.line(WIDE)
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY)
    assert house.gate.documents == before


def test_a_page_that_is_loaded_again_shows_what_was_stored_and_what_was_not(
    house: SiteUnderTest, visits: BrowserSessions
):
    before = house.gate.requests
    applicant = filled(visits())
    choose(applicant.page, PAPERS, PROGRAM)
    gives_up(applicant.visit, line(applicant.page, PAPERS, PROGRAM))
    applicant.page.reload()
    applicant.fills()
    expect(line(applicant.page, SIGNED, LETTER)).to_contain_text("tersimpan")
    expect(line(applicant.page, PAPERS, DICTIONARY)).to_contain_text("tersimpan")
    item = line(applicant.page, PAPERS, PROGRAM)
    expect(item).to_contain_text("Pilih kembali berkasnya")
    sends(applicant.page)
    stopped(applicant.page, item)
    assert house.gate.requests == before
    with applicant.page.expect_file_chooser() as coming:
        again(item).click()
    coming.value.set_files(payloads(PICTURE))
    expect(item).to_have_count(0)
    expect(line(applicant.page, PAPERS, PICTURE)).to_contain_text("tersimpan")
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY, PICTURE)


def test_a_page_that_the_browser_brings_back_as_it_was_forgets_no_file(visits: BrowserSessions):
    applicant = filled(visits())
    choose(applicant.page, PAPERS, PROGRAM)
    item = line(applicant.page, PAPERS, PROGRAM)
    gives_up(applicant.visit, item)
    applicant.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    sends(applicant.page)
    stopped(applicant.page, item)
    expect(item).to_contain_text("Jenis berkas yang diterima")


def test_a_form_that_is_sent_past_its_script_is_refused_and_names_the_file(
    house: SiteUnderTest, visits: BrowserSessions
):
    before = house.gate.requests
    applicant = filled(visits())
    choose(applicant.page, PAPERS, PROGRAM)
    gives_up(applicant.visit, line(applicant.page, PAPERS, PROGRAM))
    applicant.page.get_by_role("form", name="Formulir permohonan").evaluate("form => form.submit()")
    expect(applicant.page.get_by_role("alert").filter(has_text=f"{PROGRAM.name} belum tersimpan")).to_be_focused()
    assert house.gate.requests == before
    item = line(applicant.page, PAPERS, PROGRAM)
    sends(applicant.page)
    stopped(applicant.page, item)
    item.get_by_role("button", name=re.compile("^Hapus")).click()
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY)


def test_enter_in_a_field_sends_the_form_and_removes_no_file(visits: BrowserSessions):
    applicant = filled(visits())
    field(applicant.page, "Jabatan").press("Enter")
    arrives(applicant.visit, applicant.received(), LETTER, DICTIONARY)


def test_enter_in_a_field_removes_no_file_without_a_script_either(visits: BrowserSessions):
    applicant = Applicant(visits(script=False))
    applicant.begins()
    applicant.fills(Jabatan="")
    applicant.attaches_all()
    sends(applicant.page)
    field(applicant.page, "Jabatan").fill("Pranata Komputer")
    field(applicant.page, "Jabatan").press("Enter")
    arrives(applicant.visit, applicant.received(), LETTER, DICTIONARY)


def test_a_file_whose_server_goes_away_for_good_is_named_and_sent_when_it_is_back(
    house: SiteUnderTest, visits: BrowserSessions
):
    applicant = filled(visits())
    applicant.visit.watch.expect("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_SOCKET")
    applicant.visit.line(THIN)
    choose(applicant.page, PAPERS, BIG)
    item = line(applicant.page, PAPERS, BIG)
    expect(item.get_by_role("progressbar")).to_be_visible()
    house.gate.server.kill()
    gives_up(applicant.visit, item)
    sends(applicant.page)
    stopped(applicant.page, item)
    house.gate.server.start()
    applicant.visit.line(WIDE)
    again(item).click()
    expect(item).to_contain_text("tersimpan")
    arrives(applicant.visit, applicant.sends(), LETTER, DICTIONARY, BIG)


def test_a_lead_hands_over_no_less_than_was_chosen(house: SiteUnderTest, visits: BrowserSessions):
    asked = request_in_status(house.gate, "in_progress")
    lead = Lead(visits("dewi"))
    lead.visit.open(f"/pekerjaan/{asked.id}/serahkan")
    lead.fills("Ringkasan hasil", "Data tersinkron.")
    choose(lead.page, "Dokumen hasil", REPORT, PROGRAM)
    lead.presses("Serahkan Dokumen")
    item = line(lead.page, "Dokumen hasil", PROGRAM)
    stopped(lead.page, item)
    item.get_by_role("button", name=re.compile("^Hapus")).click()
    lead.presses("Serahkan Dokumen")
    lead.succeeds("sudah diserahkan")
    asked.wait_for_status("delivered")


def test_an_applicant_completes_with_no_less_than_was_chosen(house: SiteUnderTest, visits: BrowserSessions):
    asked = request_in_status(house.gate, "returned")
    applicant = Applicant(visits())
    applicant.visit.open(f"/lacak/{asked.number}?kunci={asked.token}")
    applicant.visit.open(f"/lacak/{asked.number}/lengkapi")
    label = "Surat Permohonan pengganti"
    applicant.attaches(label, REPORT)
    choose(applicant.page, label, PROGRAM)
    applicant.presses("Kirim Ulang")
    item = line(applicant.page, label, PROGRAM)
    stopped(applicant.page, item)
    item.get_by_role("button", name=re.compile("^Hapus")).click()
    applicant.presses("Kirim Ulang")
    expect(applicant.page.get_by_role("status").filter(has_text="sudah dikirim ulang")).to_be_visible()
    seen = asked.wait_for_status("submitted").seen()[1]
    assert [one["name"] for one in seen["documents"] if one["round"] == 2] == [REPORT.name]


def test_a_session_that_ends_before_a_file_is_stored_loses_neither_text_nor_the_file_s_name(
    house: SiteUnderTest, visits: BrowserSessions
):
    asked = request_in_status(house.gate, "in_progress")
    lead, token = Lead(visits()), house.new_session("dewi")
    lead.visit.be(token)
    lead.visit.watch.expect("401")
    lead.visit.open(f"/pekerjaan/{asked.id}/serahkan")
    lead.fills("Ringkasan hasil", "Data tersinkron.")
    choose(lead.page, "Dokumen hasil", REPORT)
    expect(line(lead.page, "Dokumen hasil", REPORT)).to_contain_text("tersimpan")
    house.end_session(token)
    choose(lead.page, "Dokumen hasil", PICTURE)
    expect(line(lead.page, "Dokumen hasil", PICTURE)).to_contain_text("Sesi Anda berakhir")
    lead.presses("Serahkan Dokumen")
    lead.types_password("dewi")
    expect(field(lead.page, "Ringkasan hasil")).to_have_value("Data tersinkron.")
    expect(line(lead.page, "Dokumen hasil", REPORT)).to_contain_text("tersimpan")
    item = line(lead.page, "Dokumen hasil", PICTURE)
    lead.presses("Serahkan Dokumen")
    stopped(lead.page, item)
    choose(lead.page, "Dokumen hasil", PICTURE)
    expect(item).to_contain_text("tersimpan")
    lead.presses("Serahkan Dokumen")
    lead.succeeds("sudah diserahkan")
