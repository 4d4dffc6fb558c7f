"""Actions of users on pages by visible labels, without classes or ids of the markup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from playwright.sync_api import FilePayload, Locator, Page, expect

from shared.web.views.formats import MONTHS
from simpul.client_types import Upload
from tests.support import office_files
from tests.support.browser.browser_sessions import BrowserSession
from tests.support.e2e.server_process import PASSWORD
from tests.support.e2e.server_session import TODAY

NUMBER = re.compile(r"INT-\d{4}-\d{6}")
CHECK, SUBMIT = "Lanjut ke pemeriksaan", "Ajukan Permohonan"
"""The buttons below the form and below the answers to check."""
TEXTS: Mapping[str, str] = {
    "Nama": "Rahmat Contoh, S.Kom.",
    "Nomor Pegawai": "19850214 201001 1 001",
    "Jabatan": "Pranata Komputer Ahli Muda",
    "Keterangan Permohonan Layanan": "Data trayek angkutan laut perlu terhubung ke portal data kabupaten setiap malam.",
    "Nomor surat permohonan": "500.11/214/DISHUB",
    "Tanggal": str(TODAY.day),
    "Bulan": MONTHS[TODAY.month - 1],
    "Tahun": str(TODAY.year),
    "Alamat surel": "rahmat@dishub.example",
}
UNIT = "Dinas Perhubungan"
LETTER = office_files.pdf("Surat permohonan.pdf", "Surat permohonan integrasi data kepada Diskominfo.")
DICTIONARY = office_files.word("Kamus data.docx", "Kolom dan satuannya.")
PICTURE = office_files.picture("Alur layanan.png")
REPORT = office_files.pdf("Laporan integrasi.pdf", "Laporan hasil integrasi.")
BIG = Upload("Peta.pdf", LETTER.content + b"\n%" + b"x" * 1_000_000, "application/pdf")
PROGRAM = Upload("Alat.exe", b"MZ\x90\x00" + bytes(600), "application/octet-stream")
"""A file that no field accepts."""
ELEMENTS = 9
"""The number of questions of the satisfaction survey."""


def payloads(*files: Upload) -> list[FilePayload]:
    return [{"name": each.name, "mimeType": each.media_type, "buffer": each.content} for each in files]


def field(page: Page, label: str) -> Locator:
    """Return the control with this label, with or without the note "optional"."""
    return page.get_by_label(re.compile(rf"^{re.escape(label)}( \(.*\))?$"))


def put(control: Locator, text: str) -> None:
    """Write a text, or select it where the control is a list."""
    if control.evaluate("one => one.localName") == "select":
        control.select_option(label=text)
    else:
        control.fill(text)


def stored(page: Page, label: str) -> Locator:
    """Return the listed files of this field, stored or in progress."""
    return page.get_by_role("list", name=f"Berkas yang dipilih: {label}").get_by_role("listitem")


@dataclass
class Applicant:
    """An applicant, who has no account but the link in the email."""

    session: BrowserSession

    @property
    def page(self) -> Page:
        return self.session.page

    def start(self) -> Page:
        page = self.session.open("/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Layanan Integrasi Sistem")
        return page

    def fill(self, **changes: str) -> None:
        for label, text in {**TEXTS, **changes}.items():
            put(field(self.page, label), text)
        field(self.page, "Dinas").select_option(label=UNIT)
        self.page.get_by_role("radio", name="Integrasi Data").check()

    def attach(self, label: str, *files: Upload) -> None:
        """Choose files, and with JavaScript wait until they are uploaded."""
        field(self.page, label).set_input_files(payloads(*files))
        if self.session.script:
            for each in files:
                expect(self.stored(label).filter(has_text=each.name)).to_contain_text("tersimpan")

    def stored(self, label: str) -> Locator:
        return stored(self.page, label)

    def attach_all(self) -> None:
        self.attach("Surat Permohonan", LETTER)
        self.attach("Dokumen Persyaratan", DICTIONARY)

    def submit_form(self) -> str:
        """Check the answers, submit the form and return the registration number of the confirmation."""
        self.page.get_by_role("button", name=CHECK).click()
        return self.send_answers()

    def send_answers(self) -> str:
        """Submit the answers that were checked and return the registration number of the confirmation."""
        self.checks_answers()
        self.page.get_by_role("button", name=SUBMIT).click()
        return self.confirmation_number()

    def checks_answers(self) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Periksa isian Anda")

    def confirmation_number(self) -> str:
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Permohonan Anda sudah kami terima")
        found = NUMBER.search(self.page.get_by_role("main").inner_text())
        assert found is not None
        return found[0]

    def submit_request(self, **changes: str) -> str:
        self.start()
        self.fill(**changes)
        self.attach_all()
        return self.submit_form()

    def expect_status(self, status: str) -> None:
        """Expect this status on the tracking page."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(NUMBER)
        self.shows_status(status)

    def shows_status(self, status: str) -> None:
        expect(self.page.get_by_role("main").get_by_text(status, exact=True).first).to_be_visible()

    def wait_for(self, status: str) -> None:
        """Reload the tracking page until it shows this status."""
        self.session.until(lambda: self._reloaded().get_by_role("main").get_by_text(status, exact=True).count() > 0)
        self.expect_status(status)

    def _reloaded(self) -> Page:
        self.page.reload()
        return self.page

    def open_action(self, action: str) -> None:
        """Open an action by its link on the tracking page."""
        self.page.get_by_role("main").get_by_role("link", name=action).click()

    def press(self, button: str) -> None:
        self.page.get_by_role("main").get_by_role("button", name=button, exact=True).click()

    def answer(self, text: str) -> None:
        self.open_action("Jawab Pertanyaan")
        field(self.page, "Jawaban Anda").fill(text)
        self.press("Kirim Jawaban")
        expect(self.page.get_by_role("status").filter(has_text="jawaban Anda sudah kami terima")).to_be_visible()

    def contest(self, reason: str) -> None:
        self.open_action("Ajukan Keberatan")
        field(self.page, "Alasan keberatan").fill(reason)
        self.press("Ajukan Keberatan")
        expect(self.page.get_by_role("status").filter(has_text="Keberatan Anda sudah kami terima")).to_be_visible()

    def confirm(self) -> None:
        self.open_action("Konfirmasi Penerimaan")
        self.press("Konfirmasi Penerimaan")
        expect(self.page.get_by_role("status").filter(has_text="sudah dikonfirmasi")).to_be_visible()

    def withdraw(self, reason: str) -> None:
        self.open_action("Batalkan Permohonan")
        field(self.page, "Alasan pembatalan").fill(reason)
        self.press("Batalkan Permohonan")
        expect(self.page.get_by_role("status").filter(has_text="sudah dibatalkan")).to_be_visible()

    def assess(self) -> None:
        """Answer the satisfaction survey with mark 3 of 4 throughout."""
        self.open_action("Isi Survei Kepuasan")
        elements = self.page.get_by_role("group", name=re.compile(r"^U\d\."))
        expect(elements).to_have_count(ELEMENTS)
        for element in elements.all():
            element.locator("label").nth(2).click()
            expect(element.get_by_role("radio").nth(2)).to_be_checked()
        self.press("Kirim Jawaban")
        expect(self.page.get_by_role("status").filter(has_text="jawaban survei Anda")).to_be_visible()

    def read_document(self, name: str) -> None:
        """Open a document as pages, enlarge its first page, and return to the tracking page."""
        self.page.get_by_title(f"Lihat {name}").first.click()
        shown = self.page.get_by_role("img", name=re.compile("^Halaman 1 dari "))
        expect(shown).to_be_visible()
        self.session.until(lambda: bool(shown.evaluate("image => image.complete && image.naturalWidth > 0")))
        self.page.get_by_role("link", name="Perbesar").click()
        expect(self.page.get_by_text("125%")).to_be_visible()
        self.page.get_by_role("main").get_by_role("link", name=NUMBER).click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text(NUMBER)

    def download(self, name: str) -> bytes:
        with self.page.expect_download() as coming:
            self.page.get_by_role("link", name=re.compile(rf"Unduh.*{re.escape(name)}")).first.click()
        return coming.value.path().read_bytes()


