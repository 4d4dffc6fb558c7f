"""The server is killed and started again while pages are open: they connect by themselves and catch up."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.people import BIG, DICTIONARY, Applicant, Officer, field, payloads
from tests.browser.visits import THIN, WIDE, House, Visits
from tests.journeys.steps import STEPS, walked

AWAY = ("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_SOCKET", "503")


def test_a_queue_that_was_open_catches_up_with_what_happened_meanwhile(house: House, visits: Visits):
    asked = walked(house.gate, "submitted")
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
    made = house.gate.submitted().reaches("submitted")
    assert STEPS["verification"](asked).status_code == 200

    officer.listens()
    officer.is_told("1 perubahan baru")
    expect(officer.row(asked.number).get_by_text("Terverifikasi", exact=True)).to_be_visible()
    officer.finds(made.number)
    expect(late.page.get_by_role("status").filter(has_text="baru saja berubah")).to_contain_text("Terverifikasi")


def test_a_file_whose_sending_was_cut_is_sent_again(house: House, visits: Visits):
    applicant = Applicant(visits())
    applicant.begins()
    applicant.fills()
    applicant.attaches("Dokumen Persyaratan", DICTIONARY)
    applicant.visit.line(THIN)
    applicant.visit.watch.expect(*AWAY)
    field(applicant.page, "Surat Permohonan").set_input_files(payloads(BIG))
    expect(applicant.page.get_by_role("progressbar", name=BIG.name)).to_be_visible()
    house.gate.server.kill()
    expect(applicant.stored("Surat Permohonan")).to_contain_text("Sambungan terputus")
    house.gate.server.start()
    applicant.visit.line(WIDE)
    expect(applicant.stored("Surat Permohonan")).to_contain_text("tersimpan")
    applicant.sends()