def pick(group: Locator, choice: str) -> None:
    """Click the label of a choice, because its label may draw the radio button."""
    group.get_by_text(choice, exact=True).click()
    expect(group.get_by_role("radio", name=choice, exact=True)).to_be_checked()


@dataclass
class Staff:
    """A member of staff."""

    session: BrowserSession
    start = "/"

    @property
    def page(self) -> Page:
        return self.session.page

    def sign_in(self, who: str, password: str = PASSWORD) -> None:
        self.session.open("/masuk")
        self.type_password(who, password)
        expect(self.page.get_by_role("button", name="Keluar")).to_be_visible()

    def type_password(self, who: str, password: str = PASSWORD) -> None:
        field(self.page, "Nama pengguna").fill(who)
        field(self.page, "Kata sandi").fill(password)
        self.page.get_by_role("button", name="Masuk", exact=True).click()

    def watch_queue(self) -> None:
        """Open the queue with live updates."""
        self.session.open(self.start)
        self.listen()

    def listen(self) -> None:
        if self.session.script:
            expect(self.page.get_by_text("Langsung, diperbarui")).to_be_visible()

    def row(self, number: str) -> Locator:
        return self.page.get_by_role("row").filter(has_text=number)

    def expect_announcement(self, text: str | re.Pattern[str]) -> Locator:
        """Expect an announcement on the open page; without JavaScript reload it."""
        told = self.page.get_by_role("status").filter(has_text=text)
        expect(told).to_be_visible()
        return told

    def wait_for(self, number: str) -> None:
        """Wait for a new request in the queue without a reload."""
        if self.session.script:
            self.expect_announcement("perubahan baru").get_by_role("link", name="Muat").click()
        else:
            self.session.until(lambda: self._reloaded().row(number).count() > 0)
        expect(self.row(number)).to_be_visible()

    def _reloaded(self) -> Staff:
        self.page.reload()
        return self

    def open_request(self, number: str) -> None:
        self.row(number).get_by_role("link", name=number).click()
        expect(self.page).to_have_title(re.compile(number))

    def wait_for_row(self, number: str, status: str) -> None:
        """Wait until the row shows this status in place."""
        if not self.session.script:
            self.session.until(lambda: self._reloaded().row(number).filter(has_text=status).count() > 0)
        expect(self.row(number).get_by_text(status, exact=True)).to_be_visible()

    def press(self, button: str) -> None:
        self.page.get_by_role("main").get_by_role("button", name=button, exact=True).click()

    def expect_success(self, text: str) -> None:
        expect(self.page.get_by_role("status").filter(has_text=text)).to_be_visible()

    def fill(self, label: str, text: str) -> None:
        field(self.page, label).fill(text)


@dataclass
class Officer(Staff):
    start = "/verifikasi"

    def assess(self, wanting: str = "") -> None:
        """Assess every item of the checklist; only the letter may fail, with a note."""
        for item in self.items():
            pick(item, "Sesuai")
        if wanting:
            pick(self.letter(), "Belum")
            self.letter().get_by_role("textbox").fill(wanting)

    def letter(self) -> Locator:
        return self.page.get_by_role("radiogroup", name="Surat permohonan ditujukan")

    def items(self) -> Sequence[Locator]:
        """Return the items that are shown; in a later round those that passed before are folded."""
        expect(self.page.get_by_role("radiogroup").first).to_be_visible()
        return self.page.get_by_role("radiogroup").all()

    def verify(self) -> None:
        self.assess()
        self.press("Nyatakan Lengkap")

    def return_request(self, wanting: str) -> None:
        self.assess(wanting)
        self.press("Kembalikan untuk Dilengkapi")


@dataclass
class Head(Staff):
    start = "/penugasan"

    def choose_lead(self, lead: str) -> None:
        self.page.get_by_role("radio", name=re.compile(lead)).check()

    def appoint(self, lead: str) -> None:
        self.choose_lead(lead)
        pick(self.page.get_by_role("group", name="Kerumitan"), "Sedang")
        self.press("Tunjuk Penanggung Jawab Teknis")

    def replace_lead(self, lead: str, reason: str) -> None:
        self.page.get_by_role("link", name="Ganti Penanggung Jawab").click()
        self.choose_lead(lead)
        self.fill("Alasan", reason)
        self.press("Ganti Penanggung Jawab")


@dataclass
class Lead(Staff):
    start = "/pekerjaan"

    def take_step(self, step: str) -> None:
        self.page.get_by_role("navigation", name="Tindakan").get_by_role("link", name=step).click()

    def add_note(self, note: str, percent: str) -> None:
        self.take_step("Catat Perkembangan")
        self.fill("Catatan perkembangan", note)
        self.fill("Kemajuan (persen)", percent)
        self.press("Catat Perkembangan")
        self.expect_success("Perkembangan tersimpan")

    def pause(self, question: str) -> None:
        self.take_step("Tunda")
        self.fill("Pertanyaan untuk pemohon", question)
        self.press("Tunda")
        self.expect_success("Pekerjaan ditunda")

    def deliver(self, summary: str, *results: Upload) -> None:
        self.take_step("Serahkan Dokumen")
        self.fill("Ringkasan hasil", summary)
        field(self.page, "Dokumen hasil").set_input_files(payloads(*results))
        self.press("Serahkan Dokumen")
        self.expect_success("sudah diserahkan")
